// SPDX-License-Identifier: BSD-3-Clause
// Where a series of figures over time changed for good.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::perf {

struct ChangePoint {
    std::size_t index = 0; ///< the first value of the new level
    double before = 0;     ///< mean of the level before
    double after = 0;
    double p = 1;
    bool pending = false; ///< fewer than five values stand behind it
};

struct ChangeRule {
    double weak = 0.01;      ///< p of a point that is looked behind
    double strict = 0.002;   ///< p of a point that stays
    double magnitude = 0.01; ///< least relative change
    std::size_t settled = 5; ///< values behind a point before it counts
};

/// E-divisive (Matteson and James 2014) with Welch's t test in place of permutations, as Hunter does (2023):
/// weak points first, then those that do not stand between their neighbours are taken away, weakest first.
std::vector<ChangePoint> change_points(std::span<const double> series, const ChangeRule& rule = {});

/// Every index where a series of exact counts is not what it was.
std::vector<std::size_t> exact_changes(std::span<const double> series);

/// The split that separates the values best, and how well: the energy statistic's largest value.
struct Split {
    std::size_t at = 0;
    double statistic = 0;
};
Split best_split(std::span<const double> values, std::size_t least = 2);

} // namespace sluice::perf
