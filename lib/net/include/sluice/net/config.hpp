// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a caller asks of a port, and what a driver can give.
#pragma once

#include <cstdint>
#include <vector>

struct rte_mempool;

namespace sluice::inline v1::net {

/// Receive offloads. Results stand in the mbuf as rte_mbuf's RTE_MBUF_F_RX_* flags and fields.
struct RxOffloads {
    bool checksum = false;   ///< IPv4 header and TCP/UDP checksums are checked
    bool vlan_strip = false; ///< the tag is taken out of the frame and put into vlan_tci
    bool rss_hash = false;   ///< hash.rss is filled in
    bool scatter = false;    ///< a frame may fill a chain of mbufs
};

/// Transmit offloads, asked for in each mbuf by RTE_MBUF_F_TX_* flags. A flag whose offload was not
/// configured is the caller's mistake.
struct TxOffloads {
    bool checksum = false;      ///< IPv4 header, TCP and UDP checksums
    bool tso = false;           ///< TCP segmentation
    bool vlan_insert = false;   ///< vlan_tci becomes a tag
    bool multi_segment = false; ///< chains of mbufs
    bool fast_free = false;     ///< a promise: direct mbufs, reference count 1, one pool a queue
};

/// Configuration of a port. Zero means the driver's or the library's own choice.
struct Config {
    std::uint16_t rx_queues = 1;
    std::uint16_t tx_queues = 1;
    std::uint16_t rx_descriptors = 0; ///< a queue
    std::uint16_t tx_descriptors = 0; ///< a queue
    std::uint16_t mtu = 1500;         ///< bytes of a frame without Ethernet header, tags and CRC

    std::uint16_t port_id = 0; ///< what the received mbufs' `port` field says

    /// Where received mbufs come from. Null: the library makes a pool for the port on its NUMA node, large
    /// enough for all queues, and frees it when the port is closed; every mbuf must be back by then.
    rte_mempool* pool = nullptr;
    /// A pool for each receive queue in place of `pool`; empty, or as many as queues.
    std::vector<rte_mempool*> queue_pools{};

    RxOffloads rx_offloads{};
    TxOffloads tx_offloads{.multi_segment = true};

    bool rx_interrupts = false; ///< each receive queue gets an eventfd (RxQueue::fd)
    bool promiscuous = false;
    bool all_multicast = false;

    bool start = true; ///< open() starts the port; otherwise Port::start() does
};

/// Sizes that a ring may have.
struct DescriptorLimits {
    std::uint16_t min = 0;
    std::uint16_t max = 0;
    std::uint16_t multiple = 1; ///< every size is a multiple of this
    std::uint16_t preferred = 0;
};

/// What a device can do under its driver.
struct Limits {
    std::uint16_t rx_queues = 1;
    std::uint16_t tx_queues = 1;
    DescriptorLimits rx_descriptors;
    DescriptorLimits tx_descriptors;
    std::uint16_t min_mtu = 68;
    std::uint16_t max_mtu = 1500;
    std::uint16_t tx_segments = 1;   ///< mbufs in one frame at most
    std::uint16_t mac_addresses = 1; ///< unicast addresses that filter in hardware, the port's own included
    RxOffloads rx_offloads{};
    TxOffloads tx_offloads{};
    bool rx_interrupts = false;
};

} // namespace sluice::inline v1::net
