// SPDX-License-Identifier: BSD-3-Clause
// Everything that includes Boost, which takes long to compile.
#include <algorithm>
#include <cmath>
#include <limits>

#include <boost/histogram.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "histogram.hpp"
#include "stats.hpp"

namespace sluice::perf {

namespace {

struct Moments {
    double mean = 0;
    double variance = 0; // of the mean
};

Moments moments_of(std::span<const double> values) {
    Moments moments;
    auto n = static_cast<double>(values.size());
    for (double one : values)
        moments.mean += one / n;
    for (double one : values)
        moments.variance += (one - moments.mean) * (one - moments.mean) / (n - 1) / n;
    return moments;
}

} // namespace

// From the distribution: Boost 1.74's statistics/t_test.hpp has the test of one sample alone.
Welch welch(std::span<const double> a, std::span<const double> b) {
    Welch result;
    if (a.size() < 2 || b.size() < 2)
        return result;
    Moments x = moments_of(a), y = moments_of(b);
    double sum = x.variance + y.variance;
    if (sum <= 0) {
        result.p = x.mean == y.mean ? 1 : 0;
        return result;
    }
    result.t = (x.mean - y.mean) / std::sqrt(sum);
    result.degrees = sum * sum /
                     (x.variance * x.variance / static_cast<double>(a.size() - 1) +
                      y.variance * y.variance / static_cast<double>(b.size() - 1));
    boost::math::students_t_distribution<double> student(result.degrees);
    result.p = 2 * boost::math::cdf(boost::math::complement(student, std::abs(result.t)));
    return result;
}

double normal_cdf(double x) {
    if (std::isinf(x))
        return x > 0 ? 1 : 0;
    return boost::math::cdf(boost::math::normal_distribution<double>(), x);
}

double normal_quantile(double p) {
    if (p <= 0 || p >= 1)
        return p <= 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return boost::math::quantile(boost::math::normal_distribution<double>(), p);
}

std::vector<Bin> log_histogram(std::span<const double> values, unsigned bins_a_decade) {
    namespace bh = boost::histogram;
    auto positive = [](double one) { return one > 0; };
    double low = std::numeric_limits<double>::max(), high = 0;
    for (double one : values) {
        if (!positive(one))
            continue;
        low = std::min(low, one);
        high = std::max(high, one);
    }
    if (high <= 0)
        return {};
    double first = std::floor(std::log10(low)), last = std::floor(std::log10(high)) + 1;
    auto bins = static_cast<unsigned>(last - first) * bins_a_decade;
    auto histogram = bh::make_histogram(
        bh::axis::regular<double, bh::axis::transform::log>(bins, std::pow(10, first), std::pow(10, last)));
    for (double one : values)
        if (positive(one))
            histogram(one);
    std::vector<Bin> filled;
    for (auto&& cell : bh::indexed(histogram))
        if (*cell > 0)
            filled.push_back({cell.bin().lower(), cell.bin().upper(), static_cast<std::uint64_t>(*cell)});
    return filled;
}

} // namespace sluice::perf
