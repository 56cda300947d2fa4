// SPDX-License-Identifier: BSD-3-Clause
#include "rates.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "rounds.hpp"
#include "stats.hpp"
#include "verdict.hpp"

namespace sluice::perf {

namespace {

constexpr double flat_out = 1e8; // frames a second: more than any wire here can offer
constexpr unsigned flat_out_trials = 3;
constexpr double above_flat_out = 2;
constexpr double range = 1000; // of the search

/// One arm's search.
struct ArmSearch {
    RateSearch search;
    std::map<double, TrialAnswer> sums; // by load
    std::size_t trials = 0;

    explicit ArmSearch(double most)
        : search({rate_goals[0].goal, rate_goals[1].goal}, most / range, most) {}

    bool goes_on(std::size_t most_trials) const { return search.next() && trials < most_trials; }
};

/// Runs trials, and keeps what each says.
class KeptTrials {
  public:
    explicit KeptTrials(const RateSurroundings& surroundings)
        : surroundings_(surroundings) {}

    Result<TrialAnswer> run(unsigned arm, double load) {
        constexpr double seconds = RateGoal{}.trial_seconds;
        auto answer = surroundings_.trial(arm, load, seconds, false);
        if (!answer || !surroundings_.kept)
            return answer;
        Samples offered{.scenario = {},
                        .metric = "offered",
                        .unit = "frames/s",
                        .arm = {},
                        .round = count_++,
                        .values = {static_cast<double>(answer->offered) / seconds}};
        Samples lost = offered;
        lost.metric = "lost";
        lost.unit = "share";
        lost.values = {answer->loss()};
        if (auto kept = surroundings_.kept({offered, lost}); !kept)
            return propagate(std::move(kept));
        return answer;
    }

  private:
    const RateSurroundings& surroundings_;
    std::uint32_t count_ = 0;
};

Result<double> carried_flat_out(unsigned arms, KeptTrials& trials) {
    double most = 0;
    for (unsigned turn = 0; turn < flat_out_trials; ++turn)
        for (unsigned arm = 0; arm < arms; ++arm) {
            auto answer = trials.run(arm, flat_out);
            if (!answer)
                return propagate(std::move(answer));
            most = std::max(most, flat_out * (1 - answer->loss()));
        }
    if (most < range)
        return fail(0, "no frames come back: forwarding does not work in this build");
    return most;
}

Result<> one_trial(unsigned arm, ArmSearch& own, KeptTrials& trials) {
    const double load = *own.search.next();
    auto answer = trials.run(arm, load);
    if (!answer)
        return propagate(std::move(answer));
    TrialAnswer& sum = own.sums[load];
    sum.offered += answer->offered;
    sum.returned += answer->returned;
    sum.late += answer->late;
    ++own.trials;
    own.search.add({load, answer->loss(), RateGoal{}.trial_seconds});
    return {};
}

std::string trouble_of(const RateBounds& bounds) {
    if (bounds.contradictory)
        return fmt::format("trials disagree: {:.4g} frames/s were not carried, and more were", *bounds.upper);
    if (!bounds.upper)
        return fmt::format("{:.4g} frames/s were carried, more than flat out: the machine changes its pace",
                           bounds.lower);
    if (bounds.lower <= 0)
        return fmt::format("no load was carried, down to {:.4g} frames/s", *bounds.upper);
    return {};
}

std::vector<FoundRate> found_by(const ArmSearch& own) {
    std::vector<FoundRate> all;
    for (const RateBounds& bounds : own.search.results()) {
        FoundRate found{.bounds = bounds, .trouble = trouble_of(bounds)};
        if (bounds.upper) {
            const TrialAnswer& sum = own.sums.at(*bounds.upper);
            found.late = static_cast<double>(sum.late) /
                         static_cast<double>(std::max<std::uint64_t>(sum.offered - sum.returned, 1));
        }
        all.push_back(std::move(found));
    }
    while (all.size() < rate_goals.size())
        all.push_back(
            {.bounds = {}, .trouble = fmt::format("the search did not end with {} trials", own.trials)});
    return all;
}

// In the order of a round of times: no arm has always the same neighbour.
std::vector<unsigned> order_of_arms(unsigned arms, std::uint32_t round) {
    if (arms == 1)
        return {0};
    const auto order = order_of(round);
    return {order.begin(), order.end()};
}

} // namespace

Result<std::vector<std::vector<FoundRate>>> find_rates(unsigned arms, const RateSurroundings& surroundings,
                                                       std::size_t most_trials) {
    KeptTrials trials(surroundings);
    if (surroundings.progress)
        surroundings.progress("flat out", arms * (flat_out_trials + ArmSearch(flat_out).search.left()));
    const auto most = carried_flat_out(arms, trials);
    if (!most)
        return tl::unexpected(most.error());
    const auto goes_on = [most_trials](const ArmSearch& one) { return one.goes_on(most_trials); };
    std::vector<ArmSearch> searches(arms, ArmSearch(above_flat_out * *most));
    for (std::uint32_t round = 0; std::ranges::any_of(searches, goes_on); ++round)
        for (const unsigned arm : order_of_arms(arms, round)) {
            ArmSearch& own = searches[arm];
            if (!goes_on(own))
                continue;
            std::size_t left = 0;
            for (const ArmSearch& each : searches)
                left += goes_on(each) ? std::max<std::size_t>(each.search.left(), 1) : 0;
            if (surroundings.progress)
                surroundings.progress(rate_goals[own.search.goal()].name, left);
            if (auto done = one_trial(arm, own, trials); !done)
                return propagate(std::move(done));
        }
    std::vector<std::vector<FoundRate>> all;
    for (const ArmSearch& own : searches)
        all.push_back(found_by(own));
    return all;
}

std::vector<Samples> rate_samples(const FoundRate& found, const std::string& scenario, const char* goal) {
    return {{.scenario = scenario,
             .metric = goal,
             .unit = "frames/s",
             .arm = {},
             .values = {found.bounds.lower, found.bounds.upper.value_or(found.bounds.lower)}},
            {.scenario = scenario,
             .metric = std::string(goal) + "-late",
             .unit = "share",
             .arm = {},
             .values = {found.late}}};
}

Comparison judge_rates(const FoundRate& a, const FoundRate& control, const FoundRate& b, double margin) {
    Comparison result;
    result.unit = "frames/s";
    result.margin = margin;
    result.a = a.bounds.lower;
    result.b = b.bounds.lower;
    result.rounds = static_cast<std::uint32_t>(b.bounds.trials);
    for (const FoundRate* one : {&a, &control, &b})
        if (!one->trouble.empty()) {
            result.verdict = Verdict::too_noisy;
            result.reason = one->trouble;
            return result;
        }
    const auto above = [](const RateBounds& x, const RateBounds& y) {
        return Interval{x.lower / *y.upper, *x.upper / y.lower};
    };
    result.ratio = result.hodges_lehmann = a.bounds.lower / b.bounds.lower;
    result.interval = above(a.bounds, b.bounds);
    result.control = above(a.bounds, control.bounds);
    decide(result);
    return result;
}

} // namespace sluice::perf
