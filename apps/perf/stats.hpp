// SPDX-License-Identifier: BSD-3-Clause
// Estimates and tests, pure functions of their samples. None keeps or changes its input; all are
// deterministic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "results.hpp"

namespace sluice::perf {

/// The middle value, the mean of the two in the middle for an even count. NaN for no values.
double median(std::span<const double> values);

/// The quantile at `p` of 0 to 1 by linear interpolation between order statistics (type 7 of Hyndman and Fan
/// 1996).
double quantile(std::span<const double> values, double p);

/// The median of the means of all pairs, a value with itself too: the one-sample Hodges-Lehmann estimate.
double hodges_lehmann(std::span<const double> values);

/// Values outside the quartiles by more than 1.5 times their distance (Tukey's fences). They are counted,
/// never dropped.
std::uint32_t count_outliers(std::span<const double> values);

struct Welch {
    double t = 0;
    double degrees = 0;
    double p = 1; ///< two-sided
};

/// Welch's t test of the difference of two means. p is 1 where a side has fewer than two values, or where
/// neither varies and the means are equal; 0 where neither varies and they differ.
Welch welch(std::span<const double> a, std::span<const double> b);

double normal_cdf(double x);
double normal_quantile(double p); ///< p inside 0 to 1; infinite at its ends

/// The bootstrap distribution of the median of some values, made once, asked for intervals at several levels.
class MedianBootstrap {
  public:
    static constexpr std::uint64_t default_seed = 20210917;
    static constexpr std::uint32_t default_resamples = 9999;

    explicit MedianBootstrap(std::span<const double> values, std::uint64_t seed = default_seed,
                             std::uint32_t resamples = default_resamples);

    double estimate() const noexcept { return estimate_; }

    /// The bias-corrected and accelerated interval (Efron 1987) of this coverage.
    Interval interval(double coverage) const;

    /// One less the coverage of the widest such interval that excludes `value`: 1/resamples at least.
    double p_of(double value) const;

  private:
    double adjusted(double p) const;

    std::vector<double> medians_; // sorted
    double estimate_;
    double bias_ = 0;
    double acceleration_ = 0;
};

/// Holm's step-down adjustment (1979): p values in the order given, to be held against one level.
std::vector<double> holm(std::span<const double> p);

} // namespace sluice::perf
