// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cerrno>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rates.hpp"

namespace {

using namespace sluice::perf;
using testing::HasSubstr;

/// Devices that carry so many frames a second, whatever stands in their way.
struct Bench {
    std::array<double, 3> carries{4e6, 4e6, 4e6};
    bool wire_is_late = false;
    std::function<double(unsigned arm, double load)> loss;
    std::vector<unsigned> arms;
    std::vector<Samples> kept;
    std::vector<std::size_t> left;

    RateSurroundings surroundings() {
        return {
            .trial = [this](unsigned arm, double load, double seconds, bool) -> sluice::Result<TrialAnswer> {
                arms.push_back(arm);
                TrialAnswer answer{.offered = static_cast<std::uint64_t>(load * seconds), .latency = {}};
                const double lost = loss ? loss(arm, load) : std::max(0.0, 1 - carries[arm] / load);
                answer.returned = answer.offered - static_cast<std::uint64_t>(lost * load * seconds);
                (wire_is_late ? answer.late : answer.full) = answer.offered - answer.returned;
                return answer;
            },
            .progress = [this](std::string_view, std::size_t some) { left.push_back(some); },
            .kept = [this](const std::vector<Samples>& samples) -> sluice::Result<> {
                kept.insert(kept.end(), samples.begin(), samples.end());
                return {};
            }};
    }
};

TEST(Rates, are_found_for_both_goals_and_every_trial_is_kept) {
    Bench bench;
    const auto found = find_rates(1, bench.surroundings());
    ASSERT_TRUE(found) << found.error().message();
    const FoundRate &none = found->at(0).at(0), &some = found->at(0).at(1);
    EXPECT_EQ(none.trouble + some.trouble, "");
    EXPECT_NEAR(none.bounds.lower, 4e6, 0.006 * 4e6);
    EXPECT_NEAR(some.bounds.lower, 4e6 / 0.995, 0.006 * 4e6);
    EXPECT_EQ(none.late, 0);
    ASSERT_EQ(bench.kept.size(), 2 * bench.arms.size());
    EXPECT_EQ(bench.kept[0].metric, "offered");
    EXPECT_EQ(bench.kept[1].metric, "lost");
    EXPECT_EQ(bench.kept[1].values, (std::vector{1 - 4e6 / 1e8}));
    EXPECT_EQ(bench.kept.back().round + 1, bench.arms.size());
}

TEST(Rates, tell_how_many_trials_are_left) {
    Bench bench;
    ASSERT_TRUE(find_rates(1, bench.surroundings()));
    ASSERT_GE(bench.left.size(), 20U);
    const auto all = static_cast<double>(bench.left.size());
    EXPECT_GE(static_cast<double>(bench.left.front()), all / 3);
    EXPECT_LE(static_cast<double>(bench.left.front()), all * 3);
    EXPECT_LE(bench.left.back(), 30U);
    EXPECT_GE(bench.left.back(), 1U);
}

TEST(Rates, say_that_the_limit_is_the_wires_own) {
    Bench bench;
    bench.wire_is_late = true;
    const auto found = find_rates(1, bench.surroundings());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at(0).at(0).late, 1);
    const auto samples = rate_samples(found->at(0).at(0), "s", "ndr");
    const auto rates = rates_of(samples);
    ASSERT_EQ(rates.size(), 1U);
    EXPECT_EQ(rates[0].lower, found->at(0).at(0).bounds.lower);
    EXPECT_EQ(rates[0].upper, *found->at(0).at(0).bounds.upper);
    EXPECT_EQ(rates[0].late, 1);
}

TEST(Rates, of_several_arms_come_of_trials_in_turns) {
    Bench bench;
    bench.carries = {4e6, 4e6, 3.6e6};
    const auto found = find_rates(3, bench.surroundings());
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->at(2).at(0).bounds.lower, 3.6e6, 0.006 * 3.6e6);
    std::array<int, 3> ahead{};
    for (std::size_t i = 0; i + 3 <= 99; i += 3)
        ++ahead[bench.arms[9 + i]];
    for (const int count : ahead)
        EXPECT_EQ(count, 11) << "each arm is the first of a round equally often";
}

TEST(Rates, that_disagree_are_too_noisy) {
    Bench bench;
    bench.loss = [trial = 0](unsigned, double load) mutable {
        ++trial;
        if (load > 5e6)
            return 1 - 5e6 / load;
        return trial < 60 ? 0.0 : 0.5; // from then on it carries nothing any more
    };
    const auto found = find_rates(1, bench.surroundings());
    ASSERT_TRUE(found);
    EXPECT_THAT(found->at(0).at(0).trouble, HasSubstr("disagree"));
    EXPECT_THAT(found->at(0).at(1).trouble, HasSubstr("disagree"));
}

