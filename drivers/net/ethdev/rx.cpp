// SPDX-License-Identifier: BSD-3-Clause
#include <rte_ethdev.h>

#include "queue.hpp"

namespace sluice::inline v1::ethdev {

std::uint16_t rx_burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    auto& rx = *static_cast<Queue*>(queue);
    const std::uint16_t got = rte_eth_rx_burst(rx.port, rx.index, packets, count);
    if (got == 0)
        return 0;
    std::uint64_t bytes = 0;
    for (std::uint16_t i = 0; i < got; ++i) {
        packets[i]->port = rx.mbuf_port;
        bytes += packets[i]->pkt_len;
    }
    rx.counters.packets.add(got);
    rx.counters.bytes.add(bytes);
    return got;
}

} // namespace sluice::inline v1::ethdev
