// SPDX-License-Identifier: BSD-3-Clause
#include "subject.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "process.hpp"

namespace sluice::perf {

namespace {

using Json = nlohmann::json;

Result<Output> run_subject(std::vector<std::string> words, std::optional<unsigned> cpu) {
    auto output = run({.words = std::move(words), .cpu = cpu, .empty_environment = true});
    if (output && output->status != 0) {
        std::string line = last_line(output->err);
        return fail(0, "the measured program failed", line.empty() ? "sluice-perf-subject" : line);
    }
    return output;
}

} // namespace

std::vector<std::string> time_words(const Arm& arm, const std::string& scenario) {
    return {arm.program().string(), "--scenario", scenario, "--side", arm.side, "--time"};
}

Result<std::vector<Listed>> list_scenarios(const std::filesystem::path& build) {
    auto output = run_subject({Arm{build, {}}.program().string(), "--list"}, std::nullopt);
    if (!output)
        return propagate(std::move(output));
    Json list = Json::parse(output->out, nullptr, false);
    if (!list.is_array())
        return fail(EPROTO, "its sluice-perf-subject --list is no JSON array: build it anew", build.string());
    std::vector<Listed> scenarios;
    for (const auto& one : list)
        if (one.is_object() && one.contains("id"))
            scenarios.push_back({one.value("id", ""), one.value("driver", ""), one.value("ci", false),
                                 one.value("full", false), one.value("margin", 0.02)});
    return scenarios;
}

Result<Samples> time_once(const Arm& arm, const std::string& scenario, std::optional<unsigned> cpu) {
    auto output = run_subject(time_words(arm, scenario), cpu);
    if (!output)
        return propagate(std::move(output));
    Json answer = Json::parse(last_line(output->out), nullptr, false);
    if (!answer.is_object() || !answer.contains("samples") || !answer["samples"].is_array())
        return fail(EPROTO, "printed no samples: its last line has to be one JSON object",
                    arm.program().string());
    Samples samples{.scenario = scenario,
                    .metric = "time",
                    .unit = answer.value("unit", "ns/packet"),
                    .arm = {},
                    .values = {}};
    for (const auto& value : answer["samples"])
        if (value.is_number())
            samples.values.push_back(value.get<double>());
    if (samples.values.empty())
        return fail(EPROTO, "printed no samples", arm.program().string());
    return samples;
}

Result<TrialAnswer> try_rate(const Arm& arm, const std::string& scenario, double rate, double seconds,
                             bool latency) {
    std::vector<std::string> words{arm.program().string(),
                                   "--scenario",
                                   scenario,
                                   "--side",
                                   arm.side,
                                   "--rate",
                                   fmt::format("{:.0f}", rate),
                                   "--seconds",
                                   fmt::format("{}", seconds)};
    if (latency)
        words.emplace_back("--latency");
    auto output = run_subject(std::move(words), std::nullopt);
    if (!output)
        return propagate(std::move(output));
    const Json said = Json::parse(last_line(output->out), nullptr, false);
    const auto frames = [&said](const char* name) {
        const auto at = said.find(name);
        return at != said.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
    };
    if (!said.is_object() || frames("offered") == 0)
        return fail(EPROTO,
                    "printed no trial: its last line has to be one JSON object that says what was offered",
                    arm.program().string());
    TrialAnswer answer{.offered = frames("offered"),
                       .returned = frames("returned"),
                       .full = frames("full"),
                       .late = frames("late"),
                       .latency = {}};
    if (frames("bad") != 0 || frames("placed") != frames("back") + frames("unsent") ||
        answer.returned + answer.full + answer.late > answer.offered)
        return fail(EBADMSG, "frames came back wrong, or vanished in the driver: its tests say more",
                    scenario);
    if (const auto at = said.find("latency"); at != said.end() && at->is_array())
        for (const auto& value : *at)
            if (value.is_number())
                answer.latency.push_back(value.get<double>());
    if (latency && answer.latency.empty())
        return fail(EPROTO, "no frame came back whose latency could be told", scenario);
    return answer;
}

} // namespace sluice::perf