TEST(Rates, that_are_none_say_why) {
    Bench bench;
    bench.loss = [](unsigned, double load) { return load > 5e6 ? 1 - 5e6 / load : 0.01; };
    auto found = find_rates(1, bench.surroundings());
    ASSERT_TRUE(found);
    EXPECT_THAT(found->at(0).at(0).trouble, HasSubstr("no load was carried"));

    bench.loss = [](unsigned, double load) { return load > 9e7 ? 0.95 : 0; };
    found = find_rates(1, bench.surroundings());
    ASSERT_TRUE(found);
    EXPECT_THAT(found->at(0).at(0).trouble, HasSubstr("more than flat out"));

    bench.loss = [](unsigned, double) { return 1.0; };
    const auto nothing = find_rates(1, bench.surroundings());
    ASSERT_FALSE(nothing);
    EXPECT_THAT(nothing.error().message(), HasSubstr("no frames come back"));
}

TEST(Rates, whose_search_does_not_end_are_too_noisy) {
    Bench bench;
    const auto found = find_rates(1, bench.surroundings(), 50);
    ASSERT_TRUE(found);
    EXPECT_EQ(bench.arms.size(), 53U);
    EXPECT_EQ(found->at(0).at(0).trouble, "the search did not end with 50 trials");
    EXPECT_EQ(found->at(0).at(1).trouble, "the search did not end with 50 trials");
}

TEST(Rates, fail_when_a_trial_does) {
    Bench bench;
    auto surroundings = bench.surroundings();
    surroundings.trial = [](unsigned, double, double, bool) -> sluice::Result<TrialAnswer> {
        return sluice::fail(EIO, "gone");
    };
    EXPECT_FALSE(find_rates(1, surroundings));
    surroundings = bench.surroundings();
    surroundings.kept = [](const std::vector<Samples>&) -> sluice::Result<> {
        return sluice::fail(ENOSPC, "full");
    };
    EXPECT_FALSE(find_rates(1, surroundings));
}

FoundRate rate(double lower) {
    return {.bounds = {.lower = lower, .upper = lower * 1.005, .throughput = lower, .trials = 100},
            .trouble = {}};
}

TEST(Rates, are_judged_as_times_are) {
    constexpr double margin = 0.02;
    const auto verdict = [](double a, double control, double b) {
        return judge_rates(rate(a), rate(control), rate(b), margin).verdict;
    };
    EXPECT_EQ(verdict(4e6, 4e6, 4e6), Verdict::same);
    EXPECT_EQ(verdict(4e6, 4.01e6, 3.8e6), Verdict::regressed);
    EXPECT_EQ(verdict(4e6, 4e6, 4.3e6), Verdict::improved);
    EXPECT_EQ(verdict(4e6, 4e6, 3.93e6), Verdict::too_noisy) << "the margin is inside";
    EXPECT_EQ(verdict(4e6, 4.1e6, 4e6), Verdict::too_noisy) << "A differs from itself";
    const auto worse = judge_rates(rate(4e6), rate(4e6), rate(3.8e6), margin);
    EXPECT_NEAR(worse.ratio, 4 / 3.8, 1e-9);
    EXPECT_EQ(worse.a, 4e6);
    EXPECT_EQ(worse.b, 3.8e6);
    ASSERT_TRUE(worse.interval);
    EXPECT_NEAR(worse.interval->high, 4 / 3.8 * 1.005, 1e-9);
}

TEST(Rates, without_bounds_are_too_noisy_beside_any) {
    FoundRate none;
    none.trouble = "trials disagree";
    for (int arm = 0; arm < 3; ++arm) {
        std::array<FoundRate, 3> arms{rate(4e6), rate(4e6), rate(4e6)};
        arms[static_cast<std::size_t>(arm)] = none;
        const auto result = judge_rates(arms[0], arms[1], arms[2], 0.02);
        EXPECT_EQ(result.verdict, Verdict::too_noisy);
        EXPECT_EQ(result.reason, "trials disagree");
        EXPECT_EQ(exit_code_of(result.verdict), exit_noisy);
    }
}

TEST(Rates, of_single_trials_are_not_shown_and_rounds_are_one) {
    const std::vector<Samples> samples{
        {.scenario = "s", .metric = "offered", .unit = "frames/s", .arm = {}, .values = {1}},
        {.scenario = "s", .metric = "lost", .unit = "share", .arm = {}, .values = {0}},
        {.scenario = "s", .metric = "latency-pdr-10", .unit = "ns", .arm = {}, .round = 0, .values = {1, 2}},
        {.scenario = "t", .metric = "latency-pdr-10", .unit = "ns", .arm = {}, .round = 0, .values = {9}},
        {.scenario = "s", .metric = "latency-pdr-10", .unit = "ns", .arm = {}, .round = 1, .values = {3}}};
    const auto shown = merged(samples);
    ASSERT_EQ(shown.size(), 2U);
    EXPECT_EQ(shown[0].values, (std::vector<double>{1, 2, 3}));
    EXPECT_TRUE(rates_of(samples).empty());
}

} // namespace
