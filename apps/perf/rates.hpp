// SPDX-License-Identifier: BSD-3-Clause
// The rates that a driver carries without loss and with little, and how long frames take at parts of them
// (`--full`): trials of a process each, several arms in turns.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>

#include "rate_search.hpp"
#include "results.hpp"
#include "subject.hpp"

namespace sluice::perf {

struct NamedGoal {
    const char* name;
    RateGoal goal;
};
inline constexpr std::array<NamedGoal, 2> rate_goals{{{"ndr", ndr}, {"pdr", pdr}}};

/// Latency is measured at these parts of PDR, in hundredths.
inline constexpr std::array<unsigned, 3> latency_loads{10, 50, 90};
inline constexpr std::uint32_t latency_trials = 5;

/// No search takes more of an arm: the machine is too noisy then.
inline constexpr std::size_t most_rate_trials = 600;

/// What measuring needs of the world.
struct RateSurroundings {
    std::function<Result<TrialAnswer>(unsigned arm, double load, double seconds, bool latency)> trial;
    /// Before each trial; `left`: about how many there will be, this one too.
    std::function<void(std::string_view what, std::size_t left)> progress;
    /// What a trial offered and lost, once it is over.
    std::function<Result<>(const std::vector<Samples>&)> kept;
};

/// What one goal's search found, and why that is no figure.
struct FoundRate {
    RateBounds bounds;
    double late =
        0; ///< share of what was lost at the upper bound that the wire was late with: the limit is its own
    std::string trouble; ///< one line; empty when the bounds stand
};

/// Searches of each arm, a trial of each in turns, in rotated order; up to twice what the best arm
/// carried when it was offered more than it could. For each arm what stands in rate_goals. Fails when a trial
/// does.
Result<std::vector<std::vector<FoundRate>>> find_rates(unsigned arms, const RateSurroundings& surroundings,
                                                       std::size_t most_trials = most_rate_trials);

/// The bounds of a rate and the wire's part, as they are kept: "ndr", frames/s, lower and upper; "ndr-late".
std::vector<Samples> rate_samples(const FoundRate& found, const std::string& scenario, const char* goal);

/// By the rules of times. Cost is time a frame; the interval's ends are those of the bounds. Too noisy: a
/// search found no bounds, A' has others than A, or they leave the margin open.
Comparison judge_rates(const FoundRate& a, const FoundRate& control, const FoundRate& b, double margin);

} // namespace sluice::perf
