// SPDX-License-Identifier: BSD-3-Clause
#include "change_points.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stats.hpp"

namespace sluice::perf {

namespace {

constexpr std::size_t shortest = 3;

double mean_of(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void find_weak(std::span<const double> series, std::size_t first, std::size_t last, double weak,
               std::vector<std::size_t>& points) {
    if (last - first < 2 * shortest)
        return;
    auto part = series.subspan(first, last - first);
    Split split = best_split(part, shortest);
    if (split.at == 0 || welch(part.first(split.at), part.subspan(split.at)).p > weak)
        return;
    find_weak(series, first, first + split.at, weak, points);
    points.push_back(first + split.at);
    find_weak(series, first + split.at, last, weak, points);
}

ChangePoint between(std::span<const double> series, const std::vector<std::size_t>& points, std::size_t i,
                    std::size_t settled) {
    std::size_t first = i == 0 ? 0 : points[i - 1];
    std::size_t last = i + 1 == points.size() ? series.size() : points[i + 1];
    auto left = series.subspan(first, points[i] - first), right = series.subspan(points[i], last - points[i]);
    ChangePoint point;
    point.index = points[i];
    point.before = mean_of(left);
    point.after = mean_of(right);
    point.p = welch(left, right).p;
    point.pending = series.size() - points[i] < settled;
    return point;
}

bool stands(const ChangePoint& point, const ChangeRule& rule) {
    return point.p < rule.strict && std::abs(point.after / point.before - 1) >= rule.magnitude;
}

} // namespace

Split best_split(std::span<const double> values, std::size_t least) {
    std::size_t n = values.size();
    Split best;
    if (n < 2 * least || least == 0)
        return best;
    // Sums of distances: inside the left part, inside the right part, and across. One value at a time crosses
    // over.
    double left = 0, across = 0, right = 0;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j)
            right += std::abs(values[i] - values[j]);
    for (std::size_t at = 1; at + least <= n; ++at) {
        double to_left = 0, to_right = 0;
        for (std::size_t i = 0; i + 1 < at; ++i)
            to_left += std::abs(values[i] - values[at - 1]);
        for (std::size_t i = at; i < n; ++i)
            to_right += std::abs(values[i] - values[at - 1]);
        left += to_left;
        right -= to_right;
        across += to_right - to_left;
        if (at < least)
            continue;
        auto m = static_cast<double>(at), k = static_cast<double>(n - at);
        double energy = 2 * across / (m * k);
        if (m > 1)
            energy -= 2 * left / (m * (m - 1));
        if (k > 1)
            energy -= 2 * right / (k * (k - 1));
        double statistic = m * k / (m + k) * energy;
        if (statistic > best.statistic)
            best = {at, statistic};
    }
    return best;
}

std::vector<ChangePoint> change_points(std::span<const double> series, const ChangeRule& rule) {
    std::vector<std::size_t> points;
    find_weak(series, 0, series.size(), rule.weak, points);
    while (true) {
        std::vector<ChangePoint> found;
        for (std::size_t i = 0; i < points.size(); ++i)
            found.push_back(between(series, points, i, rule.settled));
        auto weakest = found.end();
        for (auto one = found.begin(); one != found.end(); ++one)
            if (!stands(*one, rule) && (weakest == found.end() || one->p > weakest->p))
                weakest = one;
        if (weakest == found.end())
            return found;
        points.erase(points.begin() + (weakest - found.begin()));
    }
}

std::vector<std::size_t> exact_changes(std::span<const double> series) {
    std::vector<std::size_t> changes;
    for (std::size_t i = 1; i < series.size(); ++i)
        if (series[i] != series[i - 1])
            changes.push_back(i);
    return changes;
}

} // namespace sluice::perf
