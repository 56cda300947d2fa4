// SPDX-License-Identifier: BSD-3-Clause
#include "budgets.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace sluice::perf {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int format = 1;
/// Half of the last digit that is kept: figures are exact.
constexpr double last_digit = 5e-7;

bool same(double a, double b) {
    return std::abs(a - b) <= last_digit;
}

Comparison compare(const Budget* budget, const std::string& why_not, const Count& count) {
    Comparison found;
    found.scenario = count.scenario;
    found.metric = count.metric;
    found.unit = count.metric == "doorbells" ? "a burst" : "a packet";
    found.b = count.value;
    found.command = fmt::format("sluice-perf record --counts --scenario '{}'", count.scenario);
    const auto allowed =
        budget != nullptr ? budget->metrics.find(count.metric) : decltype(budget->metrics.end()){};
    if (!why_not.empty() || budget == nullptr || allowed == budget->metrics.end()) {
        found.verdict = Verdict::not_comparable;
        found.reason =
            !why_not.empty() ? why_not : "it has no budget: add one by sluice-perf record --counts --tighten";
        return found;
    }
    found.a = allowed->second;
    found.ratio = same(found.a, 0) ? (same(found.b, 0) ? 1.0 : INFINITY) : found.b / found.a;
    if (count.metric == "instructions")
        found.moved = moved_between(budget->functions, count.functions);
    if (same(found.a, found.b))
        return found;
    if (found.b > found.a) {
        found.verdict = Verdict::regressed;
        found.reason =
            fmt::format("{:g} {} above its budget of {:g}", found.b - found.a, found.unit, found.a);
    } else {
        found.verdict = Verdict::improved;
        found.reason =
            fmt::format("{:g} {} below its budget of {:g}: tighten the file, sluice-perf record --counts "
                        "--tighten",
                        found.a - found.b, found.unit, found.a);
    }
    return found;
}

Budget budget_of(const Json& from) {
    Budget budget;
    for (const auto& [name, value] : from.items())
        if (name != "functions")
            budget.metrics[name] = value.get<double>();
    if (from.contains("functions"))
        for (const auto& [name, value] : from.at("functions").items())
            budget.functions.push_back({name, value.get<double>()});
    return budget;
}

} // namespace

Result<fs::path> find_budgets() {
    std::error_code ignored;
    for (fs::path at = fs::current_path(ignored); !at.empty(); at = at.parent_path()) {
        if (fs::path file = at / "apps/perf/budgets.json"; fs::exists(file, ignored))
            return file;
        if (at == at.root_path())
            break;
    }
    return fail(ENOENT, "lies in the source tree: go into one, or name the file", "apps/perf/budgets.json");
}

Result<Budgets> load_budgets(const fs::path& path) {
    std::ifstream in(path);
    if (!in)
        return fail_errno("cannot read the budgets", path.string());
    const Json data = Json::parse(in, nullptr, false);
    if (!data.is_object() || data.value("format", 0) != format)
        return fail(EINVAL, "holds no budgets of format 1", path.string());
    try {
        Budgets budgets;
        budgets.built_by = data.at("built_by").get<std::string>();
        for (const auto& [id, each] : data.at("scenarios").items())
            budgets.scenarios[id] = budget_of(each);
        return budgets;
    } catch (const Json::exception& error) {
        return fail(EINVAL, "is no file of budgets", path.string() + ": " + error.what());
    }
}

Result<> save_budgets(const fs::path& path, const Budgets& budgets) {
    std::string text = fmt::format("{{\n  \"format\": {},\n  \"built_by\": {},\n  \"scenarios\": {{", format,
                                   Json(budgets.built_by).dump());
    const char* separator = "\n";
    for (const auto& [id, budget] : budgets.scenarios) {
        Json line = budget.metrics;
        for (const Function& each : budget.functions)
            line["functions"][each.name] = each.value;
        text += fmt::format("{}    {}: {}", separator, Json(id).dump(), line.dump());
        separator = ",\n";
    }
    text += "\n  }\n}\n";
    const fs::path fresh = path.string() + ".new";
    std::ofstream out(fresh);
    out << text;
    out.close();
    std::error_code failed;
    if (out)
        fs::rename(fresh, path, failed);
    if (!out || failed)
        return fail(failed ? failed.value() : EIO, "cannot write the budgets", path.string());
    return {};
}

std::vector<Comparison> check(const Budgets& budgets, const std::string& built_by,
                              const std::vector<Count>& counts) {
    const std::string why_not =
        budgets.built_by == built_by
            ? ""
            : fmt::format("budgets are of {}, this build is of {}", budgets.built_by, built_by);
    std::vector<Comparison> found;
    for (const Count& each : counts) {
        const auto at = budgets.scenarios.find(each.scenario);
        found.push_back(compare(at == budgets.scenarios.end() ? nullptr : &at->second, why_not, each));
    }
    return found;
}

Result<> take(Budgets& budgets, const std::string& built_by, const std::vector<Count>& counts, Take which) {
    if (budgets.built_by != built_by && which == Take::lower && !budgets.scenarios.empty())
        return fail(EINVAL, "are another build's: --accept replaces all of them by this build's counts",
                    "budgets of " + budgets.built_by);
    if (budgets.built_by != built_by)
        budgets = {.built_by = built_by, .scenarios = {}};
    for (const Count& each : counts) {
        Budget& budget = budgets.scenarios[each.scenario];
        const auto held = budget.metrics.find(each.metric);
        if (held != budget.metrics.end() && which == Take::lower && each.value >= held->second)
            continue;
        budget.metrics[each.metric] = each.value;
        if (each.metric == "instructions")
            budget.functions = each.functions;
    }
    return {};
}

} // namespace sluice::perf
