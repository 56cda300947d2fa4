// SPDX-License-Identifier: BSD-3-Clause
// A DPDK program that owns EAL, which has probed one NIC already, and that opens this one and another by URI.
// Then it forwards between the two until SIGINT.
//
// usage: beside_eal PROBED OTHER EAL-OPTIONS…     (PCI addresses; the options allow PROBED)
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <sluice/base/log.hpp>
#include <sluice/net/port.hpp>

namespace {

using sluice::net::Port;

volatile std::sig_atomic_t stopped = 0;
std::string log_lines;

void verdict(const char* name, bool passed, const std::string& reason) {
    if (passed)
        std::printf("PASS %s: %s\n", name, reason.c_str());
    else
        std::printf("FAIL %s: %s\n", name, reason.c_str());
    std::fflush(stdout);
}

bool contains(std::string_view text, std::string_view what) {
    return text.find(what) != text.npos;
}

void prove_refusal(const std::string& probed) {
    const auto port = sluice::net::open("pci:" + probed + "?driver=sluice");
    const std::string said = port ? "it opened" : port.error().message();
    verdict("refused",
            !port && port.error().code() == EBUSY && contains(said, probed) && contains(said, "--no-pci") &&
                rte_eth_dev_count_avail() == 1,
            said);
}

std::string facts(const Port& port) {
    return port.info().name + ", driver " + port.info().driver + " (" + port.info().device + "), transport " +
           port.info().transport + ", kernel driver " + port.info().kernel_driver;
}

void forward(Port& from, Port& to) {
    rte_mbuf* frames[32];
    const std::uint16_t got = from.rx(0).burst(frames);
    const std::uint16_t sent = to.tx(0).burst({frames, got});
    rte_pktmbuf_free_bulk(frames + sent, got - sent);
}

int run(const std::string& probed, const std::string& other) {
    std::uint16_t id = 0;
    verdict("probed",
            rte_eth_dev_count_avail() == 1 && rte_eth_dev_get_port_by_name(probed.c_str(), &id) == 0,
            "EAL holds " + std::to_string(rte_eth_dev_count_avail()) + " port");
    prove_refusal(probed);
    rte_mempool* pool =
        rte_pktmbuf_pool_create("beside_eal", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    const sluice::net::Config config{.pool = pool, .promiscuous = true};
    auto left = sluice::net::open("pci:" + probed, config);
    verdict("adapter",
            left && left->info().driver == "ethdev" &&
                contains(log_lines, probed + ": EAL holds the device, so DPDK's driver is used"),
            left ? facts(*left) : left.error().message());
    auto right = sluice::net::open("pci:" + other, config);
    verdict("other", right && right->info().driver == "e1000",
            right ? facts(*right) : right.error().message());
    if (!left || !right)
        return 2;
    std::puts("forwarding");
    std::fflush(stdout);
    while (stopped == 0) {
        forward(*left, *right);
        forward(*right, *left);
    }
    left->close();
    right->close();
    verdict("closed", rte_mempool_in_use_count(pool) == 0 && rte_eth_dev_count_avail() == 0,
            std::to_string(rte_mempool_in_use_count(pool)) + " mbufs and " +
                std::to_string(rte_eth_dev_count_avail()) + " ports of EAL's are left");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3)
        return std::puts("usage: beside_eal PROBED OTHER EAL-OPTIONS..."), 2;
    const std::string probed = argv[1];
    const std::string other = argv[2];
    argv[2] = argv[0];
    if (rte_eal_init(argc - 2, argv + 2) < 0)
        return 2;
    sluice::set_log_sink([](sluice::LogLevel, std::string_view line) { (log_lines += line) += '\n'; });
    std::signal(SIGINT, [](int) { stopped = 1; });
    return run(probed, other);
}
