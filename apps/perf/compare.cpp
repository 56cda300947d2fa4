// SPDX-License-Identifier: BSD-3-Clause
// A beside B: times from an interleaved run, counts by themselves.
#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>

#include <fmt/format.h>

#include "commands.hpp"
#include "process.hpp"

namespace sluice::perf {

namespace {

constexpr double simulated_tolerance = 0.005;
constexpr std::size_t most_moved = 10;

bool is_simulated(std::string_view metric) {
    return metric.find("miss") != metric.npos || metric.find("mispredict") != metric.npos;
}

std::vector<Function> moved_between(const std::vector<Function>& a, const std::vector<Function>& b) {
    std::map<std::string, double> change;
    for (const auto& one : b)
        change[one.name] += one.value;
    for (const auto& one : a)
        change[one.name] -= one.value;
    std::vector<Function> moved;
    for (const auto& [name, value] : change)
        if (std::abs(value) > 1e-9)
            moved.push_back({name, value});
    std::ranges::sort(moved, {}, [](const Function& one) {
        return std::pair(-std::abs(one.value), std::string_view(one.name));
    });
    moved.resize(std::min(moved.size(), most_moved));
    return moved;
}

void show_progress(Context& context, const std::string& scenario, const Progress& progress) {
    if (!context.terminal && progress.round % batch_rounds != 0)
        return;
    fmt::memory_buffer line;
    fmt::format_to(std::back_inserter(line), "{}{}: round {} of at most {}, {:.0f} s left{}",
                   context.terminal ? "\r\033[K" : "", scenario, progress.round, progress.most_rounds,
                   progress.left.count(), context.terminal ? "" : "\n");
    context.err << std::string_view(line.data(), line.size()) << std::flush;
}

std::string again(const Options& options, const Arm& a, const Arm& b, const std::string& scenario) {
    if (a.side == "dpdk")
        return fmt::format("sluice-perf compare --dpdk {} --time --scenario '{}'", b.build.string(),
                           scenario);
    return fmt::format("sluice-perf compare {} {} --time --scenario '{}' --seed {}", a.build.string(),
                       b.build.string(), scenario, options.seed);
}

} // namespace

std::vector<Comparison> compare_times(Session& session, const Arm& a, const Arm& b,
                                      const std::vector<Listed>& scenarios) {
    const Options& options = session.options;
    auto cpus = usable_cpus();
    std::optional<unsigned> cpu = cpus.empty() ? std::nullopt : std::optional(cpus.back());
    std::vector<Comparison> all;
    for (const auto& scenario : scenarios) {
        Plan plan{.budget = std::chrono::duration<double>(options.budget),
                  .most_rounds = options.rounds,
                  .rule = {}};
        plan.rule.margin = options.margin > 0 ? options.margin : scenario.margin;
        plan.rule.seed = options.seed;
        Surroundings surroundings;
        surroundings.measure = [&](unsigned arm, std::uint32_t) {
            return time_once(arm == 2 ? b : a, scenario.id, cpu);
        };
        surroundings.now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
        surroundings.progress = [&](const Progress& progress) {
            show_progress(session.context, scenario.id, progress);
        };
        surroundings.kept = [&](const std::vector<Samples>& samples) {
            session.document.samples.insert(session.document.samples.end(), samples.begin(), samples.end());
            return session.history.append(session.run, samples);
        };
        Comparison result = run_rounds(plan, surroundings);
        result.scenario = scenario.id;
        if (result.metric.empty())
            result.metric = "time";
        result.command = again(options, a, b, scenario.id);
        all.push_back(std::move(result));
        if (session.context.terminal)
            session.context.err << "\r\033[K" << std::flush;
    }
    judge_together(all);
    return all;
}

std::vector<Comparison> compare_counts(const std::vector<Count>& a, const std::vector<Count>& b) {
    std::vector<Comparison> all;
    for (const auto& before : a) {
        auto after = std::ranges::find_if(b, [&](const Count& one) {
            return one.scenario == before.scenario && one.metric == before.metric;
        });
        if (after == b.end())
            continue;
        Comparison one;
        one.scenario = before.scenario;
        one.metric = before.metric;
        one.a = before.value;
        one.b = after->value;
        one.ratio = before.value > 0 ? after->value / before.value : (after->value > 0 ? HUGE_VAL : 1);
        one.margin = is_simulated(one.metric) ? simulated_tolerance : 0;
        if (one.b > one.a * (1 + one.margin))
            one.verdict = Verdict::regressed;
        else if (one.b < one.a / (1 + one.margin))
            one.verdict = Verdict::improved;
        if (one.verdict == Verdict::regressed)
            one.reason = fmt::format("{:+.4f} a packet", one.b - one.a);
        if (one.verdict != Verdict::same)
            one.moved = moved_between(before.functions, after->functions);
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace sluice::perf
