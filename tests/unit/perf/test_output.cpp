// SPDX-License-Identifier: BSD-3-Clause
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "changed.hpp"
#include "commands.hpp"
#include "json.hpp"
#include "output.hpp"
#include "wildcard.hpp"

namespace {

using namespace sluice::perf;
using testing::HasSubstr;
using testing::Not;

Document a_document() {
    Document document;
    document.command = "sluice-perf compare a b";
    document.environment = {.commit = "0123456789abcdef",
                            .parent = "fedc",
                            .dirty = true,
                            .toolchain = "g++ 12",
                            .dpdk = "22.11.11",
                            .kernel = "Linux 6.1",
                            .cpu = "a <cpu>",
                            .governor = "none",
                            .load_before = 0.5,
                            .load_after = 1};
    document.comparisons = {
        {.scenario = "virtio/fwd",
         .metric = "time",
         .unit = "ns/packet",
         .a = 10,
         .b = 10.7,
         .ratio = 1.07,
         .interval = Interval{1.05, 1.09},
         .control = Interval{0.99, 1.01},
         .hodges_lehmann = 1.071,
         .margin = 0.02,
         .p = 0.0001,
         .rounds = 40,
         .outliers = 2,
         .seed = 7,
         .verdict = Verdict::regressed,
         .reason = "+7.00%, \"more\" <than> & fine",
         .moved = {},
         .command = "again | now"},
        {.scenario = "virtio/rx",
         .metric = "instructions",
         .unit = "",
         .a = 30,
         .b = 31,
         .ratio = 31.0 / 30,
         .interval = {},
         .control = {},
         .verdict = Verdict::regressed,
         .reason = "+1.0000 a packet",
         .moved = {{"virtio::rx_burst", 1}},
         .command = {}},
        {.scenario = "e1000/fwd",
         .metric = "time",
         .unit = "ns/packet",
         .ratio = 1.0,
         .interval = Interval{0.9, 1.1},
         .control = Interval{0.9, 1.1},
         .rounds = 20,
         .more_rounds = 300,
         .verdict = Verdict::too_noisy,
         .reason = "wide",
         .moved = {},
         .command = {}},
        {.scenario = "igb/fwd",
         .metric = "time",
         .unit = {},
         .interval = {},
         .control = {},
         .verdict = Verdict::could_not_run,
         .reason = "no hugepages",
         .moved = {},
         .command = {}},
        {.scenario = "vmxnet3/fwd",
         .metric = "time",
         .unit = {},
         .interval = Interval{0.99, 1.0},
         .control = {},
         .verdict = Verdict::same,
         .reason = {},
         .moved = {},
         .command = {}},
    };
    document.counts = {{"virtio/rx", "loads", 12.5, {{"f", 12.5}}}};
    document.samples = {{.scenario = "virtio/fwd",
                         .metric = "time",
                         .unit = "ns/packet",
                         .arm = "A",
                         .round = 3,
                         .values = {10, 11, 12}}};
    return document;
}

TEST(Json, comes_back_as_it_went) {
    Document document = a_document();
    auto back = read_results(json_text(document), "test");
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(json_text(*back), json_text(document));
    EXPECT_EQ(back->comparisons[0].interval, document.comparisons[0].interval);
    EXPECT_EQ(back->comparisons[1].moved, document.comparisons[1].moved);
    EXPECT_EQ(back->environment.commit, document.environment.commit);
}

TEST(Json, keeps_a_ratio_to_zero_and_takes_no_other_types) {
    Comparison one;
    one.scenario = "a";
    one.verdict = Verdict::regressed;
    one.ratio = std::numeric_limits<double>::infinity();
    const auto back = comparison_from(comparison_text(one));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->ratio, one.ratio);
    EXPECT_FALSE(comparison_from(R"({"verdict": "same", "ratio": "1"})"));
    EXPECT_FALSE(comparison_from(R"({"verdict": "same", "rounds": null})"));
}

TEST(Json, is_one_object_with_program_format_and_results) {
    auto json = nlohmann::json::parse(json_text(a_document()));
    EXPECT_EQ(json["program"], "sluice-perf");
    EXPECT_EQ(json["format"], 1);
    EXPECT_EQ(json["results"].size(), 7U);
    EXPECT_EQ(json["results"][0]["verdict"], "regressed");
}

TEST(Json, of_another_kind_is_refused_in_one_line) {
    for (const char* text :
         {"", "{", "[]", "{}", R"({"program":"sluice-perf","format":2,"results":[]})",
          R"({"program":"sluice-perf","format":1,"results":[{"scenario":5}]})", R"({"benchmarks":[5]})"}) {
        auto result = read_results(text, "file.json");
        ASSERT_FALSE(result) << text;
        EXPECT_THAT(result.error().message(), HasSubstr("file.json"));
    }
}

