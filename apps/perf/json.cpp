// SPDX-License-Identifier: BSD-3-Clause
#include "json.hpp"

#include <cerrno>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "stats.hpp"

namespace sluice::perf {

namespace {

using Ordered = nlohmann::ordered_json;

Ordered interval_json(const std::optional<Interval>& interval) {
    return interval ? Ordered{interval->low, interval->high} : Ordered(nullptr);
}

std::optional<Interval> interval_from(const Ordered& json, const char* name) {
    auto at = json.find(name);
    if (at == json.end() || !at->is_array() || at->size() != 2 || !(*at)[0].is_number() ||
        !(*at)[1].is_number())
        return std::nullopt;
    return Interval{(*at)[0].get<double>(), (*at)[1].get<double>()};
}

Ordered functions_json(const std::vector<Function>& functions) {
    Ordered list = Ordered::array();
    for (const auto& one : functions)
        list.push_back({{"name", one.name}, {"value", one.value}});
    return list;
}

std::vector<Function> functions_from(const Ordered& json, const char* name) {
    std::vector<Function> functions;
    if (auto at = json.find(name); at != json.end() && at->is_array())
        for (const auto& one : *at)
            functions.push_back({one.value("name", ""), one.value("value", 0.0)});
    return functions;
}

Ordered comparison_json(const Comparison& one) {
    Ordered json;
    json["scenario"] = one.scenario;
    json["metric"] = one.metric;
    json["unit"] = one.unit;
    json["verdict"] = name_of(one.verdict);
    json["a"] = one.a;
    json["b"] = one.b;
    json["ratio"] = one.ratio;
    json["interval"] = interval_json(one.interval);
    json["control"] = interval_json(one.control);
    json["hodges_lehmann"] = one.hodges_lehmann;
    json["margin"] = one.margin;
    json["p"] = one.p;
    json["rounds"] = one.rounds;
    json["more_rounds"] = one.more_rounds;
    json["outliers"] = one.outliers;
    json["seed"] = one.seed;
    json["reason"] = one.reason;
    json["moved"] = functions_json(one.moved);
    json["command"] = one.command;
    return json;
}

/// JSON has no infinity, which a ratio to zero is: that is written as null.
double number_from(const Ordered& json, const char* name, double otherwise) {
    const auto at = json.find(name);
    if (at == json.end())
        return otherwise;
    return at->is_null() ? std::numeric_limits<double>::infinity() : at->get<double>();
}

Comparison comparison_of(const Ordered& json, Verdict verdict) {
    Comparison one;
    one.scenario = json.value("scenario", "");
    one.metric = json.value("metric", "");
    one.unit = json.value("unit", "");
    one.verdict = verdict;
    one.a = number_from(json, "a", 0.0);
    one.b = number_from(json, "b", 0.0);
    one.ratio = number_from(json, "ratio", 1.0);
    one.interval = interval_from(json, "interval");
    one.control = interval_from(json, "control");
    one.hodges_lehmann = number_from(json, "hodges_lehmann", 1.0);
    one.margin = number_from(json, "margin", 0.0);
    one.p = number_from(json, "p", 1.0);
    one.rounds = json.value("rounds", 0U);
    one.more_rounds = json.value("more_rounds", 0U);
    one.outliers = json.value("outliers", 0U);
    one.seed = json.value("seed", std::uint64_t{0});
    one.reason = json.value("reason", "");
    one.moved = functions_from(json, "moved");
    one.command = json.value("command", "");
    return one;
}

Ordered environment_json(const Environment& from) {
    return {{"commit", from.commit},
            {"parent", from.parent},
            {"dirty", from.dirty},
            {"toolchain", from.toolchain},
            {"dpdk", from.dpdk},
            {"kernel", from.kernel},
            {"cpu", from.cpu},
            {"governor", from.governor},
            {"load_before", from.load_before},
            {"load_after", from.load_after}};
}

Environment environment_from(const Ordered& json) {
    return {.commit = json.value("commit", ""),
            .parent = json.value("parent", ""),
            .dirty = json.value("dirty", false),
            .toolchain = json.value("toolchain", ""),
            .dpdk = json.value("dpdk", ""),
            .kernel = json.value("kernel", ""),
            .cpu = json.value("cpu", ""),
            .governor = json.value("governor", ""),
            .load_before = json.value("load_before", 0.0),
            .load_after = json.value("load_after", 0.0)};
}

std::string dump(const Ordered& json, int indent) {
    return json.dump(indent, ' ', false, Ordered::error_handler_t::replace);
}

void add_result(Document& document, const Ordered& json) {
    if (auto verdict = verdict_named(json.value("verdict", ""))) {
        document.comparisons.push_back(comparison_of(json, *verdict));
    } else if (json.contains("samples")) {
        document.samples.push_back({.scenario = json.value("scenario", ""),
                                    .metric = json.value("metric", ""),
                                    .unit = json.value("unit", ""),
                                    .arm = json.value("arm", ""),
                                    .round = json.value("round", 0U),
                                    .values = json["samples"].get<std::vector<double>>()});
    } else {
        document.counts.push_back({json.value("scenario", ""), json.value("metric", ""),
                                   json.value("value", 0.0), functions_from(json, "functions")});
    }
}

// Names end in /ARM where there is more than one; iterations become samples of their name.
void add_benchmark(Document& document, const Ordered& json) {
    if (json.value("run_type", "iteration") != "iteration" || json.value("error_occurred", false))
        return;
    std::string name = json.value("run_name", json.value("name", ""));
    auto& all = document.samples;
    if (all.empty() || all.back().scenario != name)
        all.push_back({.scenario = name,
                       .metric = "time",
                       .unit = json.value("time_unit", "ns"),
                       .arm = {},
                       .values = {}});
    all.back().values.push_back(json.value("real_time", 0.0));
}

Ordered benchmark_row(const Samples& one, const std::string& name, double value) {
    Ordered row;
    row["name"] = name;
    row["run_name"] = name;
    row["run_type"] = "iteration";
    row["repetitions"] = one.values.size();
    row["threads"] = 1;
    row["iterations"] = 1;
    row["real_time"] = value;
    row["cpu_time"] = value;
    row["time_unit"] = one.unit.substr(0, one.unit.find('/'));
    return row;
}

} // namespace

std::string comparison_text(const Comparison& comparison) {
    return dump(comparison_json(comparison), -1);
}

std::optional<Comparison> comparison_from(std::string_view text) {
    Ordered json = Ordered::parse(text, nullptr, false);
    if (!json.is_object())
        return std::nullopt;
    try {
        if (auto verdict = verdict_named(json.value("verdict", "")))
            return comparison_of(json, *verdict);
    } catch (const Ordered::exception&) {
        // a member of another type: not one of ours
    }
    return std::nullopt;
}

std::string json_text(const Document& document) {
    Ordered json;
    json["program"] = "sluice-perf";
    json["format"] = 1;
    json["command"] = document.command;
    json["environment"] = environment_json(document.environment);
    Ordered& results = json["results"] = Ordered::array();
    for (const auto& one : document.comparisons)
        results.push_back(comparison_json(one));
    for (const auto& one : document.counts)
        results.push_back({{"scenario", one.scenario},
                           {"metric", one.metric},
                           {"value", one.value},
                           {"functions", functions_json(one.functions)}});
    for (const auto& one : document.samples)
        results.push_back({{"scenario", one.scenario},
                           {"metric", one.metric},
                           {"unit", one.unit},
                           {"arm", one.arm},
                           {"round", one.round},
                           {"samples", one.values}});
    return dump(json, 2) + '\n';
}

std::string benchmark_text(const Document& document) {
    Ordered json;
    json["context"] = {{"executable", "sluice-perf"}, {"caches", Ordered::array()}, {"num_cpus", 1}};
    Ordered& rows = json["benchmarks"] = Ordered::array();
    for (const auto& one : document.samples) {
        std::string name = one.arm.empty() ? one.scenario : one.scenario + '/' + one.arm;
        for (std::size_t i = 0; i < one.values.size(); ++i) {
            Ordered row = benchmark_row(one, name, one.values[i]);
            row["repetition_index"] = i;
            rows.push_back(std::move(row));
        }
        Ordered row = benchmark_row(one, name, median(one.values));
        row["name"] = name + "_median";
        row["run_type"] = "aggregate";
        row["aggregate_name"] = "median";
        row["aggregate_unit"] = "time";
        rows.push_back(std::move(row));
    }
    return dump(json, 2) + '\n';
}

Result<Document> read_results(std::string_view text, const std::string& name) {
    Ordered json = Ordered::parse(text, nullptr, false);
    Document document;
    try {
        if (json.is_object() && json.contains("benchmarks")) {
            for (const auto& row : json["benchmarks"])
                add_benchmark(document, row);
            return document;
        }
        if (!json.is_object() || json.value("program", "") != "sluice-perf")
            return fail(EINVAL, "holds neither results of sluice-perf nor of Google Benchmark", name);
        if (json.value("format", 0) != 1)
            return fail(EINVAL, "is of another format than 1: it takes the sluice-perf that wrote it", name);
        document.command = json.value("command", "");
        document.environment = environment_from(json.value("environment", Ordered::object()));
        for (const auto& one : json.value("results", Ordered::array()))
            add_result(document, one);
    } catch (const Ordered::exception&) {
        return fail(EINVAL, "has a member of another type than sluice-perf writes", name);
    }
    return document;
}

} // namespace sluice::perf
