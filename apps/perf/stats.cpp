// SPDX-License-Identifier: BSD-3-Clause
#include "stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace sluice::perf {

namespace {

double middle_of(std::vector<double>& values) {
    if (values.empty())
        return std::numeric_limits<double>::quiet_NaN();
    auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, half);
    if (values.size() % 2 == 1)
        return *half;
    return (*std::max_element(values.begin(), half) + *half) / 2;
}

double sorted_quantile(std::span<const double> sorted, double p) {
    if (sorted.empty())
        return std::numeric_limits<double>::quiet_NaN();
    double at = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
    auto below = static_cast<std::size_t>(at);
    auto above = std::min(below + 1, sorted.size() - 1);
    return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

// An index below `size`, the same with every standard library (uniform_int_distribution is not).
std::size_t draw(std::mt19937_64& engine, std::size_t size) {
    return static_cast<std::size_t>(((engine() >> 32) * size) >> 32);
}

// Skewness of the jackknife, a sixth of it: BCa's acceleration.
double acceleration_of(std::span<const double> values) {
    std::vector<double> without(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        std::vector<double> rest(values.begin(), values.end());
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
        without[i] = middle_of(rest);
    }
    double mean = std::accumulate(without.begin(), without.end(), 0.0) / static_cast<double>(without.size());
    double squares = 0, cubes = 0;
    for (double one : without) {
        double d = mean - one;
        squares += d * d;
        cubes += d * d * d;
    }
    return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

} // namespace

double median(std::span<const double> values) {
    std::vector<double> copy(values.begin(), values.end());
    return middle_of(copy);
}

double quantile(std::span<const double> values, double p) {
    std::vector<double> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    return sorted_quantile(sorted, p);
}

double hodges_lehmann(std::span<const double> values) {
    std::vector<double> means;
    means.reserve(values.size() * (values.size() + 1) / 2);
    for (std::size_t i = 0; i < values.size(); ++i)
        for (std::size_t j = i; j < values.size(); ++j)
            means.push_back((values[i] + values[j]) / 2);
    return middle_of(means);
}

std::uint32_t count_outliers(std::span<const double> values) {
    double low = quantile(values, 0.25), high = quantile(values, 0.75);
    double reach = 1.5 * (high - low);
    return static_cast<std::uint32_t>(
        std::ranges::count_if(values, [&](double one) { return one < low - reach || one > high + reach; }));
}

MedianBootstrap::MedianBootstrap(std::span<const double> values, std::uint64_t seed, std::uint32_t resamples)
    : estimate_(median(values)) {
    if (values.empty())
        return;
    std::mt19937_64 engine(seed);
    std::vector<double> sample(values.size());
    medians_.reserve(resamples);
    for (std::uint32_t i = 0; i < resamples; ++i) {
        for (double& one : sample)
            one = values[draw(engine, values.size())];
        medians_.push_back(middle_of(sample));
    }
    std::ranges::sort(medians_);
    auto below = std::ranges::lower_bound(medians_, estimate_) - medians_.begin();
    auto up_to = std::ranges::upper_bound(medians_, estimate_) - medians_.begin();
    // A resample whose median is the estimate itself counts half: medians of few values are often equal.
    double share = static_cast<double>(below + up_to) / (2 * static_cast<double>(medians_.size()));
    bias_ = normal_quantile(share);
    if (values.size() > 1)
        acceleration_ = acceleration_of(values);
}

double MedianBootstrap::adjusted(double p) const {
    double z = bias_ + normal_quantile(p);
    return normal_cdf(bias_ + z / (1 - acceleration_ * z));
}

Interval MedianBootstrap::interval(double coverage) const {
    if (medians_.empty())
        return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    double tail = (1 - coverage) / 2;
    return {sorted_quantile(medians_, adjusted(tail)), sorted_quantile(medians_, adjusted(1 - tail))};
}

double MedianBootstrap::p_of(double value) const {
    if (medians_.empty())
        return 1;
    auto size = static_cast<double>(medians_.size());
    auto below = std::ranges::lower_bound(medians_, value) - medians_.begin();
    auto up_to = std::ranges::upper_bound(medians_, value) - medians_.begin();
    double share = std::clamp(static_cast<double>(below + up_to) / (2 * size), 0.5 / size, 1 - 0.5 / size);
    // The inverse of adjusted(): the level whose end of the interval lies at `value`.
    double w = normal_quantile(share) - bias_;
    double p = normal_cdf(w / (1 + acceleration_ * w) - bias_);
    return std::clamp(2 * std::min(p, 1 - p), 1 / size, 1.0);
}

std::vector<double> holm(std::span<const double> p) {
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return p[i]; });
    std::vector<double> adjusted(p.size());
    double largest = 0;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        largest = std::max(largest, p[order[rank]] * static_cast<double>(p.size() - rank));
        adjusted[order[rank]] = std::min(largest, 1.0);
    }
    return adjusted;
}

} // namespace sluice::perf
