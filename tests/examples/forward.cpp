// SPDX-License-Identifier: BSD-3-Clause
// Sends what arrives at one port out of the other: forward -l 0 -m 256 --no-pci -- URI URI
#include <cstdio>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <sluice/net/port.hpp>

int main(int argc, char** argv) {
    const int eal = rte_eal_init(argc, argv);
    if (eal < 0 || argc < eal + 3)
        return 2;
    auto in = sluice::net::open(argv[eal + 1], {.promiscuous = true});
    auto out = sluice::net::open(argv[eal + 2]);
    if (!in || !out)
        return std::puts((in ? out : in).error().message().c_str()), 2;
    for (;;) {
        rte_mbuf* frames[32];
        const std::uint16_t got = in->rx(0).burst(frames);
        const std::uint16_t sent = out->tx(0).burst({frames, got});
        rte_pktmbuf_free_bulk(frames + sent, got - sent);
    }
}
