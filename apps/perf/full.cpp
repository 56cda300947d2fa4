// SPDX-License-Identifier: BSD-3-Clause
// `--full`: rates and latency of a build alone, or of A beside B.
#include <algorithm>
#include <chrono>
#include <map>
#include <ostream>

#include <fmt/format.h>

#include "commands.hpp"
#include "rates.hpp"

namespace sluice::perf {

namespace {

using Seconds = std::chrono::duration<double>;

/// "virtio…: pdr, trial 57, about 120 s left".
class TrialProgress {
  public:
    TrialProgress(Context& context, std::string scenario)
        : context_(context)
        , scenario_(std::move(scenario)) {}
    ~TrialProgress() {
        if (context_.terminal)
            context_.err << "\r\033[K" << std::flush;
    }
    TrialProgress(const TrialProgress&) = delete;
    TrialProgress& operator=(const TrialProgress&) = delete;

    /// Before a trial, when there will be `left`.
    void operator()(std::string_view what, std::size_t left) {
        const Seconds spent = std::chrono::steady_clock::now() - begun_;
        const double each = done_ > 0 ? spent.count() / static_cast<double>(done_) : 1.5;
        if (context_.terminal || done_ % 20 == 0)
            context_.err << fmt::format("{}{}: {}, trial {}, about {:.0f} s left{}",
                                        context_.terminal ? "\r\033[K" : "", scenario_, what, done_ + 1,
                                        each * static_cast<double>(left), context_.terminal ? "" : "\n")
                         << std::flush;
        ++done_;
    }