// As `benchmark --benchmark_repetitions=2 --benchmark_format=json` of Debian's libbenchmark 1.7.1 prints it,
// shortened.
constexpr const char* google =
    R"({"context": {"date": "2026-01-01T00:00:00+00:00", "num_cpus": 2}, "benchmarks": [
{"name": "BM_Rx/64", "family_index": 0, "run_name": "BM_Rx/64", "run_type": "iteration", "repetitions": 2,
 "repetition_index": 0, "threads": 1, "iterations": 1000, "real_time": 12.5, "cpu_time": 12.4, "time_unit": "ns"},
{"name": "BM_Rx/64", "run_name": "BM_Rx/64", "run_type": "iteration", "repetition_index": 1, "threads": 1,
 "iterations": 1000, "real_time": 13.5, "cpu_time": 13.4, "time_unit": "ns"},
{"name": "BM_Rx/64_mean", "run_name": "BM_Rx/64", "run_type": "aggregate", "aggregate_name": "mean", "real_time": 13.0,
 "cpu_time": 12.9, "time_unit": "ns"}]})";

TEST(Json, of_google_benchmark_is_read_and_written) {
    auto document = read_results(google, "google.json");
    ASSERT_TRUE(document);
    ASSERT_EQ(document->samples.size(), 1U);
    EXPECT_EQ(document->samples[0].scenario, "BM_Rx/64");
    EXPECT_EQ(document->samples[0].values, (std::vector{12.5, 13.5}));
    auto again = read_results(benchmark_text(*document), "again.json");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->samples[0].values, document->samples[0].values);
    auto json = nlohmann::json::parse(benchmark_text(*document));
    EXPECT_EQ(json["benchmarks"][2]["aggregate_name"], "median");
    EXPECT_EQ(json["benchmarks"][2]["real_time"], 13.0);
}

TEST(Output, junit_has_failures_errors_and_skipped) {
    auto text = junit_text(a_document());
    EXPECT_THAT(text, HasSubstr(R"(tests="5" failures="2" errors="1" skipped="1")"));
    EXPECT_THAT(text, HasSubstr("&quot;more&quot; &lt;than&gt; &amp; fine"));
    EXPECT_THAT(text, HasSubstr("<skipped message=\"wide; 300 more rounds would decide\"/>"));
    EXPECT_THAT(text, HasSubstr("<error message=\"no hugepages\"/>"));
    EXPECT_THAT(text, HasSubstr("name=\"time\"></testcase>"));
}

TEST(Output, table_has_verdict_interval_reason_and_functions) {
    auto text = table_text(a_document().comparisons);
    EXPECT_THAT(text, HasSubstr("+5.00% to +9.00%"));
    EXPECT_THAT(text, HasSubstr("300 more rounds would decide, after 20"));
    EXPECT_THAT(text, HasSubstr("+1.000  virtio::rx_burst"));
    EXPECT_THAT(text, HasSubstr("no hugepages"));
    EXPECT_EQ(summary_text(a_document().comparisons, exit_usage),
              "1 could-not-run, 2 regressed, 1 too-noisy, 1 same; exit 2\n");
}

TEST(Output, markdown_is_one_row_a_result) {
    auto text = markdown_text(a_document());
    EXPECT_THAT(text,
                HasSubstr("| `virtio/fwd` | time | **regressed** | 10 | 10.7 | 1.0700 | 1.0500 to 1.0900 |"));
    EXPECT_THAT(text, HasSubstr("sluice-perf compare a b"));
}

Document with_rates() {
    Document document;
    document.samples = {
        {.scenario = "v", .metric = "lost", .unit = "share", .arm = {}, .values = {0.1}},
        {.scenario = "v", .metric = "ndr", .unit = "frames/s", .arm = {}, .values = {4e6, 4.02e6}},
        {.scenario = "v", .metric = "ndr-late", .unit = "share", .arm = {}, .values = {0.75}},
        {.scenario = "v", .metric = "latency-pdr-50", .unit = "ns", .arm = {}, .values = {}}};
    for (int i = 0; i <= 1000; ++i)
        document.samples.back().values.push_back(i);
    return document;
}

TEST(Output, has_rates_with_their_bounds_and_percentiles) {
    const Document document = with_rates();
    const auto text = samples_text(document.samples);
    EXPECT_THAT(text, testing::ContainsRegex("v +ndr +4000000 +4020000 +75%"));
    EXPECT_THAT(text, testing::ContainsRegex("v +latency-pdr-50 +ns +1001 +500 +900 +990 +999 +1000"));
    EXPECT_THAT(text, Not(HasSubstr("lost ")));
    const auto markdown = markdown_text(document);
    EXPECT_THAT(markdown, HasSubstr("| v | ndr | 4000000 | 4020000 | 75% |"));
    EXPECT_THAT(markdown, HasSubstr("| v | latency-pdr-50 | ns | 1001 | 500 | 900 | 990 | 999 | 1000 |"));
    const auto junit = junit_text(document);
    EXPECT_THAT(junit, HasSubstr(R"(tests="2" failures="0" errors="0" skipped="0")"));
    EXPECT_THAT(junit, HasSubstr("<system-out>4000000 frames/s, lost from 4020000</system-out>"));
    EXPECT_THAT(junit, HasSubstr("p50 500, p90 900, p99 990, p99.9 999, max 1000"));
    const auto html = html_text({document, {}, {}});
    EXPECT_THAT(html,
                HasSubstr(R"("rates":[{"scenario":"v","metric":"ndr","lower":4000000.0,"upper":4020000.0)"));
    EXPECT_THAT(html, HasSubstr(R"("distributions":[{"scenario":"v","metric":"latency-pdr-50")"));
}

