// SPDX-License-Identifier: BSD-3-Clause
// Expected values come from other implementations: SciPy 1.10.1 and R 4.2.2, both from Debian 12. The calls
// stand beside them.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "histogram.hpp"
#include "stats.hpp"

namespace {

using namespace sluice::perf;

const std::vector<double> d{0.012, -0.004, 0.021, 0.009, 0.017, 0.003, 0.026, 0.011, -0.010, 0.014,
                            0.008, 0.019,  0.005, 0.013, 0.070, 0.010, 0.002, 0.016, 0.007,  0.015};

/// Quantiles of an exponential distribution: skewed, and no two alike.
std::vector<double> exponential() {
    std::vector<double> values;
    for (int i = 0; i < 80; ++i)
        values.push_back(-0.004 * std::log(1 - (i + 0.5) / 80));
    return values;
}

// numpy.median(d), numpy.quantile(d, [0.25, 0.75])
TEST(Stats, medians_and_quantiles_are_numpys) {
    EXPECT_DOUBLE_EQ(median(d), 0.0115);
    EXPECT_DOUBLE_EQ(quantile(d, 0.25), 0.0065);
    EXPECT_DOUBLE_EQ(quantile(d, 0.75), 0.01625);
    EXPECT_DOUBLE_EQ(median(std::vector{3.0, 1.0, 2.0}), 2);
    EXPECT_TRUE(std::isnan(median({})));
}

// R: w <- outer(d, d, "+") / 2; median(w[upper.tri(w, diag = TRUE)])
TEST(Stats, hodges_lehmann_is_rs) {
    EXPECT_NEAR(hodges_lehmann(d), 0.0115, 1e-12);
    EXPECT_NEAR(hodges_lehmann(exponential()), 0.00335212496973071, 1e-9);
}

// scipy.stats.ttest_ind(a, b, equal_var=False)
TEST(Stats, welchs_test_is_scipys) {
    std::vector<double> a{27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1,
                          21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
    std::vector<double> b{27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0,
                          24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 27.0};
    Welch result = welch(a, b);
    EXPECT_NEAR(result.t, -2.9556414159033255, 1e-12);
    EXPECT_NEAR(result.p, 0.006267759730434546, 1e-12);
    result = welch(std::vector{1.0, 1.02, 0.99, 1.01}, std::vector{1.5, 1.4, 1.7, 1.6, 1.45, 1.52});
    EXPECT_NEAR(result.t, -11.767647517235025, 1e-10);
    EXPECT_NEAR(result.p, 5.9422388699374006e-05, 1e-14);
    result = welch(std::vector{3.0, 4.0, 1.0, 2.1}, std::vector{490.2, 340.0, 433.9});
    EXPECT_NEAR(result.p, 0.01075156114978449, 1e-12);
    EXPECT_EQ(welch(std::vector{1.0}, b).p, 1);
    EXPECT_EQ(welch(std::vector{1.0, 1.0}, std::vector{1.0, 1.0}).p, 1);
    EXPECT_EQ(welch(std::vector{1.0, 1.0}, std::vector{2.0, 2.0}).p, 0);
}

// scipy.stats.norm.cdf([-2.5, 0.3, 1.96]), scipy.stats.norm.ppf([0.001, 0.2, 0.975])
TEST(Stats, normal_distribution_is_scipys) {
    EXPECT_NEAR(normal_cdf(-2.5), 0.00620967, 1e-8);
    EXPECT_NEAR(normal_cdf(0.3), 0.61791142, 1e-8);
    EXPECT_NEAR(normal_quantile(0.001), -3.09023231, 1e-8);
    EXPECT_NEAR(normal_quantile(0.2), -0.84162123, 1e-8);
    EXPECT_TRUE(std::isinf(normal_quantile(0)));
}

// scipy.stats.bootstrap((x,), numpy.median, method='BCa', n_resamples=100000, random_state=1): other random
// numbers, so that the ends are alike, not equal. boot.ci(boot(x, function(x, i) median(x[i]), 9999), type =
// "bca") of R agrees.
TEST(Stats, bca_interval_is_scipys) {
    MedianBootstrap skewed(exponential(), 1, 20000);
    Interval interval = skewed.interval(0.95);
    EXPECT_DOUBLE_EQ(skewed.estimate(), 0.0027729012466563875);
    EXPECT_NEAR(interval.low, 0.002001851346921777, 5e-5);
    EXPECT_NEAR(interval.high, 0.0037281563553691766, 5e-5);
    interval = skewed.interval(0.99);
    EXPECT_NEAR(interval.low, 0.0018, 6e-5);
    EXPECT_NEAR(interval.high, 0.00406, 6e-5);
    MedianBootstrap small(d, 1, 20000);
    EXPECT_NEAR(small.interval(0.95).low, 0.0075, 0.00051);
    EXPECT_NEAR(small.interval(0.95).high, 0.0155, 0.00051);
}

TEST(Stats, p_is_the_level_at_which_the_interval_ends) {
    MedianBootstrap bootstrap(exponential(), 1, 20000);
    for (double coverage : {0.80, 0.95, 0.99}) {
        Interval interval = bootstrap.interval(coverage);
        EXPECT_NEAR(bootstrap.p_of(interval.low), 1 - coverage, 0.15 * (1 - coverage));
        EXPECT_NEAR(bootstrap.p_of(interval.high), 1 - coverage, 0.15 * (1 - coverage));
    }
    EXPECT_LE(bootstrap.p_of(1), 1e-4);
    EXPECT_GT(bootstrap.p_of(bootstrap.estimate()), 0.9);
}

TEST(Stats, values_that_are_all_alike_give_an_interval_of_one_point) {
    std::vector<double> same(12, 0.5);
    MedianBootstrap bootstrap(same);
    EXPECT_EQ(bootstrap.interval(0.95), (Interval{0.5, 0.5}));
    EXPECT_LT(bootstrap.p_of(0), 0.001);
}

// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
TEST(Stats, holms_adjustment_is_rs) {
    auto p = holm(std::vector{0.01, 0.04, 0.03, 0.005});
    std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_NEAR(p[i], expected[i], 1e-12);
    EXPECT_TRUE(holm({}).empty());
}

// R: length(boxplot.stats(d)$out) with type-7 quartiles
TEST(Stats, outliers_are_counted_by_tukeys_fences) {
    EXPECT_EQ(count_outliers(d), 2U);
    EXPECT_EQ(count_outliers(std::vector{1.0, 1.0, 1.0, 5.0}), 1U);
}

TEST(Stats, histogram_has_bins_of_equal_width_on_a_log_axis) {
    auto bins = log_histogram(std::vector{1.0, 1.1, 9.0, 50.0, 0.0, -3.0, 100.0}, 10);
    std::uint64_t total = 0;
    for (const auto& bin : bins) {
        EXPECT_NEAR(bin.high / bin.low, std::pow(10, 0.1), 1e-9);
        total += bin.count;
    }
    EXPECT_EQ(total, 5U);
    ASSERT_EQ(bins.size(), 4U);
    EXPECT_EQ(bins[0].count, 2U);
    EXPECT_TRUE(log_histogram({}).empty());
}

} // namespace
