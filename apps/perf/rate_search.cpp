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

constexpr double step_growth = 4;

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

// A load that is begun is decided first; then the most, then what got through there. Where that is not
// carried either, loss comes of more than the load, and steps down grow: what gets through is a little less
// each time. Between two bounds, halves of the gap.
double next_load(const Trials& all, const RateGoal& goal, const RateBounds& found, double least,
                 double most) {
    double high = found.upper.value_or(most);
    for (const auto& [load, trials] : all)
        if (load > found.lower && load < high && classify(trials, goal) == Load::undecided)
            return load;
    if (!found.upper)
        return most;
    if (found.lower <= 0) {
        const auto steps = std::ranges::count_if(
            all, [&](const auto& one) { return classify(one.second, goal) == Load::upper; });
        const double through = throughput(all.at(high), goal) * (1 - goal.width / 2);
        const double step = std::min(0.5, goal.width * std::pow(step_growth, static_cast<double>(steps - 1)));
        return std::max(least, std::min(through, high * (1 - step)));
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

RateSearch::RateSearch(std::vector<RateGoal> goals, double least, double most)
    : goals_(std::move(goals))
    , least_(least)
    , most_(most) {}

std::optional<double> RateSearch::next() const {
    if (goal() == goals_.size())
        return std::nullopt;
    return to_be_tried(bounds(all_, goals_[goal()]), goals_[goal()]);
}

std::optional<double> RateSearch::to_be_tried(const RateBounds& found, const RateGoal& goal) const {
    if (found.contradictory)
        return std::nullopt;
    if (!narrow(found, goal, least_, most_))
        return next_load(all_, goal, found, least_, most_);
    const auto rest = again(found, goal);
    return rest.empty() ? std::nullopt : std::optional(rest.front());
}

std::vector<double> RateSearch::again(const RateBounds& found, const RateGoal& goal) const {
    if (found.lower <= 0 || !found.upper)
        return {};
    std::vector<double> loads{found.lower * (1 - goal.again), *found.upper * (1 + goal.again)};
    std::erase_if(loads, [&](double load) {
        const auto trials = all_.find(load);
        return trials != all_.end() && classify(trials->second, goal) != Load::undecided;
    });
    return loads;
}

void RateSearch::add(const Trial& trial) {
    all_[trial.load].push_back(trial);
    conclude();
}

void RateSearch::conclude() {
    while (goal() < goals_.size()) {
        const RateGoal& wanted = goals_[goal()];
        RateBounds found = bounds(all_, wanted);
        if (to_be_tried(found, wanted))
            return;
        if (found.lower > 0)
            found.throughput = throughput(all_.at(found.lower), wanted);
        results_.push_back(found);
    }
}

std::size_t RateSearch::left() const {
    double trials = 0;
    for (std::size_t at = goal(); at < goals_.size(); ++at) {
        const RateGoal& wanted = goals_[at];
        const RateBounds found = bounds(all_, wanted);
        const double high = found.upper.value_or(most_);
        const double low = found.lower > 0 ? found.lower : std::max(least_, high / 2);
        const double halvings = std::max(1.0, std::ceil(std::log2(std::log(high / low) / wanted.width)));
        const double loads = narrow(found, wanted, least_, most_)
                                 ? static_cast<double>(again(found, wanted).size())
                                 : (found.upper ? 0 : 1) + halvings + 2;
        trials += loads * wanted.duration_sum / wanted.trial_seconds * (1 - wanted.exceed_ratio / 2);
    }
    if (const auto load = next())
        if (const auto begun = all_.find(*load); begun != all_.end())
            trials -= static_cast<double>(begun->second.size());
    return static_cast<std::size_t>(std::max(trials, 0.0));
}

Result<std::vector<RateBounds>>
search_rates(const std::vector<RateGoal>& goals, double least, double most,
             const std::function<Result<double>(double load, double seconds)>& trial,
             std::size_t most_trials) {
    RateSearch search(goals, least, most);
    for (std::size_t done = 0; const auto load = search.next();) {
        if (++done > most_trials)
            return fail(ETIMEDOUT, "the search for the rate did not end: the machine is too noisy");
        const double seconds = goals[search.goal()].trial_seconds;
        auto loss = trial(*load, seconds);
        if (!loss)
            return propagate(std::move(loss));
        search.add({*load, *loss, seconds});
    }
    return search.results();
}

} // namespace sluice::perf
