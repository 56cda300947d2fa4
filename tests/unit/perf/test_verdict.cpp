// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "verdict.hpp"

namespace {

using namespace sluice::perf;

double gaussian(std::mt19937_64& engine) {
    // The sum of twelve: the same with every standard library.
    double sum = -6;
    for (int i = 0; i < 12; ++i)
        sum += static_cast<double>(engine() >> 11) * 0x1p-53;
    return sum;
}

/// Rounds of a machine that drifts by 3% and jitters by `noise`; B costs `cost` times A, A' `control` times.
Rounds rounds_of(std::size_t count, double cost, double noise, std::uint64_t seed = 1, double control = 1) {
    std::mt19937_64 engine(seed);
    Rounds rounds;
    for (std::size_t i = 0; i < count; ++i) {
        double level = 20 * (1 + 0.03 * std::sin(static_cast<double>(i) / 7));
        rounds.a.push_back(level * std::exp(noise * gaussian(engine)));
        rounds.control.push_back(control * level * std::exp(noise * gaussian(engine)));
        rounds.b.push_back(cost * level * std::exp(noise * gaussian(engine)));
    }
    return rounds;
}

TEST(Verdict, is_regressed_when_the_interval_is_above_one_and_the_rise_matters) {
    Comparison result = judge(rounds_of(40, 1.07, 0.02), {});
    EXPECT_EQ(result.verdict, Verdict::regressed) << result.reason;
    EXPECT_NEAR(result.ratio, 1.07, 0.015);
    EXPECT_NEAR(result.hodges_lehmann, 1.07, 0.015);
    EXPECT_GT(result.interval->low, 1);
    EXPECT_LT(result.p, 0.001);
    EXPECT_EQ(exit_code_of(result.verdict), exit_no);
    EXPECT_NE(result.reason.find('%'), std::string::npos);
}

TEST(Verdict, is_improved_when_the_mirror_image_holds) {
    Comparison result = judge(rounds_of(40, 0.93, 0.02), {});
    EXPECT_EQ(result.verdict, Verdict::improved) << result.reason;
    EXPECT_EQ(exit_code_of(result.verdict), exit_done);
}

TEST(Verdict, is_same_when_no_rise_that_matters_is_possible) {
    Comparison result = judge(rounds_of(60, 1.0, 0.01), {});
    EXPECT_EQ(result.verdict, Verdict::same) << result.reason;
    EXPECT_TRUE(result.control->contains(1));
}

TEST(Verdict, is_same_when_a_rise_is_certain_but_does_not_matter) {
    Comparison result = judge(rounds_of(100, 1.006, 0.004), {});
    EXPECT_GT(result.interval->low, 1);
    EXPECT_EQ(result.verdict, Verdict::same) << result.reason;
}

TEST(Verdict, is_too_noisy_and_says_how_many_rounds_would_decide) {
    Comparison result = judge(rounds_of(20, 1.0, 0.08, 3), {});
    ASSERT_EQ(result.verdict, Verdict::too_noisy);
    double half = (std::log(result.interval->high) - std::log(result.interval->low)) / 2;
    EXPECT_NEAR(result.more_rounds, 20 * std::pow(half / std::log(1.02), 2) - 20, 1);
    EXPECT_EQ(exit_code_of(result.verdict), exit_noisy);
}

TEST(Verdict, rounds_that_would_decide_do_decide) {
    Comparison first = judge(rounds_of(20, 1.0, 0.08, 3), {});
    Comparison second = judge(rounds_of(2 * (20 + first.more_rounds), 1.0, 0.08, 3), {});
    EXPECT_EQ(second.verdict, Verdict::same) << second.reason;
}

TEST(Verdict, is_too_noisy_when_the_control_differs_from_itself) {
    Comparison result = judge(rounds_of(50, 1.10, 0.01, 1, 1.04), {});
    EXPECT_EQ(result.verdict, Verdict::too_noisy);
    EXPECT_NE(result.reason.find("A differs from itself"), std::string::npos) << result.reason;
}

TEST(Verdict, is_too_noisy_when_there_are_too_few_rounds) {
    EXPECT_EQ(judge(rounds_of(9, 1.5, 0.001), {}).verdict, Verdict::too_noisy);
    EXPECT_EQ(judge(rounds_of(10, 1.5, 0.001), {}).verdict, Verdict::regressed);
}

TEST(Verdict, is_could_not_run_without_usable_figures) {
    EXPECT_EQ(judge({}, {}).verdict, Verdict::could_not_run);
    Rounds uneven = rounds_of(20, 1, 0.01);
    uneven.b.pop_back();
    EXPECT_EQ(judge(uneven, {}).verdict, Verdict::could_not_run);
    Rounds zero = rounds_of(20, 1, 0.01);
    zero.control[3] = 0;
    EXPECT_EQ(judge(zero, {}).verdict, Verdict::could_not_run);
    EXPECT_EQ(exit_code_of(Verdict::could_not_run), exit_usage);
    EXPECT_EQ(exit_code_of(Verdict::not_comparable), exit_usage);
}

TEST(Verdict, keeps_outliers_and_counts_them) {
    Rounds rounds = rounds_of(40, 1.0, 0.005);
    rounds.b[5] *= 3;
    rounds.b[25] *= 2;
    Comparison result = judge(rounds, {});
    EXPECT_GE(result.outliers, 2U);
    EXPECT_EQ(result.rounds, 40U);
    EXPECT_EQ(result.verdict, Verdict::same) << result.reason;
}

TEST(Verdict, takes_a_wider_interval_for_more_looks) {
    Rounds rounds = rounds_of(40, 1.03, 0.03);
    Comparison once = judge(rounds, {}), often = judge(rounds, {.looks = 10});
    EXPECT_GT(often.interval->high - often.interval->low, once.interval->high - once.interval->low);
    EXPECT_GE(often.p, once.p);
}

TEST(Verdict, is_the_same_twice) {
    Rounds rounds = rounds_of(30, 1.02, 0.03);
    Comparison x = judge(rounds, {}), y = judge(rounds, {});
    EXPECT_EQ(x.interval, y.interval);
    EXPECT_EQ(x.p, y.p);
    EXPECT_NE(judge(rounds, {.seed = 7}).interval, x.interval);
}

TEST(Verdict, falsely_regresses_in_at_most_one_of_twenty_and_finds_seven_percent) {
    int red = 0, found = 0;
    constexpr int trials = 20;
    for (int i = 0; i < trials; ++i) {
        auto seed = static_cast<std::uint64_t>(100 + i);
        red += judge(rounds_of(40, 1.0, 0.04, seed), {.looks = 3, .resamples = 999}).verdict ==
               Verdict::regressed;
        found += judge(rounds_of(100, 1.07, 0.04, seed), {.looks = 3, .resamples = 999}).verdict ==
                 Verdict::regressed;
    }
    std::printf("A/A red in %d of %d, +7%% found in %d\n", red, trials, found);
    EXPECT_LE(red, trials / 20);
    EXPECT_GE(found, trials * 9 / 10);
}

TEST(Verdict, of_many_scenarios_together_needs_more) {
    std::vector<Comparison> all(10);
    for (auto& one : all) {
        one.interval = Interval{0.99, 1.01};
        one.margin = 0.02;
        one.rounds = 20;
    }
    all[0].verdict = Verdict::regressed;
    all[0].interval = Interval{1.002, 1.08};
    all[0].p = 0.03;
    all[1].verdict = Verdict::regressed;
    all[1].interval = Interval{1.05, 1.08};
    all[1].p = 0.0001;
    judge_together(all);
    EXPECT_EQ(all[0].verdict, Verdict::too_noisy);
    EXPECT_NE(all[0].reason.find("one of 10"), std::string::npos) << all[0].reason;
    EXPECT_GT(all[0].more_rounds, 0U);
    EXPECT_EQ(all[1].verdict, Verdict::regressed);
}

TEST(Results, exit_with_what_stops_a_change_first) {
    auto of = [](std::initializer_list<Verdict> verdicts) {
        std::vector<Comparison> all;
        for (Verdict one : verdicts)
            all.emplace_back().verdict = one;
        return all;
    };
    EXPECT_EQ(exit_code_of(of({Verdict::same, Verdict::improved})), exit_done);
    EXPECT_EQ(exit_code_of(of({Verdict::same, Verdict::too_noisy})), exit_noisy);
    EXPECT_EQ(exit_code_of(of({Verdict::same, Verdict::too_noisy}), true), exit_done);
    EXPECT_EQ(exit_code_of(of({Verdict::regressed, Verdict::too_noisy})), exit_no);
    EXPECT_EQ(exit_code_of(of({Verdict::regressed, Verdict::could_not_run})), exit_usage);
    EXPECT_EQ(exit_code_of(of({Verdict::not_comparable})), exit_usage);
    EXPECT_EQ(exit_code_of(of({})), exit_done);
}

TEST(Results, come_worst_first) {
    std::vector<Comparison> all(6);
    Verdict verdicts[] = {Verdict::same,      Verdict::regressed,     Verdict::improved,
                          Verdict::too_noisy, Verdict::could_not_run, Verdict::regressed};
    for (std::size_t i = 0; i < 6; ++i)
        all[i].verdict = verdicts[i];
    all[1].ratio = 1.03;
    all[5].ratio = 1.2;
    sort_worst_first(all);
    EXPECT_EQ(all[0].verdict, Verdict::could_not_run);
    EXPECT_EQ(all[1].ratio, 1.2);
    EXPECT_EQ(all[2].ratio, 1.03);
    EXPECT_EQ(all[3].verdict, Verdict::too_noisy);
    EXPECT_EQ(all[5].verdict, Verdict::improved);
}

TEST(Results, verdicts_keep_their_names) {
    for (Verdict one : {Verdict::improved, Verdict::same, Verdict::too_noisy, Verdict::regressed,
                        Verdict::not_comparable, Verdict::could_not_run})
        EXPECT_EQ(verdict_named(name_of(one)), one);
    EXPECT_EQ(name_of(Verdict::too_noisy), "too-noisy");
    EXPECT_EQ(verdict_named("fine"), std::nullopt);
}

} // namespace
