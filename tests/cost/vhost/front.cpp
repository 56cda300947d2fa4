// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user front-end that sends back what it receives, by our driver or by DPDK's virtio-user: the same
// loop, pool, rings and burst.
//
// usage: vhost_front ours|dpdk PATH split|packed EAL-OPTIONS…   until a signal; exit 2: it could not run
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <sluice/net/port.hpp>

#include "processor.hpp"

namespace {

constexpr std::uint16_t burst = 32;
constexpr std::uint16_t descriptors = 256;
constexpr unsigned pool_size = 8191;
constexpr unsigned pool_cache = 256;

std::atomic<bool> ended{false};

int cannot(const std::string& what) {
    std::fprintf(stderr, "vhost_front: %s\n", what.c_str());
    return 2;
}

/// Until a signal; then this process ends as it stands, whatever has become of the back-end.
template <typename Receive, typename Send>
[[noreturn]] void forward(Receive&& receive, Send&& send) {
    vhost_table::take_the_processor();
    std::array<rte_mbuf*, burst> packets;
    std::uint64_t frames = 0;
    std::uint64_t bursts = 0;
    std::uint64_t unsent = 0;
    std::uint64_t empty = 0;
    while (!ended.load(std::memory_order_relaxed)) {
        const std::uint16_t received = receive(packets.data());
        if (received == 0) {
            ++empty;
            continue;
        }
        const std::uint16_t sent = send(packets.data(), received);
        frames += received;
        ++bursts;
        unsent += received - sent;
        if (sent != received)
            rte_pktmbuf_free_bulk(packets.data() + sent, received - sent);
    }
    std::printf("received=%lu bursts=%lu unsent=%lu empty=%lu\n", frames, bursts, unsent, empty);
    std::fflush(stdout);
    std::_Exit(0);
}

int forward_ours(const std::string& path, bool packed, rte_mempool* pool) {
    auto port =
        sluice::net::open("vhost-user:" + path + (packed ? "?packed=1" : "?packed=0"),
                          {.rx_descriptors = descriptors, .tx_descriptors = descriptors, .pool = pool});
    if (!port)
        return cannot(port.error().message());
    auto& rx = port->rx(0);
    auto& tx = port->tx(0);
    forward([&](rte_mbuf** packets) { return rx.burst({packets, burst}); },
            [&](rte_mbuf** packets, std::uint16_t count) { return tx.burst({packets, count}); });
}

int forward_dpdk(const std::string& path, bool packed, rte_mempool* pool) {
    const std::string arguments = "path=" + path + (packed ? ",packed_vq=1" : "");
    std::uint16_t port = 0;
    const rte_eth_conf config{};
    if (rte_eal_hotplug_add("vdev", "net_virtio_user0", arguments.c_str()) != 0 ||
        rte_eth_dev_get_port_by_name("net_virtio_user0", &port) != 0 ||
        rte_eth_dev_configure(port, 1, 1, &config) != 0 ||
        rte_eth_rx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr) != 0 ||
        rte_eth_dev_start(port) != 0)
        return cannot("virtio-user does not start");
    forward(
        [&](rte_mbuf** packets) { return rte_eth_rx_burst(port, 0, packets, burst); },
        [&](rte_mbuf** packets, std::uint16_t count) { return rte_eth_tx_burst(port, 0, packets, count); });
}

} // namespace

int main(int argc, char** argv) {
    constexpr int own = 3;
    if (argc <= own)
        return cannot("usage: vhost_front ours|dpdk PATH split|packed EAL-OPTIONS...");
    const std::string_view kind = argv[1];
    const std::string path = argv[2];
    const bool packed = std::string_view(argv[3]) == "packed";
    for (const int signal : {SIGINT, SIGTERM})
        std::signal(signal, [](int) { ended = true; });
    argv[own] = argv[0];
    if (rte_eal_init(argc - own, argv + own) < 0)
        return cannot("EAL does not start");
    rte_mempool* pool =
        rte_pktmbuf_pool_create("front", pool_size, pool_cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool == nullptr)
        return cannot("no memory for a pool");
    return kind == "ours" ? forward_ours(path, packed, pool) : forward_dpdk(path, packed, pool);
}
