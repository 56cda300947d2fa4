// SPDX-License-Identifier: BSD-3-Clause
#include "rate_search.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>

namespace sluice::perf {

namespace {

struct Durations {
    double good = 0;
    double bad = 0;
};

Durations durations(const std::vector<Trial>& trials, const RateGoal& goal) {
    Durations sum;
    for (const auto& one : trials)
        (one.loss > goal.loss_ratio ? sum.bad : sum.good) += one.seconds;
    return sum;
}

using Trials = std::map<double, std::vector<Trial>>;

RateBounds bounds(const Trials& all, const RateGoal& goal) {
    RateBounds found;
    for (const auto& [load, trials] : all) {
        found.trials += trials.size();
        Load kind = classify(trials, goal);
        if (kind == Load::upper && !found.upper)
            found.upper = load;
        if (kind != Load::lower)
            continue;
        if (found.upper)
            found.contradictory = true;
        else
            found.lower = load;
    }
    return found;
}

bool narrow(const RateBounds& found, const RateGoal& goal, double least, double most) {
    if (!found.upper)
        return found.lower >= most;
    return *found.upper <= least ||
           (found.lower > 0 && (*found.upper - found.lower) / *found.upper <= goal.width);
}

// The loss that the exceed ratio of the trials at a load stays above of.
double throughput(std::vector<Trial> trials, const RateGoal& goal) {
    std::ranges::sort(trials, {}, &Trial::loss);
    double total = 0, so_far = 0;
    for (const auto& one : trials)
        total += one.seconds;
    for (const auto& one : trials) {
        so_far += one.seconds;
        if (so_far >= (1 - goal.exceed_ratio) * total)
            return one.load * (1 - one.loss);
    }
    return 0;
}

// A load that is begun is decided first; then the most, then what got through there, then halves of the gap.
double next_load(const Trials& all, const RateGoal& goal, const RateBounds& found, double least,
                 double most) {
    double high = found.upper.value_or(most);
    for (const auto& [load, trials] : all)
        if (load > found.lower && load < high && classify(trials, goal) == Load::undecided)
            return load;
    if (!found.upper)
        return most;
    if (found.lower <= 0) {
        double through = throughput(all.at(high), goal) * (1 - goal.width / 2);
        return through > least && through < high * (1 - goal.width / 2) ? through : std::max(least, high / 2);
    }
    return std::sqrt(found.lower * high);
}

} // namespace

Load classify(const std::vector<Trial>& trials, const RateGoal& goal) {
    Durations sum = durations(trials, goal);
    double whole = std::max(goal.duration_sum, sum.good + sum.bad);
    double allowed = goal.exceed_ratio * whole;
    if (sum.bad > allowed)
        return Load::upper;
    return whole - sum.good <= allowed ? Load::lower : Load::undecided;
}

Result<std::vector<RateBounds>>
search_rates(const std::vector<RateGoal>& goals, double least, double most,
             const std::function<Result<double>(double load, double seconds)>& trial,
             std::size_t most_trials) {
    Trials all;
    std::size_t done = 0;
    std::vector<RateBounds> result;
    for (const auto& goal : goals) {
        RateBounds found = bounds(all, goal);
        while (!found.contradictory && !narrow(found, goal, least, most)) {
            if (++done > most_trials)
                return fail(ETIMEDOUT, "the search for the rate did not end: the machine is too noisy");
            double load = next_load(all, goal, found, least, most);
            auto loss = trial(load, goal.trial_seconds);
            if (!loss)
                return propagate(std::move(loss));
            all[load].push_back({load, *loss, goal.trial_seconds});
            found = bounds(all, goal);
        }
        if (found.lower > 0)
            found.throughput = throughput(all.at(found.lower), goal);
        result.push_back(found);
    }
    return result;
}

} // namespace sluice::perf
