// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "rounds.hpp"

namespace {

using namespace sluice::perf;
using namespace std::chrono_literals;

/// A machine on which a process takes a fixed time, and whose arms cost what the test says.
struct Machine {
    double now = 0;
    double process = 0.1;
    std::array<double, 3> costs{10, 10, 10};
    double jitter = 0.002;
    std::uint32_t failing_round = UINT32_MAX;
    std::vector<unsigned> arms;
    std::vector<Progress> progress;
    std::vector<std::vector<Samples>> kept;

    Surroundings surroundings() {
        return {.measure = [this](unsigned arm, std::uint32_t round) -> sluice::Result<Samples> {
                    now += process;
                    arms.push_back(arm);
                    if (round == failing_round)
                        return sluice::fail(0, "the measured program failed", "no memory");
                    double wobble = 1 + jitter * static_cast<double>((arms.size() * 7919) % 13 - 6);
                    return Samples{.scenario = "s",
                                   .metric = "time",
                                   .unit = "ns/packet",
                                   .arm = {},
                                   .values = std::vector<double>(9, costs[arm] * wobble)};
                },
                .now = [this] { return std::chrono::duration<double>(now); },
                .progress = [this](const Progress& one) { progress.push_back(one); },
                .kept = [this](const std::vector<Samples>& samples) -> sluice::Result<> {
                    kept.push_back(samples);
                    return {};
                }};
    }
};

TEST(Rounds, put_each_arm_in_each_place_and_behind_each_other_equally_often) {
    std::map<std::pair<std::size_t, unsigned>, int> places;
    std::map<std::pair<unsigned, unsigned>, int> successions;
    for (std::uint32_t round = 0; round < 6; ++round) {
        auto order = order_of(round);
        EXPECT_EQ(std::set<unsigned>(order.begin(), order.end()).size(), 3U);
        for (std::size_t i = 0; i < 3; ++i)
            ++places[{i, order[i]}];
        for (std::size_t i = 0; i < 2; ++i)
            ++successions[{order[i], order[i + 1]}];
    }
    EXPECT_EQ(places.size(), 9U);
    for (const auto& [place, count] : places)
        EXPECT_EQ(count, 2);
    EXPECT_EQ(successions.size(), 6U);
    for (const auto& [pair, count] : successions)
        EXPECT_EQ(count, 2);
}

TEST(Rounds, are_judged_at_doublings_and_at_the_end) {
    EXPECT_EQ(looks_of(0), (std::vector<std::uint32_t>{10}));
    EXPECT_EQ(looks_of(1), (std::vector<std::uint32_t>{10}));
    EXPECT_EQ(looks_of(2), (std::vector<std::uint32_t>{20}));
    EXPECT_EQ(looks_of(10), (std::vector<std::uint32_t>{20, 40, 100}));
    EXPECT_EQ(looks_of(20), (std::vector<std::uint32_t>{20, 40, 80, 200}));
}

TEST(Rounds, stop_once_they_decide) {
    Machine machine;
    machine.costs[2] = 11;
    Comparison result = run_rounds({.budget = 60s, .rule = {}}, machine.surroundings());
    EXPECT_EQ(result.verdict, Verdict::regressed) << result.reason;
    EXPECT_EQ(result.rounds, 20U);
    EXPECT_EQ(machine.arms.size(), 60U);
    EXPECT_EQ(result.unit, "ns/packet");
    EXPECT_NEAR(result.ratio, 1.1, 0.01);
}

TEST(Rounds, stop_when_time_is_up_and_say_how_many_more_would_decide) {
    Machine machine;
    machine.jitter = 0.05;
    Comparison result = run_rounds({.budget = 12500ms, .rule = {}}, machine.surroundings());
    EXPECT_EQ(result.verdict, Verdict::too_noisy);
    EXPECT_EQ(result.rounds, 40U);
    EXPECT_GE(result.more_rounds, 10U);
    EXPECT_LE(machine.now, 12.5);
}

TEST(Rounds, stop_soon_when_the_machine_turns_slow) {
    Machine machine;
    machine.jitter = 0.05;
    auto surroundings = machine.surroundings();
    surroundings.progress = [&](const Progress& one) {
        if (one.round == 20)
            machine.process = 1;
    };
    Comparison result = run_rounds({.budget = 60s, .rule = {}}, surroundings);
    EXPECT_EQ(result.verdict, Verdict::too_noisy);
    EXPECT_LE(machine.now, 1.5 * 60 + 31);
}

TEST(Rounds, tell_the_time_left) {
    Machine machine;
    machine.jitter = 0.05;
    run_rounds({.budget = 12500ms, .rule = {}}, machine.surroundings());
    ASSERT_EQ(machine.progress.size(), 40U);
    EXPECT_EQ(machine.progress[9].most_rounds, 40U);
    EXPECT_NEAR(machine.progress[9].left.count(), 9, 0.01);
    EXPECT_NEAR(machine.progress.back().left.count(), 0, 0.01);
}

TEST(Rounds, hand_on_the_samples_of_each_round) {
    Machine machine;
    machine.costs[2] = 12;
    run_rounds({.budget = 60s, .rule = {}}, machine.surroundings());
    ASSERT_EQ(machine.kept.size(), 20U);
    for (std::uint32_t round = 0; round < 20; ++round) {
        ASSERT_EQ(machine.kept[round].size(), 3U);
        std::set<std::string> arms;
        for (const auto& one : machine.kept[round]) {
            EXPECT_EQ(one.round, round);
            EXPECT_EQ(one.values.size(), 9U);
            arms.insert(one.arm);
        }
        EXPECT_EQ(arms, (std::set<std::string>{"A", "A'", "B"}));
    }
}

TEST(Rounds, that_cannot_be_measured_say_why) {
    Machine machine;
    machine.failing_round = 3;
    Comparison result = run_rounds({.budget = 60s, .rule = {}}, machine.surroundings());
    EXPECT_EQ(result.verdict, Verdict::could_not_run);
    EXPECT_NE(result.reason.find("no memory"), std::string::npos) << result.reason;
    EXPECT_EQ(machine.kept.size(), 3U);
}

} // namespace
