// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "change_points.hpp"

namespace {

using namespace sluice::perf;

double uniform(std::mt19937_64& engine) {
    return static_cast<double>(engine() >> 11) * 0x1p-53;
}

double gaussian(std::mt19937_64& engine) {
    double sum = -6;
    for (int i = 0; i < 12; ++i)
        sum += uniform(engine);
    return sum;
}

constexpr std::size_t length = 60;

/// 60 values of sigma 1%, with a step at `at` and a share of values that lie 15% high.
std::vector<double> series(std::uint64_t seed, double step, double outliers, std::size_t at = 30) {
    std::mt19937_64 engine(seed);
    std::vector<double> values;
    for (std::size_t i = 0; i < length; ++i) {
        double level = i < at ? 1 : 1 + step;
        double high = uniform(engine) < outliers ? 1.15 : 1;
        values.push_back(level * high * (1 + 0.01 * gaussian(engine)));
    }
    return values;
}

struct Score {
    double found = 0;
    double false_alarms = 0;
};

Score score(double step, double outliers) {
    constexpr int trials = 200;
    Score total;
    for (int i = 0; i < trials; ++i) {
        bool found = false;
        int others = 0;
        for (const auto& point : change_points(series(static_cast<std::uint64_t>(i + 1), step, outliers))) {
            bool near = step != 0 && point.index >= 27 && point.index <= 33;
            others += !near || found;
            found |= near;
        }
        total.found += found;
        total.false_alarms += others;
    }
    return {total.found / trials, total.false_alarms / trials};
}

// Energy statistic by its definition, every pair anew, in Python 3.11:
//   def q(v, t): a, b = v[:t], v[t:]; m, k = len(a), len(b)
//     return m*k/(m+k) * (2*mean(|x-y| over a, b) - mean(|x-y| over pairs of a) - mean(|x-y| over pairs of
//     b))
TEST(ChangePoints, split_where_the_energy_statistic_is_largest) {
    Split split =
        best_split(std::vector{10.1, 9.9, 10.0, 10.3, 9.8, 10.2, 10.0, 12.1, 11.8, 12.0, 12.3, 11.9});
    EXPECT_EQ(split.at, 7U);
    EXPECT_NEAR(split.statistic, 10.222222222222225, 1e-9);
    split = best_split(std::vector{3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0, 3.5, 8.0, 9.7});
    EXPECT_EQ(split.at, 8U);
    EXPECT_NEAR(split.statistic, 9.691428571428574, 1e-9);
}

TEST(ChangePoints, find_steps_among_outliers_and_raise_few_alarms) {
    for (double outliers : {0.0, 0.05}) {
        Score none = score(0, outliers), two = score(0.02, outliers), four = score(0.04, outliers),
              eight = score(0.08, outliers);
        std::printf("outliers %.0f%%: false alarms a series %.3f; found 2%% %.0f%%, 4%% %.0f%%, 8%% %.0f%%\n",
                    100 * outliers, none.false_alarms, 100 * two.found, 100 * four.found, 100 * eight.found);
        EXPECT_LT(none.false_alarms, 0.1);
        EXPECT_LT(four.false_alarms, 0.1);
        EXPECT_GE(four.found, 0.85);
        EXPECT_GE(eight.found, 0.995);
    }
}

TEST(ChangePoints, find_two_steps_and_their_sizes) {
    auto values = series(5, 0.06, 0, 20);
    for (std::size_t i = 40; i < length; ++i)
        values[i] *= 1.05;
    auto points = change_points(values);
    ASSERT_EQ(points.size(), 2U);
    EXPECT_EQ(points[0].index, 20U);
    EXPECT_NEAR(points[0].after / points[0].before, 1.06, 0.01);
    EXPECT_EQ(points[1].index, 40U);
    EXPECT_FALSE(points[1].pending);
}

TEST(ChangePoints, are_pending_until_five_values_stand_behind_them) {
    auto values = series(6, 0.08, 0, 56);
    auto points = change_points(values);
    ASSERT_EQ(points.size(), 1U);
    EXPECT_EQ(points[0].index, 56U);
    EXPECT_TRUE(points[0].pending);
    values.push_back(values.back() * 1.001);
    points = change_points(values);
    ASSERT_EQ(points.size(), 1U);
    EXPECT_FALSE(points[0].pending);
}

TEST(ChangePoints, are_none_below_the_least_magnitude) {
    std::vector<double> values(60, 1.0);
    for (std::size_t i = 0; i < 60; ++i)
        values[i] = (i < 30 ? 1 : 1.008) + 0.0001 * static_cast<double>(i % 7);
    EXPECT_TRUE(change_points(values).empty());
    EXPECT_EQ(change_points(values, {.magnitude = 0.005}).size(), 1U);
}

TEST(ChangePoints, of_short_and_of_constant_series_are_none) {
    EXPECT_TRUE(change_points({}).empty());
    EXPECT_TRUE(change_points(std::vector{1.0, 2.0, 3.0}).empty());
    EXPECT_TRUE(change_points(std::vector<double>(50, 3.0)).empty());
}

TEST(ChangePoints, of_exact_counts_are_where_they_change) {
    EXPECT_EQ(exact_changes(std::vector{45.9, 45.9, 46.9, 46.9, 45.9}), (std::vector<std::size_t>{2, 4}));
    EXPECT_TRUE(exact_changes({}).empty());
}

} // namespace
