// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include <sluice/net/queue.hpp>

namespace sluice::inline v1::ethdev {

/// What a burst needs to know. One thread's at a time.
struct alignas(64) Queue {
    std::uint16_t port; ///< rte_ethdev's number
    std::uint16_t index;
    std::uint16_t mbuf_port; ///< what received mbufs say
    net::QueueCounters counters;
};

std::uint16_t rx_burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
std::uint16_t tx_burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
std::uint32_t tx_reclaim(void* queue) noexcept;

} // namespace sluice::inline v1::ethdev
