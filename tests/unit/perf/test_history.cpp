// SPDX-License-Identifier: BSD-3-Clause
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history.hpp"
#include "history_schema.hpp"

namespace {

using namespace sluice::perf;
namespace fs = std::filesystem;

class HistoryFile : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / ("sluice-perf-" + std::to_string(::getpid()));
        fs::create_directories(folder_);
        path_ = folder_ / "perf.db";
    }
    void TearDown() override { fs::remove_all(folder_); }

    void sql(const char* text) {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(database, text, nullptr, nullptr, nullptr), SQLITE_OK)
            << sqlite3_errmsg(database);
        sqlite3_close(database);
    }

    std::string bytes() {
        std::ifstream file(path_, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }

    std::string refusal() {
        auto history = History::open(path_, true);
        return history ? "" : history.error().message();
    }

    fs::path folder_, path_;
};

Run a_run(const std::string& commit = "c0ffee") {
    return {.started = "2026-03-31T12:00:00Z",
            .kind = "compare",
            .command = "sluice-perf compare a b",
            .environment = {.commit = commit,
                            .parent = "decade",
                            .dirty = true,
                            .toolchain = "g++",
                            .dpdk = "22.11",
                            .kernel = "Linux 6.1",
                            .cpu = "x86",
                            .governor = "none",
                            .load_before = 0.5}};
}

std::vector<Samples> a_round(std::uint32_t round) {
    std::vector<Samples> all;
    for (const char* arm : {"A", "A'", "B"})
        all.push_back({.scenario = "virtio/fwd",
                       .metric = "time",
                       .unit = "ns/packet",
                       .arm = arm,
                       .round = round,
                       .values = {10.5, 11.25, 10.75}});
    return all;
}

TEST_F(HistoryFile, gives_back_what_was_put_in) {
    {
        auto history = History::open(path_, true);
        ASSERT_TRUE(history) << history.error().message();
        auto run = history->begin(a_run());
        ASSERT_TRUE(run);
        ASSERT_TRUE(history->append(*run, a_round(0)));
        ASSERT_TRUE(history->append(*run, a_round(1)));
        ASSERT_TRUE(history->append(
            *run, std::vector<Count>{{"virtio/fwd", "instructions", 73.2, {{"rx", 40}, {"tx", 33.2}}}}));
        Comparison one{.scenario = "virtio/fwd",
                       .metric = "time",
                       .unit = "ns/packet",
                       .ratio = 1.07,
                       .interval = Interval{1.05, 1.09},
                       .control = {},
                       .verdict = Verdict::regressed,
                       .reason = "+7%",
                       .moved = {},
                       .command = {}};
        ASSERT_TRUE(history->append(*run, std::vector<Comparison>{one}));
        ASSERT_TRUE(history->finish(*run, 0.75));
    }
    auto history = History::open(path_, false);
    ASSERT_TRUE(history);
    auto runs = history->runs();
    ASSERT_EQ(runs->size(), 1U);
    EXPECT_EQ(runs->front().environment.commit, "c0ffee");
    EXPECT_TRUE(runs->front().environment.dirty);
    EXPECT_EQ(runs->front().environment.load_after, 0.75);
    EXPECT_TRUE(runs->front().finished);
    auto samples = history->samples(1);
    ASSERT_EQ(samples->size(), 6U);
    EXPECT_EQ(samples->at(4).arm, "A'");
    EXPECT_EQ(samples->at(4).round, 1U);
    EXPECT_EQ(samples->at(4).values, (std::vector{10.5, 11.25, 10.75}));
    auto counts = history->counts(1);
    ASSERT_EQ(counts->size(), 1U);
    EXPECT_EQ(counts->front().value, 73.2);
    ASSERT_EQ(counts->front().functions.size(), 2U);
    auto comparisons = history->comparisons(1);
    ASSERT_EQ(comparisons->size(), 1U);
    EXPECT_EQ(comparisons->front().verdict, Verdict::regressed);
    EXPECT_EQ(comparisons->front().interval, (Interval{1.05, 1.09}));
    auto series = history->series();
    ASSERT_EQ(series->size(), 2U);
    EXPECT_TRUE(series->at(0).exact);
    EXPECT_EQ(series->at(1).points[0].value, 1.07);
}

TEST_F(HistoryFile, that_is_missing_is_not_made_by_reading) {
    auto history = History::open(path_, false);
    ASSERT_FALSE(history);
    EXPECT_NE(history.error().message().find("does not exist"), std::string::npos);
    EXPECT_FALSE(fs::exists(path_));
}

TEST_F(HistoryFile, that_is_empty_becomes_a_history) {
    std::ofstream(path_).close();
    auto history = History::open(path_, false);
    ASSERT_TRUE(history) << history.error().message();
    EXPECT_TRUE(history->runs()->empty());
    EXPECT_TRUE(history->series()->empty());
}

