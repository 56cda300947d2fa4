// SPDX-License-Identifier: BSD-3-Clause
// A beside B: times from an interleaved run, counts by themselves.
#include <algorithm>
#include <cmath>
#include <ostream>

#include <fmt/format.h>

#include "commands.hpp"
#include "process.hpp"

namespace sluice::perf {

namespace {

constexpr double simulated_tolerance = 0.005;

bool is_simulated(std::string_view metric) {
    return metric.find("miss") != metric.npos || metric.find("mispredict") != metric.npos;
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

} // namespace

std::string again(const Options& options, const Arm& a, const Arm& b, const std::string& scenario,
                  const char* kind) {
    if (a.side == "dpdk")
        return fmt::format("sluice-perf compare --dpdk {} {} --scenario '{}'", b.build.string(), kind,
                           scenario);
    return fmt::format("sluice-perf compare {} {} {} --scenario '{}' --seed {}", a.build.string(),
                       b.build.string(), kind, scenario, options.seed);
}

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
        result.command = again(options, a, b, scenario.id, "--time");
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
        one.unit = one.metric == "doorbells" ? "a burst" : "a packet";
        one.a = before.value;
        one.b = after->value;
        one.ratio = before.value > 0 ? after->value / before.value : (after->value > 0 ? HUGE_VAL : 1);
        one.margin = is_simulated(one.metric) ? simulated_tolerance : 0;
        if (one.b > one.a * (1 + one.margin))
            one.verdict = Verdict::regressed;
        else if (one.b < one.a / (1 + one.margin))
            one.verdict = Verdict::improved;
        if (one.verdict == Verdict::regressed)
            one.reason = fmt::format("{:+.4f} {}", one.b - one.a, one.unit);
        if (one.verdict != Verdict::same)
            one.moved = moved_between(before.functions, after->functions);
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace sluice::perf
