// SPDX-License-Identifier: BSD-3-Clause
// Writes the report of a made-up history, in which there is one of everything: sample_report FILE
#include <cmath>
#include <fstream>
#include <random>
#include <tuple>

#include <fmt/format.h>

#include "output.hpp"
#include "rates.hpp"

namespace {

using namespace sluice::perf;

constexpr const char* virtio = "virtio-split-mergeable/scalar/fwd/64/b32/r256";
constexpr const char* e1000 = "e1000-82574/avx2/fwd/64/b32/r256";

double uniform(std::mt19937_64& engine) {
    return static_cast<double>((engine() >> 11) + 1) * 0x1p-53;
}

std::string commit(std::size_t index) {
    return std::string(40, "0123456789abcdef"[index % 16]);
}

Comparison result(const char* scenario, Verdict verdict, double ratio, const char* reason) {
    Comparison one{.scenario = scenario,
                   .metric = "time",
                   .unit = "ns/packet",
                   .a = 9.6,
                   .b = 9.6 * ratio,
                   .ratio = ratio,
                   .interval = Interval{ratio - 0.012, ratio + 0.013},
                   .control = Interval{0.992, 1.007},
                   .hodges_lehmann = ratio + 0.001,
                   .margin = 0.02,
                   .p = 0.0004,
                   .rounds = 40,
                   .outliers = 3,
                   .seed = 20210917,
                   .verdict = verdict,
                   .reason = reason,
                   .moved = {},
                   .command = {}};
    one.command =
        fmt::format("sluice-perf compare build-a build-b --time --scenario '{}' --seed 20210917", scenario);
    return one;
}

std::vector<Comparison> results() {
    auto broken = result("virtio-packed/scalar/fwd/64/b32/r256", Verdict::could_not_run, 1,
                         "no memory for the pool: reserve hugepages");
    broken.a = broken.b = 0;
    broken.interval.reset();
    auto noisy = result("igb/avx2/fwd/64/b32/r256", Verdict::too_noisy, 1.01,
                        "0.9500 to 1.0700 does not tell the margin 2.00% from nothing");
    noisy.interval = Interval{0.95, 1.07};
    noisy.more_rounds = 320;
    Comparison count{
        .scenario = virtio,
        .metric = "instructions",
        .unit = "a packet",
        .a = 73.2,
        .b = 76.2,
        .ratio = 76.2 / 73.2,
        .interval = {},
        .control = {},
        .verdict = Verdict::regressed,
        .reason = "+3.0000 a packet",
        .moved = {{"sluice::v1::virtio::RxQueue<split, mergeable>::burst(std::span<rte_mbuf*>)", 2.5},
                  {"refill", 0.5}},
        .command = "sluice-perf compare build-a build-b --counts"};
    return {broken,
            result(virtio, Verdict::regressed, 1.071, "+7.10%, +5.90% to +8.40%"),
            count,
            noisy,
            result(e1000, Verdict::same, 1.002, ""),
            result("vmxnet3/avx2/rx/64/b32/r256", Verdict::improved, 0.95, "")};
}

Series counts_over_time() {
    Series series{.scenario = virtio, .metric = "instructions", .exact = true, .points = {}};
    for (std::size_t i = 0; i < 30; ++i)
        series.points.push_back({.run = 1,
                                 .commit = commit(i),
                                 .started = "2026-03-31T12:00:00Z",
                                 .value = i < 12 ? 73.2 : 76.2,
                                 .interval = {},
                                 .command = "sluice-perf record build --counts"});
    return series;
}

Series times_over_time(const char* scenario, double step, std::size_t at, std::size_t length) {
    std::mt19937_64 engine(length);
    Series series{.scenario = scenario, .metric = "time", .exact = false, .points = {}};
    for (std::size_t i = 0; i < length; ++i) {
        double value = (i < at ? 1 : 1 + step) * (1 + 0.02 * (uniform(engine) - 0.5));
        series.points.push_back({.run = 1,
                                 .commit = commit(i),
                                 .started = "2026-03-31T12:00:00Z",
                                 .value = value,
                                 .interval = Interval{value - 0.012, value + 0.014},
                                 .command = "sluice-perf compare build-a build-b --time"});
    }
    return series;
}

std::vector<Samples> samples() {
    std::mt19937_64 engine(1);
    std::vector<Samples> all;
    for (const char* arm : {"A", "A'", "B"}) {
        Samples one{.scenario = virtio, .metric = "time", .unit = "ns/packet", .arm = arm, .values = {}};
        for (int i = 0; i < 2000; ++i)
            one.values.push_back((arm[0] == 'B' ? 10.3 : 9.6) + 0.8 * std::pow(uniform(engine), -0.5) - 0.8);
        all.push_back(std::move(one));
    }
    for (const auto& [metric, unit, values] : {std::tuple{"ndr", "frames/s", std::vector{5.10e6, 5.12e6}},
                                               std::tuple{"ndr-late", "share", std::vector{0.93}},
                                               std::tuple{"pdr", "frames/s", std::vector{6.01e6, 6.03e6}},
                                               std::tuple{"pdr-late", "share", std::vector{0.4}}})
        all.push_back({.scenario = virtio, .metric = metric, .unit = unit, .arm = {}, .values = values});
    for (const unsigned load : latency_loads) {
        Samples one{.scenario = virtio,
                    .metric = fmt::format("latency-pdr-{}", load),
                    .unit = "ns",
                    .arm = {},
                    .values = {}};
        for (int i = 0; i < 1001; ++i)
            one.values.push_back(1500 + 20 * load + 400 * std::pow(uniform(engine), -0.8));
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    Run run{.started = "2026-03-31T12:00:00Z",
            .kind = "compare",
            .command = {},
            .environment = {},
            .finished = true};
    run.environment = {.commit = commit(12),
                       .parent = commit(11),
                       .dirty = true,
                       .toolchain = "c++ (Debian 12.2.0) 12.2.0 buildtype=debugoptimized",
                       .dpdk = "22.11.11",
                       .kernel = "Linux 6.1.0",
                       .cpu = "A processor <of some kind> & more",
                       .governor = "none",
                       .load_before = 0.4,
                       .load_after = 1.1};
    Document document{.command = "sluice-perf compare build-a build-b",
                      .environment = run.environment,
                      .comparisons = results(),
                      .counts = {{virtio, "loads", 12.5, {}}, {virtio, "stores", 9, {}}},
                      .samples = samples()};
    std::ofstream(argv[1]) << html_text(
        {document,
         run,
         {counts_over_time(), times_over_time(virtio, 0.07, 20, 40), times_over_time(e1000, 0.08, 27, 30)}});
    return 0;
}
