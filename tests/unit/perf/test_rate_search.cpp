// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>

#include <gtest/gtest.h>

#include "rate_search.hpp"

namespace {

using namespace sluice::perf;

std::vector<Trial> trials(int good, int bad) {
    std::vector<Trial> all(static_cast<std::size_t>(good), {.load = 100, .loss = 0});
    all.insert(all.end(), static_cast<std::size_t>(bad), {.load = 100, .loss = 0.1});
    return all;
}

// 21 s and a half: 10.5 s of bad trials are allowed, so eleven of one kind decide, whatever comes after.
TEST(RateSearch, load_is_decided_by_eleven_of_21_trials) {
    EXPECT_EQ(classify({}, ndr), Load::undecided);
    EXPECT_EQ(classify(trials(10, 10), ndr), Load::undecided);
    EXPECT_EQ(classify(trials(11, 0), ndr), Load::lower);
    EXPECT_EQ(classify(trials(11, 10), ndr), Load::lower);
    EXPECT_EQ(classify(trials(0, 11), ndr), Load::upper);
    EXPECT_EQ(classify(trials(10, 11), ndr), Load::upper);
}

TEST(RateSearch, loss_up_to_the_goals_is_good) {
    std::vector<Trial> lossy(11, {.load = 100, .loss = 0.005});
    EXPECT_EQ(classify(lossy, ndr), Load::upper);
    EXPECT_EQ(classify(lossy, pdr), Load::lower);
}

TEST(RateSearch, finds_what_a_device_carries_for_both_goals) {
    std::size_t calls = 0;
    auto device = [&](double load, double) -> sluice::Result<double> {
        ++calls;
        return std::max(0.0, 1 - 7.3e6 / load);
    };
    auto found = search_rates({ndr, pdr}, 1e5, 14.88e6, device);
    ASSERT_TRUE(found);
    const auto& none = found->at(0);
    EXPECT_LE(none.lower, 7.3e6);
    EXPECT_GE(*none.upper, 7.3e6);
    EXPECT_LE((*none.upper - none.lower) / *none.upper, 0.005);
    EXPECT_DOUBLE_EQ(none.throughput, none.lower);
    EXPECT_NEAR(found->at(1).lower, 7.3e6 / 0.995, 0.006 * 7.3e6);
    EXPECT_GE(found->at(1).lower, none.lower);
    EXPECT_LE(calls, 250U);
}

TEST(RateSearch, ends_at_the_most_that_can_be_offered) {
    auto found = search_rates({ndr}, 1e5, 1e6, [](double, double) -> sluice::Result<double> { return 0.0; });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->front().lower, 1e6);
    EXPECT_FALSE(found->front().upper);
    EXPECT_EQ(found->front().trials, 11U);
}

TEST(RateSearch, of_a_device_that_carries_nothing_has_no_lower_bound) {
    auto found = search_rates({ndr}, 1e5, 1e6, [](double, double) -> sluice::Result<double> { return 1.0; });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->front().lower, 0);
    EXPECT_EQ(found->front().upper, 1e5);
}

TEST(RateSearch, outlives_trials_that_lose_now_and_then) {
    int turn = 0;
    auto found = search_rates({ndr}, 1e5, 1e7, [&](double load, double) -> sluice::Result<double> {
        return ++turn % 5 == 0 ? 0.01 : std::max(0.0, 1 - 4e6 / load);
    });
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->front().lower, 4e6, 0.006 * 4e6);
}

TEST(RateSearch, steps_down_faster_where_loss_comes_of_more_than_the_load) {
    int calls = 0;
    auto found = search_rates({ndr}, 1e4, 15e6, [&](double load, double) -> sluice::Result<double> {
        ++calls;
        return load < 1e6    ? 0
               : load < 11e6 ? 0.001
                             : 1 - 11e6 / load; // a machine that stands still now and then
    });
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->front().lower, 1e6, 0.006 * 1e6);
    EXPECT_LE(calls, 250);
}

TEST(RateSearch, sees_trials_that_contradict_each_other) {
    // Carries more when more is offered: the load found first lies above one that is not carried.
    auto found = search_rates({{.loss_ratio = 0.3}, {.loss_ratio = 0}}, 1e5, 8e6,
                              [](double load, double) -> sluice::Result<double> {
                                  if (load >= 8e6)
                                      return 0.5;
                                  return load > 3e6 ? (load > 5e6 ? 0.0 : 0.2) : 0.1;
                              });
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->at(1).contradictory);
}

TEST(RateSearch, tries_what_is_near_its_bounds_again) {
    int turn = 0;
    const auto drifting = [&](int until, double before, double after) {
        turn = 0;
        return search_rates({ndr}, 1e5, 1e7, [&, until](double load, double) -> sluice::Result<double> {
            return std::max(0.0, 1 - (++turn < until ? before : after) / load);
        });
    };
    auto found = drifting(1000, 4e6, 4e6);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->front().contradictory);
    const int all = turn;
    for (const double after : {3.8e6, 4.2e6}) { // it changes when the bounds are there
        found = drifting(all - 25, 4e6, after);
        ASSERT_TRUE(found);
        EXPECT_TRUE(found->front().contradictory) << after;
    }
}

TEST(RateSearch, fails_when_a_trial_does_or_none_decides) {
    EXPECT_FALSE(search_rates(
        {ndr}, 1, 10, [](double, double) -> sluice::Result<double> { return sluice::fail(EIO, "gone"); }));
    EXPECT_FALSE(search_rates(
        {ndr}, 1, 10, [](double load, double) -> sluice::Result<double> { return load > 5; }, 30));
}

} // namespace
