// SPDX-License-Identifier: BSD-3-Clause
// Bursts to be counted, over the model of the unit tests: virtio_cost FORMAT BURST ROUNDS.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <sluice/net/port.hpp>

#include "net_model.hpp"
#include "virtio.hpp"

using namespace sluice;
using virtio::Feature;

// Between entry and exit of these two callgrind counts.
[[gnu::noinline]] std::uint16_t counted_receive(net::RxQueue& queue, rte_mbuf** packets,
                                                std::uint16_t count) {
    return queue.burst({packets, count});
}
[[gnu::noinline]] std::uint16_t counted_send(net::TxQueue& queue, rte_mbuf** packets, std::uint16_t count) {
    return queue.burst({packets, count});
}

int main(int argc, char** argv) {
    if (argc != 4)
        return 2;
    const std::string format = argv[1];
    const auto burst = static_cast<std::uint16_t>(std::atoi(argv[2]));
    const unsigned long rounds = std::strtoul(argv[3], nullptr, 10);
    const char* eal[] = {
        "cost",           "--no-huge",   "--no-pci",         "-m", "64", "-l", "0", "--iova-mode=va",
        "--no-telemetry", "--no-shconf", "--log-level=error"};
    std::vector<char*> words;
    for (const char* word : eal)
        words.push_back(const_cast<char*>(word));
    if (rte_eal_init(static_cast<int>(words.size()), words.data()) < 0)
        return 2;
    virtio_test::ModelOptions options = virtio_test::ModelOptions::full().without(Feature::ctrl_vq);
    options.mapped_doorbells = true;
    if (format.starts_with("packed"))
        options = options.with(Feature::ring_packed);
    if (format.ends_with("order"))
        options = options.with(Feature::in_order);
    if (format == "plain")
        options = options.without(Feature::mrg_rxbuf);
    rte_mempool* const pool =
        rte_pktmbuf_pool_create("cost", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    std::unique_ptr<device::Device> device;
    virtio_test::NetModel& nic = virtio_test::NetModel::create(options, device);
    auto driver = virtio::description.open(std::move(device));
    if (!driver)
        return 2;
    net::Config config;
    config.pool = pool;
    config.rx_descriptors = config.tx_descriptors = 256;
    auto port = net::Port::create(std::move(*driver), "cost:", config);
    if (!port)
        return 2;
    const virtio_test::Bytes frame(64, std::byte{1});
    std::vector<rte_mbuf*> packets(burst);
    for (unsigned long round = 0; round < rounds; ++round) {
        for (unsigned i = 0; i < burst; ++i)
            if (!nic.deliver(frame))
                return 1;
        if (counted_receive(port->rx(0), packets.data(), burst) != burst)
            return 1;
        if (counted_send(port->tx(0), packets.data(), burst) != burst)
            return 1;
        nic.sent();
    }
    return 0;
}