TEST(Output, junit_promises_no_rounds_where_none_would_decide) {
    Document document;
    document.comparisons.push_back({});
    document.comparisons[0].verdict = Verdict::too_noisy;
    document.comparisons[0].reason = "trials disagree";
    EXPECT_THAT(junit_text(document), HasSubstr("<skipped message=\"trials disagree\"/>"));
}

TEST(Output, history_names_the_commit_of_a_change) {
    Series exact{.scenario = "s", .metric = "instructions", .exact = true, .points = {}};
    for (double value : {45.0, 45.0, 46.0})
        exact.points.push_back({.commit = value > 45 ? "bad0bad0bad0" : "600d",
                                .started = {},
                                .value = value,
                                .interval = {},
                                .command = {}});
    auto text = history_text({&exact, 1});
    EXPECT_THAT(text, HasSubstr("bad0bad0ba  45.0000 to 46.0000"));
    EXPECT_THAT(history_text({}), HasSubstr("no figures yet"));
}

TEST(Output, page_needs_nothing_but_itself) {
    Document document = a_document();
    document.comparisons[0].reason = "</script><script>alert(1)</script>";
    auto page = html_text({document, {}, {}});
    EXPECT_THAT(page, Not(HasSubstr("alert(1)</script>")));
    EXPECT_THAT(page, Not(HasSubstr("/*DATA*/")));
    EXPECT_THAT(page, Not(HasSubstr("sourceMappingURL")));
    EXPECT_THAT(page, Not(HasSubstr(" src=")));
    EXPECT_THAT(page, HasSubstr("Chart.js v3.9"));
}

TEST(Counts, that_rise_by_anything_are_regressed_and_name_what_moved) {
    std::vector<Count> a{{"s", "instructions", 30, {{"rx", 20}, {"tx", 10}}},
                         {"s", "d1-misses", 1.0, {}},
                         {"s", "loads", 9, {}},
                         {"only", "loads", 1, {}}};
    std::vector<Count> b{{"s", "instructions", 30.03125, {{"rx", 20.03125}, {"tx", 10}}},
                         {"s", "d1-misses", 1.004, {}},
                         {"s", "loads", 8, {}}};
    auto all = compare_counts(a, b);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].verdict, Verdict::regressed);
    ASSERT_EQ(all[0].moved.size(), 1U);
    EXPECT_EQ(all[0].moved[0].name, "rx");
    EXPECT_EQ(all[1].verdict, Verdict::same);
    EXPECT_EQ(all[2].verdict, Verdict::improved);
    b[1].value = 1.006;
    EXPECT_EQ(compare_counts(a, b)[1].verdict, Verdict::regressed);
}

TEST(Changed, drivers_are_those_whose_folder_changed) {
    std::vector<std::string> paths{"drivers/net/virtio/rx.cpp", "doc/performance.md",
                                   "drivers/net/igb/README.md"};
    auto touched = touched_by(paths);
    EXPECT_FALSE(touched.everything);
    EXPECT_EQ(touched.drivers, (std::vector<std::string>{"virtio"}));
    std::vector<Listed> all{{.id = "v", .driver = "virtio"}, {.id = "i", .driver = "igb"}};
    EXPECT_EQ(scenarios_of(touched, all).size(), 1U);
    EXPECT_TRUE(touched_by(std::vector<std::string>{"README.md", "tests/unit/x.cpp"}).nothing());
    EXPECT_TRUE(
        touched_by(std::vector<std::string>{"run", "apps/testpmd/main.cpp", "apps/perf/show.cpp"}).nothing());
    for (const char* path :
         {"lib/net/port.cpp", "drivers/open.cpp", "apps/perf/scenarios.json", "meson.build"})
        EXPECT_TRUE(touched_by(std::vector<std::string>{path}).everything) << path;
}

TEST(Changed, names_fit_patterns) {
    EXPECT_TRUE(fits("virtio/avx2/fwd", "*"));
    EXPECT_TRUE(fits("virtio/avx2/fwd", "virtio/*/fwd"));
    EXPECT_TRUE(fits("virtio", "virtio"));
    EXPECT_FALSE(fits("virtio/avx2/rx", "virtio/*/fwd"));
    EXPECT_FALSE(fits("virtio", "virt"));
    EXPECT_TRUE(fits("", "*"));
    EXPECT_TRUE(fits("virtio", "*rt*"));
    EXPECT_FALSE(fits("virtio", "*rt"));
}

} // namespace
