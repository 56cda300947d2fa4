// SPDX-License-Identifier: BSD-3-Clause
// From the rounds of an interleaved run to a verdict.
#pragma once

#include <cstdint>
#include <vector>

#include "results.hpp"
#include "stats.hpp"

namespace sluice::perf {

/// One figure of each round, in the order of the rounds: the medians of the processes that ran A, A again,
/// and B.
struct Rounds {
    std::vector<double> a;
    std::vector<double> control;
    std::vector<double> b;
};

struct Rule {
    double margin = 0.02; ///< the smallest rise of cost that matters
    double level = 0.05;  ///< of the interval that decides, over all looks
    unsigned looks = 1;   ///< how often the run is judged in all (Bonferroni)
    std::uint64_t seed = MedianBootstrap::default_seed;
    std::uint32_t resamples = MedianBootstrap::default_resamples;
};

/// Fewer rounds are never decided.
inline constexpr std::uint32_t fewest_rounds = 10;
/// Rounds are added in batches of this many.
inline constexpr std::uint32_t batch_rounds = 10;

/// Judges paired log-ratios log B - log A with a BCa interval of their median:
/// regressed: the interval is above 1 and the ratio at least 1 + margin; improved: the mirror image;
/// same: the upper end is below 1 + margin, and not improved; too noisy: all else, or A' differs from A at
/// 99%. Figures that are not positive, or arms of unequal length, are could-not-run.
Comparison judge(const Rounds& rounds, const Rule& rule);

/// The verdict, and its reason, of a comparison that has all the rest: ratio, interval, control, margin,
/// rounds.
void decide(Comparison& result);

/// Takes back "regressed" and "improved" of those that do not stand once all of them are judged together
/// (Holm).
void judge_together(std::vector<Comparison>& comparisons, double level = 0.05);

} // namespace sluice::perf