  private:
    Context& context_;
    std::string scenario_;
    std::size_t done_ = 0;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

Result<> keep(Session& session, std::vector<Samples> samples) {
    auto kept = session.history.append(session.run, samples);
    auto& all = session.document.samples;
    all.insert(all.end(), std::make_move_iterator(samples.begin()), std::make_move_iterator(samples.end()));
    return kept;
}

RateSurroundings surroundings_of(Session& session, const std::string& scenario, TrialProgress& progress,
                                 const std::array<Arm, 3>& arms) {
    return {.trial =
                [&arms, &scenario](unsigned arm, double load, double seconds, bool latency) {
                    return try_rate(arms.at(arm), scenario, load, seconds, latency);
                },
            .progress = [&progress](std::string_view what, std::size_t left) { progress(what, left); },
            // Each trial is kept, and none is shown: the bounds say what they come to.
            .kept =
                [&session, &scenario](const std::vector<Samples>& samples) {
                    auto named = samples;
                    for (Samples& one : named)
                        one.scenario = scenario;
                    return session.history.append(session.run, named);
                }};
}

std::string latency_name(unsigned hundredths) {
    return fmt::format("latency-pdr-{}", hundredths);
}

Result<Samples> latency_once(const RateSurroundings& surroundings, unsigned arm, double pdr,
                             unsigned hundredths) {
    auto answer = surroundings.trial(arm, pdr * hundredths / 100, RateGoal{}.trial_seconds, true);
    if (!answer)
        return propagate(std::move(answer));
    return Samples{.scenario = {},
                   .metric = latency_name(hundredths),
                   .unit = "ns",
                   .arm = {},
                   .values = std::move(answer->latency)};
}

Comparison no_figure(const std::string& scenario, std::string metric, Verdict verdict, std::string reason) {
    Comparison one;
    one.scenario = scenario;
    one.metric = std::move(metric);
    one.verdict = verdict;
    one.reason = std::move(reason);
    return one;
}

Result<> record_latency(Session& session, const std::string& scenario, const RateSurroundings& surroundings,
                        double pdr) {
    std::size_t left = latency_loads.size() * latency_trials;
    for (const unsigned hundredths : latency_loads)
        for (std::uint32_t round = 0; round < latency_trials; ++round) {
            surroundings.progress(latency_name(hundredths), left--);
            auto samples = latency_once(surroundings, 0, pdr, hundredths);
            if (!samples)
                return propagate(std::move(samples));
            samples->scenario = scenario;
            samples->round = round;
            if (auto kept = keep(session, {std::move(*samples)}); !kept)
                return kept;
        }
    return {};
}

Result<> record_one(Session& session, const std::string& scenario, const Arm& arm) {
    TrialProgress progress(session.context, scenario);
    const std::array<Arm, 3> arms{arm, arm, arm};
    const auto surroundings = surroundings_of(session, scenario, progress, arms);
    const auto found = find_rates(1, surroundings);
    if (!found)
        return tl::unexpected(found.error());
    const auto& rates = found->front();
    for (std::size_t i = 0; i < rates.size(); ++i) {
        if (!rates[i].trouble.empty())
            session.document.comparisons.push_back(
                no_figure(scenario, rate_goals[i].name, Verdict::too_noisy, rates[i].trouble));
        else if (auto kept = keep(session, rate_samples(rates[i], scenario, rate_goals[i].name)); !kept)
            return kept;
    }
    return rates.back().trouble.empty()
               ? record_latency(session, scenario, surroundings, rates.back().bounds.lower)
               : Result<>{};
}

/// p50 of each process is judged as times are, and their p99 beside it.
std::vector<Comparison> compare_latency(Session& session, const std::string& scenario, double margin,
                                        const RateSurroundings& trials, double pdr, unsigned hundredths) {
    const Options& options = session.options;
    Plan plan{.budget = Seconds(options.budget), .most_rounds = options.rounds, .rule = {}};
    plan.rule.margin = margin;
    plan.rule.seed = options.seed;
    Rounds high;
    Surroundings surroundings;
    surroundings.measure = [&](unsigned arm, std::uint32_t) {
        auto samples = latency_once(trials, arm, pdr, hundredths);
        if (samples)
            samples->scenario = scenario;
        return samples;
    };
    surroundings.now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
    surroundings.progress = [&](const Progress& progress) {
        trials.progress(latency_name(hundredths), 3 * std::size_t{progress.most_rounds - progress.round});
    };
    surroundings.kept = [&](const std::vector<Samples>& samples) {
        for (const Samples& one : samples)
            (one.arm == "B"   ? high.b
             : one.arm == "A" ? high.a
                              : high.control)
                .push_back(quantile(one.values, 0.99));
        return keep(session, samples);
    };
    std::vector<Comparison> both{run_rounds(plan, surroundings)};
    both[0].metric = latency_name(hundredths) + "-p50";
    if (both[0].verdict != Verdict::could_not_run) {
        both.push_back(judge(high, plan.rule));
        both[1].metric = latency_name(hundredths) + "-p99";
        both[1].unit = "ns";
    }
    return both;
}

Result<std::vector<Comparison>> compare_one(Session& session, const std::array<Arm, 3>& arms,
                                            const Listed& scenario) {
    TrialProgress progress(session.context, scenario.id);
    const auto surroundings = surroundings_of(session, scenario.id, progress, arms);
    const auto found = find_rates(3, surroundings);
    if (!found)
        return tl::unexpected(found.error());
    const double margin = session.options.margin > 0 ? session.options.margin : scenario.margin;
    std::vector<Comparison> all, latencies;
    for (std::size_t i = 0; i < rate_goals.size(); ++i) {
        all.push_back(judge_rates((*found)[0][i], (*found)[1][i], (*found)[2][i], margin));
        all.back().metric = rate_goals[i].name;
    }
    const FoundRate& pdr_of_a = found->front().back();
    for (const unsigned hundredths : latency_loads) {
        if (!pdr_of_a.trouble.empty())
            break;
        auto both =
            compare_latency(session, scenario.id, margin, surroundings, pdr_of_a.bounds.lower, hundredths);
        latencies.insert(latencies.end(), both.begin(), both.end());
    }
    judge_together(latencies);
    all.insert(all.end(), latencies.begin(), latencies.end());
    return all;
}

} // namespace

void record_rates(Session& session, const Arm& arm, const std::vector<Listed>& scenarios) {
    for (const Listed& scenario : scenarios)
        if (auto done = record_one(session, scenario.id, arm); !done)
            session.document.comparisons.push_back(
                no_figure(scenario.id, "rates", Verdict::could_not_run, done.error().message()));
}

std::vector<Comparison> compare_rates(Session& session, const Arm& a, const Arm& b,
                                      const std::vector<Listed>& scenarios) {
    const std::array<Arm, 3> arms{a, a, b};
    std::vector<Comparison> all;
    for (const Listed& scenario : scenarios) {
        auto some = compare_one(session, arms, scenario);
        if (!some)
            some =
                std::vector{no_figure(scenario.id, "rates", Verdict::could_not_run, some.error().message())};
        for (Comparison& one : *some) {
            one.scenario = scenario.id;
            one.command = again(session.options, a, b, scenario.id, "--full");
            all.push_back(std::move(one));
        }
    }
    return all;
}

} // namespace sluice::perf