TEST_F(HistoryFile, that_is_damaged_is_left_as_it_is) {
    {
        auto history = History::open(path_, true);
        auto run = history->begin(a_run());
        for (std::uint32_t round = 0; round < 100; ++round)
            ASSERT_TRUE(history->append(*run, a_round(round)));
    }
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(6000, '\x5a');
    file.close();
    auto before = bytes();
    EXPECT_NE(refusal().find("is damaged"), std::string::npos) << refusal();
    EXPECT_EQ(bytes(), before);
}

TEST_F(HistoryFile, that_is_no_database_is_left_as_it_is) {
    std::ofstream(path_) << std::string(5000, 'x');
    auto before = bytes();
    EXPECT_NE(refusal().find("no SQLite file"), std::string::npos) << refusal();
    EXPECT_EQ(bytes(), before);
}

TEST_F(HistoryFile, of_another_program_is_left_as_it_is) {
    sql("CREATE TABLE bookmark (url TEXT)");
    auto before = bytes();
    EXPECT_NE(refusal().find("another program's"), std::string::npos) << refusal();
    EXPECT_EQ(bytes(), before);
}

TEST_F(HistoryFile, of_a_newer_format_is_left_as_it_is) {
    ASSERT_TRUE(History::open(path_, true));
    sql("PRAGMA user_version = 3; CREATE TABLE later (x)");
    auto before = bytes();
    EXPECT_NE(refusal().find("newer sluice-perf"), std::string::npos) << refusal();
    EXPECT_NE(refusal().find("format 3"), std::string::npos) << refusal();
    EXPECT_EQ(bytes(), before);
}

TEST_F(HistoryFile, of_an_older_format_is_brought_to_this_one_with_all_it_holds) {
    sql(history_format_1);
    sql("PRAGMA application_id = 1936486502; PRAGMA user_version = 1;"
        "INSERT INTO run VALUES (1, '2025-01-01T00:00:00Z', 'record', 'abc', 'abb', 0, 'g++', '22.11', "
        "'Linux', 'cpu', 'none', 0.1);"
        "INSERT INTO scenario VALUES (1, 'virtio/rx'); INSERT INTO metric VALUES (1, 'time', 'ns/packet');"
        "INSERT INTO sample VALUES (1, 1, 1, 4.5), (1, 1, 1, 4.25)");
    {
        auto history = History::open(path_, false);
        ASSERT_TRUE(history) << history.error().message();
        auto runs = history->runs();
        ASSERT_EQ(runs->size(), 1U);
        EXPECT_TRUE(runs->front().finished);
        EXPECT_EQ(runs->front().environment.parent, "abb");
        EXPECT_EQ(history->samples(1)->front().values, (std::vector{4.5, 4.25}));
        auto run = history->begin(a_run());
        ASSERT_TRUE(run);
        EXPECT_EQ(*run, 2);
        EXPECT_TRUE(history->append(*run, a_round(0)));
    }
    EXPECT_EQ(History::open(path_, false)->runs()->size(), 2U);
}

TEST_F(HistoryFile, that_is_locked_says_so_and_loses_nothing) {
    auto history = History::open(path_, true);
    auto run = history->begin(a_run());
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_NE(refusal().find("is locked"), std::string::npos);
    auto kept = history->append(*run, a_round(0));
    ASSERT_FALSE(kept);
    EXPECT_NE(kept.error().message().find("is locked"), std::string::npos);
    sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(other);
    EXPECT_TRUE(history->append(*run, a_round(0)));
    EXPECT_EQ(history->samples(*run)->size(), 3U);
}

TEST_F(HistoryFile, keeps_every_round_that_was_told_whenever_the_program_is_killed) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    pid_t child = ::fork();
    if (child == 0) {
        auto history = History::open(path_, true);
        auto run = history ? history->begin(a_run()) : sluice::Result<std::int64_t>(0);
        for (std::uint32_t round = 0; run; ++round) {
            if (!history->append(*run, a_round(round)) ||
                ::write(told[1], &round, sizeof round) != sizeof round)
                ::_exit(1);
        }
        ::_exit(1);
    }
    ::close(told[1]);
    std::uint32_t last = 0, round = 0;
    while (last < 40 && ::read(told[0], &round, sizeof round) == sizeof round)
        last = round;
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    while (::read(told[0], &round, sizeof round) == sizeof round)
        last = round;
    ::close(told[0]);
    auto history = History::open(path_, false);
    ASSERT_TRUE(history) << history.error().message();
    EXPECT_FALSE(history->runs()->front().finished);
    auto samples = history->samples(1);
    ASSERT_TRUE(samples);
    EXPECT_EQ(samples->size() % 3, 0U);
    EXPECT_GE(samples->size() / 3, last + 1);
    EXPECT_LE(samples->size() / 3, last + 2);
}

} // namespace
