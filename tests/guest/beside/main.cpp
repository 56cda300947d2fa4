// SPDX-License-Identifier: BSD-3-Clause
// Forwards full bursts of 64-byte frames between two NICs on one wire, by our Port or by rte_ethdev, with
// marks for the counting plugin around each burst. What is sent on the first NIC arrives at the second, so
// the frames go round for ever.
//
// usage: beside port|ethdev LEFT RIGHT TURNS best|base EAL-OPTIONS…
//   LEFT, RIGHT: a device (BDF or URI); base: without AVX2, where a driver of ours has it (DPDK's drivers
//   choose for themselves)
// Lines `range …` say which memory is what (apps/perf/subject/layout.hpp); the last line is the result, as
// KEY=VALUE. Exit: 0 done, 1 not every burst was full, 2 it could not run.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <sched.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_version.h>

#include <sluice/net/mbuf.hpp>
#include <sluice/net/port.hpp>

#include "forward.hpp"
#include "layout.hpp"

namespace {

using beside::burst;

constexpr std::uint16_t descriptors = 256;
constexpr unsigned pool_size = 8191;
constexpr unsigned pool_cache = 256;
constexpr unsigned pause_us = 400;
constexpr std::uint64_t warm_up = 512; ///< turns: each slot of a ring 64 times
constexpr int link_patience_ms = 8000;
constexpr unsigned settle_us =
    1'500'000; ///< QEMU's e1000 holds frames back for a second after its receiver starts

/// Two ports of ours.
struct OurPorts {
    sluice::net::Port left, right;

    std::uint16_t receive(rte_mbuf** packets, std::uint16_t count) noexcept {
        return right.rx(0).burst({packets, count});
    }
    std::uint16_t send(rte_mbuf** packets, std::uint16_t count) noexcept {
        return left.tx(0).burst({packets, count});
    }
    bool up() { return left.link().up && right.link().up; }
    std::string describe() const {
        const auto& info = right.info();
        return "driver=sluice_" + info.driver + " device=" + info.device +
               " kernel_driver=" + info.kernel_driver;
    }
    void stop() {
        left.close();
        right.close();
    }
};

/// Two ports of DPDK's.
struct EthdevPorts {
    std::uint16_t left, right;

