// SPDX-License-Identifier: BSD-3-Clause
// The highest rate at which frames are not lost, found by trials that may contradict each other: the search
// goals of MLRsearch (draft-ietf-bmwg-mlrsearch), several at once.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include <sluice/base/error.hpp>

namespace sluice::perf {

/// When a load counts as carried: trials whose loss is above loss_ratio may last exceed_ratio of
/// duration_sum.
struct RateGoal {
    double loss_ratio = 0; ///< 0: NDR; 0.005: PDR
    double trial_seconds = 1;
    double duration_sum = 21; ///< seconds of trials that decide about a load
    double exceed_ratio = 0.5;
    double width = 0.005; ///< relative distance of the two bounds at which it ends
    double again =
        0.02; ///< so far outside of the bounds is tried at the end, since the machine may have changed
};

inline constexpr RateGoal ndr{.loss_ratio = 0};
inline constexpr RateGoal pdr{.loss_ratio = 0.005};

struct Trial {
    double load = 0; ///< frames a second that were offered
    double loss = 0; ///< share of them that was lost
    double seconds = 1;
};

enum class Load { undecided, lower, upper };

/// What trials at one load say: lower bound when the bad ones cannot reach the exceed ratio any more, upper
/// bound once they have passed it. Short trials count by their length.
Load classify(const std::vector<Trial>& trials, const RateGoal& goal);

struct RateBounds {
    double lower = 0; ///< the highest load that is carried
    std::optional<double>
        upper;             ///< the lowest that is not; none when the most that can be offered is carried
    double throughput = 0; ///< conditional: what got through at `lower` in the trial of its exceed quantile
    bool contradictory = false; ///< a carried load lies above one that is not, or what was carried at first
                                ///< was not at the end: too noisy
    std::size_t trials = 0;
};

/// One search for several goals between two loads, led by whoever runs the trials; they serve every goal.
class RateSearch {
  public:
    RateSearch(std::vector<RateGoal> goals, double least, double most);

    /// The load to try next; nothing: all goals have their bounds, or trials contradict each other.
    std::optional<double> next() const;
    /// What is being looked for then: its place among the goals.
    std::size_t goal() const noexcept { return results_.size(); }
    void add(const Trial& trial);

    /// Trials that it may take yet: an estimate, from how far the bounds are apart.
    std::size_t left() const;

    const std::vector<RateBounds>& results() const noexcept { return results_; } ///< of goals that are done
    const std::vector<Trial>& trials_at(double load) const { return all_.at(load); }

  private:
    void conclude();
    std::optional<double> to_be_tried(const RateBounds& found, const RateGoal& goal) const;
    std::vector<double> again(const RateBounds& found, const RateGoal& goal) const;

    std::vector<RateGoal> goals_;
    double least_;
    double most_;
    std::map<double, std::vector<Trial>> all_;
    std::vector<RateBounds> results_;
};

/// Searches to the end; `trial` offers a load for some seconds and says what was lost. Fails when a trial
/// does, or when `most_trials` do not end it.
Result<std::vector<RateBounds>>
search_rates(const std::vector<RateGoal>& goals, double least, double most,
             const std::function<Result<double>(double load, double seconds)>& trial,
             std::size_t most_trials = 2000);

} // namespace sluice::perf
