// SPDX-License-Identifier: BSD-3-Clause
// The program that sluice-perf measures: one scenario, one side, in one process. Nothing of its environment
// reaches what is measured.
//
// usage: sluice-perf-subject --list|--built-by
//        sluice-perf-subject --scenario ID --side ours|dpdk --counts|--time [--packets N] [--samples N]
//                            [--layout FILE]
//        sluice-perf-subject --scenario ID --side ours|dpdk --rate FRAMES [--seconds S] [--latency]
// The last line is one JSON object. Exit: 0 done, 2 it could not run.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_version.h>

#include "ends.hpp"
#include "layout.hpp"
#include "measured.hpp"
#include "scenarios.hpp"
#include "trial.hpp"

namespace sluice::perf::subject {
namespace {

constexpr unsigned pool_cache = 256;
constexpr std::uint64_t warm_up_rings = 4;    ///< times that each slot of a ring is used before
constexpr std::uint64_t least_packets = 4096; ///< that are counted
constexpr std::uint16_t ether_type = 0x88b5;  // IEEE Std 802, for local experiments

/// Figures of two builds compare when this is the same.
constexpr const char* built_by = SLUICE_BUILT_BY
    ", " RTE_VER_PREFIX " " RTE_STR(RTE_VER_YEAR) "." RTE_STR(RTE_VER_MONTH) "." RTE_STR(RTE_VER_MINOR);

struct Options {
    std::string scenario;
    std::string side = "ours";
    std::string layout;
    bool list = false;
    bool built_by = false;
    bool counts = false;
    bool time = false;
    std::uint64_t packets = 0;
    unsigned samples = 9;
    TrialPlan trial;
};

int cannot(const std::string& what) {
    fmt::print(stderr, "sluice-perf-subject: {}\n", what);
    return 2;
}

/// A frame in an mbuf of its own, as the application makes it: a broadcast.
void make_frame(rte_mbuf* mbuf, std::uint16_t bytes) {
    auto* data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
    std::memset(data, 0, bytes);
    std::memset(data, 0xff, 6);
    data[6] = 0x02;
    data[12] = ether_type >> 8;
    data[13] = ether_type & 0xff;
    mbuf->data_len = bytes;
    mbuf->pkt_len = bytes;
}

struct Tally {
    std::uint64_t turns = 0;
    std::uint64_t packets = 0;
    std::uint64_t cycles = 0;
    bool full = true; ///< every burst was
};

/// Bursts go round: received, sent, and back by the model.
template <Path Measured, typename Ends>
Tally go_round(Ends& ends, std::uint16_t burst, std::uint64_t turns) {
    Tally tally;
    std::vector<rte_mbuf*> packets(burst);
    for (; tally.turns < turns && tally.full; ++tally.turns) {
        ends.turn(2 * std::size_t{burst});
        Turn turn;
        const std::uint64_t begin = rte_rdtsc_precise();
        if constexpr (Measured == Path::rx)
            turn.received = measured_rx(ends, packets.data(), burst);
        else if constexpr (Measured == Path::tx || Measured == Path::unmeasured)
            turn.received = ends.receive(packets.data(), burst);
        else
            turn = measured_forward(ends, packets.data(), burst);
        const std::uint64_t middle = rte_rdtsc_precise();
        if constexpr (Measured == Path::rx || Measured == Path::unmeasured)
            turn.sent = ends.send(packets.data(), turn.received);
        else if constexpr (Measured == Path::tx)
            turn.sent = measured_tx(ends, packets.data(), turn.received);
        const std::uint64_t end = rte_rdtsc_precise();
        tally.cycles += Measured == Path::tx ? end - middle : middle - begin;
        tally.packets += turn.received;
        tally.full = turn.received == burst && turn.sent == burst;
    }
    return tally;
}

/// Polls that find nothing.
template <typename Ends>
Tally poll_idle(Ends& ends, std::uint16_t burst, std::uint64_t turns) {
    Tally tally;
    std::vector<rte_mbuf*> packets(burst);
    for (; tally.turns < turns && tally.full; ++tally.turns) {
        const std::uint64_t begin = rte_rdtsc_precise();
        const std::uint16_t received = measured_rx(ends, packets.data(), burst);
        tally.cycles += rte_rdtsc_precise() - begin;
        tally.full = received == 0;
    }
    tally.packets = tally.turns;
    return tally;
}

template <typename Ends>
Tally run(Ends& ends, const Scenario& scenario, std::uint64_t turns) {
    if (scenario.path == "rx")
        return go_round<Path::rx>(ends, scenario.burst, turns);
    if (scenario.path == "tx")
        return go_round<Path::tx>(ends, scenario.burst, turns);
    if (scenario.path == "idle")
        return poll_idle(ends, scenario.burst, turns);
    return go_round<Path::forward>(ends, scenario.burst, turns);
}

/// Turns after which both rings are where they were.
std::uint64_t turns_of(const Scenario& scenario, std::uint64_t rings) {
    return rings * std::lcm<std::uint64_t>(scenario.ring, scenario.burst) / scenario.burst;
}

/// Turns in which `packets` packets move, and more, until both rings are where they were.
std::uint64_t turns_for(const Scenario& scenario, std::uint64_t packets) {
    if (scenario.path == "idle")
        return packets / 32;
    const std::uint64_t cycle = turns_of(scenario, 1);
    return (packets / scenario.burst + cycle - 1) / cycle * cycle;
}

template <typename Ends>
Tally warm_up(Ends& ends, const Scenario& scenario, rte_mempool* pool) {
    const std::uint64_t turns = turns_of(scenario, warm_up_rings);
    std::vector<rte_mbuf*> frames(scenario.burst);
    Tally tally;
    tally.full = rte_pktmbuf_alloc_bulk(pool, frames.data(), scenario.burst) == 0;
    if (!tally.full)
        return tally;
    for (rte_mbuf* mbuf : frames)
        make_frame(mbuf, scenario.frame);
    tally.full = ends.send(frames.data(), scenario.burst) == scenario.burst;
    if (tally.full)
        tally = go_round<Path::unmeasured>(ends, scenario.burst, turns);
    if (scenario.path == "idle" && tally.full) { // the frames leave the loop
        ends.turn(2 * std::size_t{scenario.burst});
        const std::uint16_t received = ends.receive(frames.data(), scenario.burst);
        rte_pktmbuf_free_bulk(frames.data(), received);
        tally.full = received == scenario.burst;
    }
    return tally;
}

template <typename Ends>
int measure(Ends& ends, const Scenario& scenario, rte_mempool* pool, const Options& options) {
    if (!warm_up(ends, scenario, pool).full)
        return cannot(scenario.id + ": not every burst was full while it warmed up");
    nlohmann::json said{{"scenario", scenario.id}, {"side", options.side}};
    const std::uint64_t turns = turns_for(scenario, options.packets != 0 ? options.packets : least_packets);
    if (options.counts) {
        watch_pool(pool);
        start_callgrind();
        mark<mark_restart>();
        const Tally tally = run(ends, scenario, turns);
        mark<mark_report>();
        if (!tally.full)
            return cannot(scenario.id + ": not every burst was full");
        said.update({{"packets", tally.packets}, {"bursts", tally.turns}, {"built_by", built_by}});
        if (!options.layout.empty()) {
            std::FILE* const out = std::fopen(options.layout.c_str(), "w");
            if (out == nullptr)
                return cannot(options.layout + ": cannot be written");
            print_layout(out, pool);
            static_cast<void>(std::fclose(out));
        }
    } else {
        const double ns = 1e9 / static_cast<double>(rte_get_tsc_hz());
        std::vector<double> samples;
        for (unsigned i = 0; i < options.samples; ++i) {
            const Tally tally = run(ends, scenario, std::max<std::uint64_t>(turns, 1024));
            if (!tally.full)
                return cannot(scenario.id + ": not every burst was full");
            samples.push_back(ns * static_cast<double>(tally.cycles) / static_cast<double>(tally.packets));
        }
        said.update({{"unit", scenario.path == "idle" ? "ns/poll" : "ns/packet"}, {"samples", samples}});
    }
    fmt::print("{}\n", said.dump());
    return 0;
}

bool start_eal() {
    std::vector<std::string> words = {
        "subject",        "--no-huge",   "--no-pci",         "-m", "128", "-l", "0", "--iova-mode=va",
        "--no-telemetry", "--no-shconf", "--log-level=error"};
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

template <typename Ends>
int try_rate_with(const Scenario& scenario, rte_mempool* pool, const TrialPlan& plan) {
    const auto behind = wire_of(scenario, plan);
    if (!behind)
        return cannot(behind.error().message());
    auto ends = Ends::open(scenario, pool, *behind);
    if (!ends)
        return cannot(ends.error().message());
    fmt::print("{}\n", run_trial(**ends, scenario, plan, *behind->wire));
    return 0;
}

int try_rate(const Scenario& scenario, rte_mempool* pool, const Options& options) {
    return options.side == "dpdk" ? try_rate_with<DpdkEnds>(scenario, pool, options.trial)
                                  : try_rate_with<OurEnds>(scenario, pool, options.trial);
}

int run_scenario(const Scenario& scenario, const Options& options) {
    if (!start_eal())
        return cannot("EAL does not start");
    rte_mempool* const pool = rte_pktmbuf_pool_create("perf", scenario.pool, pool_cache, 0,
                                                      RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool == nullptr)
        return cannot("there is no memory for the pool");
    if (options.trial.rate > 0)
        return try_rate(scenario, pool, options);
    if (options.side == "dpdk") {
        auto ends = DpdkEnds::open(scenario, pool);
        return ends ? measure(**ends, scenario, pool, options) : cannot(ends.error().message());
    }
    auto ends = OurEnds::open(scenario, pool);
    return ends ? measure(**ends, scenario, pool, options) : cannot(ends.error().message());
}

void print_list() {
    nlohmann::json list = nlohmann::json::array();
    for (const Scenario& each : scenarios())
        list.push_back({{"id", each.id},
                        {"driver", each.driver},
                        {"variant", each.variant},
                        {"isa", each.isa},
                        {"path", each.path},
                        {"frame", each.frame},
                        {"burst", each.burst},
                        {"ring", each.ring},
                        {"pool", each.pool},
                        {"transport", each.transport},
                        {"ci", each.ci},
                        {"full", each.full},
                        {"margin", each.margin}});
    fmt::print("{}\n", list.dump());
}

int main_of(int argc, char** argv) {
    Options options;
    CLI::App app("Runs one scenario for sluice-perf.");
    app.add_option("--scenario", options.scenario);
    app.add_option("--side", options.side)->check(CLI::IsMember({"ours", "dpdk"}));
    app.add_option("--packets", options.packets);
    app.add_option("--samples", options.samples)->check(CLI::Range(1, 1000));
    app.add_option("--layout", options.layout);
    app.add_option("--rate", options.trial.rate)->check(CLI::Range(1.0, 1e9));
    app.add_option("--seconds", options.trial.seconds)->check(CLI::Range(0.001, 60.0));
    app.add_flag("--latency", options.trial.latency);
    app.add_flag("--list", options.list);
    app.add_flag("--built-by", options.built_by);
    app.add_flag("--counts", options.counts);
    app.add_flag("--time", options.time);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (options.list)
        return print_list(), 0;
    if (options.built_by)
        return fmt::print("{}\n", built_by), 0;
    if (options.counts + options.time + (options.trial.rate > 0) != 1)
        return cannot("say --counts, --time or --rate");
    const auto scenario = scenario_named(options.scenario);
    if (!scenario)
        return cannot("there is no scenario '" + options.scenario + "': --list shows all");
    if (options.trial.rate > 0) {
        const auto cpus = two_processors();
        if (!cpus)
            return cannot(cpus.error().message());
        options.trial.cpus = *cpus;
    }
    return run_scenario(*scenario, options);
}

} // namespace
} // namespace sluice::perf::subject

int main(int argc, char** argv) {
    return sluice::perf::subject::main_of(argc, argv);
}
