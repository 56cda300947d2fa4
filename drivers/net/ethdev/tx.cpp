// SPDX-License-Identifier: BSD-3-Clause
#include <rte_ethdev.h>

#include "queue.hpp"

namespace sluice::inline v1::ethdev {

std::uint16_t tx_burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    auto& tx = *static_cast<Queue*>(queue);
    // A frame that was taken may be gone when the call returns: lengths are read before it.
    std::uint64_t bytes = 0;
    for (std::uint16_t i = 0; i < count; ++i)
        bytes += packets[i]->pkt_len;
    const std::uint16_t sent = rte_eth_tx_burst(tx.port, tx.index, packets, count);
    for (std::uint16_t i = sent; i < count; ++i)
        bytes -= packets[i]->pkt_len;
    tx.counters.packets.add(sent);
    tx.counters.bytes.add(bytes);
    return sent;
}

std::uint32_t tx_reclaim(void* queue) noexcept {
    const auto& tx = *static_cast<const Queue*>(queue);
    const int freed = rte_eth_tx_done_cleanup(tx.port, tx.index, 0);
    return freed > 0 ? static_cast<std::uint32_t>(freed) : 0;
}

} // namespace sluice::inline v1::ethdev