    std::uint16_t receive(rte_mbuf** packets, std::uint16_t count) noexcept {
        return rte_eth_rx_burst(right, 0, packets, count);
    }
    std::uint16_t send(rte_mbuf** packets, std::uint16_t count) noexcept {
        return rte_eth_tx_burst(left, 0, packets, count);
    }
    static bool is_up(std::uint16_t port) {
        rte_eth_link link{};
        return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
    }
    bool up() const { return is_up(left) && is_up(right); }
    std::string describe() const {
        rte_eth_dev_info info{};
        rte_eth_dev_info_get(right, &info);
        char name[RTE_ETH_NAME_MAX_LEN] = "";
        rte_eth_dev_get_name_by_port(right, name);
        return std::string("driver=") + info.driver_name + " device=" + name + " kernel_driver=vfio-pci";
    }
    void stop() const {
        for (const std::uint16_t port : {left, right}) {
            rte_eth_dev_stop(port);
            rte_eth_dev_close(port);
        }
    }
};

int cannot(const std::string& what) {
    std::fprintf(stderr, "beside: %s\n", what.c_str());
    return 2;
}

/// A frame in an mbuf of its own, as the application makes it.
void make_frame(rte_mbuf* mbuf) {
    std::array<std::uint8_t, beside::frame_bytes> frame{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    frame[12] = beside::ether_type >> 8;
    frame[13] = beside::ether_type & 0xff;
    mbuf->data_len = beside::frame_bytes;
    mbuf->pkt_len = beside::frame_bytes;
    std::memcpy(rte_pktmbuf_mtod(mbuf, void*), frame.data(), frame.size());
}

/// Nobody else gets the CPU between two marks.
bool alone() {
    const sched_param priority{.sched_priority = 50};
    return sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
}

template <typename Ends>
int measure(Ends& ends, rte_mempool* pool, std::uint64_t turns) {
    for (int waited = 0; !ends.up(); ++waited) {
        if (waited == link_patience_ms)
            return cannot("the link does not come up");
        rte_delay_us_sleep(1000);
    }
    rte_delay_us_sleep(settle_us);
    std::array<rte_mbuf*, burst> frames;
    if (rte_pktmbuf_alloc_bulk(pool, frames.data(), burst) != 0)
        return cannot("the pool is empty");
    for (rte_mbuf* mbuf : frames)
        make_frame(mbuf);
    if (!alone())
        return cannot("no SCHED_FIFO: the count would hold what other processes do");
    if (ends.send(frames.data(), burst) != burst)
        return cannot("the first burst was not sent");

    beside::forward(ends, warm_up, pause_us);
    sluice::perf::subject::watch_pool(pool);
    beside::mark<beside::mark_restart>();
    const beside::Tally tally = beside::forward(ends, turns, pause_us);
    beside::mark<beside::mark_report>();

    sluice::perf::subject::print_layout(stdout, pool);

    // The frames that went round all the time are still those that were sent.
    rte_delay_us_block(pause_us);
    const std::uint16_t last = ends.receive(frames.data(), burst);
    const auto ours = std::count_if(frames.begin(), frames.begin() + last, beside::is_ours);
    rte_pktmbuf_free_bulk(frames.data(), last);

    std::printf("%s turns=%lu packets=%lu full=%lu unsent=%lu dpdk=%s compiler=%s\n", ends.describe().c_str(),
                tally.turns, tally.packets, tally.full, tally.unsent, strchr(rte_version(), ' ') + 1,
                SLUICE_COMPILER);
    ends.stop();
    return tally.full == turns && ours == burst ? 0 : 1;
}

int measure_ours(const char* left, const char* right, rte_mempool* pool, std::uint64_t turns) {
    const sluice::net::Config config{
        .rx_descriptors = descriptors, .tx_descriptors = descriptors, .pool = pool, .promiscuous = true};
    auto first = sluice::net::open(left, config);
    auto second = sluice::net::open(right, config);
    if (!first || !second)
        return cannot((first ? second : first).error().message());
    OurPorts ends{std::move(*first), std::move(*second)};
    return measure(ends, pool, turns);
}

bool start(std::uint16_t port, rte_mempool* pool) {
    const rte_eth_conf config{};
    return rte_eth_dev_configure(port, 1, 1, &config) == 0 &&
           rte_eth_rx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr, pool) == 0 &&
           rte_eth_tx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr) == 0 &&
           rte_eth_dev_start(port) == 0 && rte_eth_promiscuous_enable(port) == 0;
}

int measure_ethdev(const char* left, const char* right, rte_mempool* pool, std::uint64_t turns) {
    EthdevPorts ends{};
    if (rte_eth_dev_get_port_by_name(left, &ends.left) != 0 ||
        rte_eth_dev_get_port_by_name(right, &ends.right) != 0)
        return cannot("DPDK does not drive these devices");
    if (!start(ends.left, pool) || !start(ends.right, pool))
        return cannot("a port of DPDK's does not start");
    return measure(ends, pool, turns);
}

} // namespace

int main(int argc, char** argv) {
    constexpr int own = 5;
    if (argc <= own)
        return cannot("usage: beside port|ethdev LEFT RIGHT TURNS best|base EAL-OPTIONS...");
    const std::string_view kind = argv[1];
    const char* const left = argv[2];
    const char* const right = argv[3];
    const std::uint64_t turns = std::strtoull(argv[4], nullptr, 10);
    sluice::net::allow_avx2(std::string_view(argv[5]) != "base");
    argv[own] = argv[0];
    if (rte_eal_init(argc - own, argv + own) < 0)
        return cannot("EAL does not start");
    rte_mempool* pool =
        rte_pktmbuf_pool_create("beside", pool_size, pool_cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool == nullptr)
        return cannot("no memory for a pool");
    return kind == "port" ? measure_ours(left, right, pool, turns) : measure_ethdev(left, right, pool, turns);
}
