// SPDX-License-Identifier: BSD-3-Clause
// What callgrind and the plugin write, and figures beside their budgets.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "budgets.hpp"
#include "counts.hpp"

namespace {

using namespace sluice::perf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* callgrind =
    "version: 1\n"
    "events: Ir Dr Dw I1mr\n"
    "summary: 130 40 20 1\n"
    "fl=(1) main.cpp\n"
    "fn=(1) unsigned short sluice::v1::e1000::RxQueue::burst<true>(void*, int)\n"
    "16 10 2 1\n"
    "+4 20\n"
    "cfn=(2) sluice::v1::(anonymous namespace)::refill(int)\n"
    "calls=3 10\n"
    "* 90 30 15\n"
    "fn=(2)\n"
    "10 100 38 19\n"
    "totals: 130 40 20 1\n";

TEST(Callgrind, gives_each_function_its_own_instructions) {
    const auto found = parse_callgrind(callgrind);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->instructions, 130);
    EXPECT_EQ(found->loads, 40);
    EXPECT_EQ(found->stores, 20);
    EXPECT_THAT(found->functions, ElementsAre(Function{"refill", 100},
                                              Function{"unsigned short e1000::RxQueue::burst<true>", 30}));
}

TEST(Callgrind, refuses_output_without_totals_or_without_loads) {
    EXPECT_FALSE(parse_callgrind(""));
    EXPECT_FALSE(parse_callgrind("events: Ir Dr Dw\nfn=(1) f\n1 2 3 4\n"));
    EXPECT_FALSE(parse_callgrind("events: Ir\ntotals: 130\n"));
}

constexpr const char* layout = "range mbuf0 1000 40 100 4\n"
                               "range mbuf1 1040 40 100 4\n"
                               "range pool 1000 400 0 1\n"
                               "range device 8000 1000 0 1\n"
                               "range stack 9000 1000 0 1\n";

double of(const Marked& marked, std::string_view kind) {
    for (const Function& each : marked.lines)
        if (each.name == kind)
            return each.value;
    return 0;
}

TEST(Marked, counts_lines_by_the_first_range_that_holds_them) {
    const auto found = parse_marked("region=1 times=10 instructions=500 watched=20 device_writes=0\n"
                                    "line 1100 touched=10 read=1 written=9 stores=40\n"
                                    "line 1140 touched=3 read=3 written=0 stores=0\n"
                                    "line 1180 touched=2 read=2 written=0 stores=0\n"
                                    "line 8800 touched=10 read=0 written=10 stores=11\n"
                                    "line 9100 touched=10 read=0 written=10 stores=11\n"
                                    "line 5000 touched=7 read=7 written=0 stores=0\n",
                                    layout);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->turns, 10);
    EXPECT_EQ(found->watched, 20);
    EXPECT_EQ(found->doorbells, 11);
    EXPECT_EQ(of(*found, "mbuf0"), 10);
    EXPECT_EQ(of(*found, "mbuf1"), 3);
    EXPECT_EQ(of(*found, "pool"), 2);
    EXPECT_EQ(of(*found, "own"), 7);
}

TEST(Marked, refuses_a_report_in_which_nothing_ran) {
    EXPECT_FALSE(parse_marked("", layout));
    EXPECT_FALSE(parse_marked("region=1 times=10 instructions=5\n", ""));
}

class BudgetFile : public testing::Test {
  protected:
    void SetUp() override {
        folder = std::filesystem::temp_directory_path() / ("budgets-" + std::to_string(::getpid()));
        std::filesystem::create_directory(folder);
        file = folder / "budgets.json";
        EXPECT_TRUE(take(budgets, "g++ 12", counted(70, 4), Take::all));
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    static std::vector<Count> counted(double instructions, double lines) {
        return {{"virtio/fwd", "instructions", instructions, {{"send", instructions - 30}, {"receive", 30}}},
                {"virtio/fwd", "lines", lines, {}}};
    }
    static std::vector<Verdict> verdicts(const std::vector<Comparison>& comparisons) {
        std::vector<Verdict> found;
        for (const Comparison& each : comparisons)
            found.push_back(each.verdict);
        return found;
    }

    std::filesystem::path folder, file;
    Budgets budgets;
};

TEST_F(BudgetFile, is_the_same_after_it_was_written_and_read) {
    ASSERT_TRUE(save_budgets(file, budgets));
    const auto loaded = load_budgets(file);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->built_by, "g++ 12");
    EXPECT_THAT(verdicts(check(*loaded, "g++ 12", counted(70, 4))),
                ElementsAre(Verdict::same, Verdict::same));
}

TEST_F(BudgetFile, fails_a_figure_above_and_names_the_function) {
    const auto found = check(budgets, "g++ 12", counted(71, 4.5));
    EXPECT_THAT(verdicts(found), ElementsAre(Verdict::regressed, Verdict::regressed));
    EXPECT_THAT(found[0].moved, ElementsAre(Function{"send", 1}));
    EXPECT_THAT(found[0].reason, HasSubstr("1 a packet above its budget of 70"));
    EXPECT_EQ(exit_code_of(found), exit_no);
}

TEST_F(BudgetFile, fails_the_smallest_difference_that_is_counted) {
    EXPECT_THAT(verdicts(check(budgets, "g++ 12", counted(70.000244, 4))),
                ElementsAre(Verdict::regressed, Verdict::same));
}

TEST_F(BudgetFile, asks_to_be_tightened_when_a_figure_is_below) {
    const auto found = check(budgets, "g++ 12", counted(69, 4));
    EXPECT_THAT(verdicts(found), ElementsAre(Verdict::improved, Verdict::same));
    EXPECT_THAT(found[0].reason, HasSubstr("tighten"));
    EXPECT_TRUE(take(budgets, "g++ 12", counted(69, 5), Take::lower));
    EXPECT_EQ(budgets.scenarios["virtio/fwd"].metrics["instructions"], 69);
    EXPECT_EQ(budgets.scenarios["virtio/fwd"].metrics["lines"], 4) << "it was raised";
}

TEST_F(BudgetFile, judges_nothing_of_another_compiler_and_nothing_without_a_budget) {
    EXPECT_THAT(verdicts(check(budgets, "clang 19", counted(90, 4))),
                ElementsAre(Verdict::not_comparable, Verdict::not_comparable));
    const auto found = check(budgets, "g++ 12", {{"igb/fwd", "instructions", 1, {}}});
    EXPECT_THAT(verdicts(found), ElementsAre(Verdict::not_comparable));
    EXPECT_EQ(exit_code_of(found), exit_usage);
}

TEST_F(BudgetFile, is_replaced_by_another_compilers_only_when_all_is_taken) {
    const auto refused = take(budgets, "clang 19", counted(60, 3), Take::lower);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("--accept"));
    EXPECT_EQ(budgets.scenarios["virtio/fwd"].metrics["instructions"], 70);
    EXPECT_TRUE(take(budgets, "clang 19", counted(90, 3), Take::all));
    EXPECT_EQ(budgets.scenarios["virtio/fwd"].metrics["instructions"], 90);
}

TEST_F(BudgetFile, says_what_is_wrong_with_it) {
    EXPECT_THAT(load_budgets(file).error().message(), HasSubstr("budgets.json"));
    for (const char* text :
         {"", "[]", "{\"format\": 2}", "{\"format\": 1, \"built_by\": \"x\"}",
          "{\"format\": 1, \"built_by\": \"x\", \"scenarios\": {\"a\": {\"lines\": \"b\"}}}"}) {
        std::ofstream(file) << text;
        EXPECT_FALSE(load_budgets(file)) << text;
    }
}

} // namespace
