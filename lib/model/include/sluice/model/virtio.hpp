// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a virtio network device and its driver share, as the device sees it. Sections are those of the virtio
/// specification 1.2.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sluice/base/endian.hpp>

namespace sluice::inline v1::model {

/// Feature bits, as masks. §5.1.3, §6.
namespace feature {
inline constexpr std::uint64_t csum = 1ULL << 0;       ///< the device finishes checksums of sent frames
inline constexpr std::uint64_t guest_csum = 1ULL << 1; ///< the driver takes frames with partial checksums
inline constexpr std::uint64_t mtu = 1ULL << 3;        ///< the device says its largest MTU
inline constexpr std::uint64_t mac = 1ULL << 5;        ///< the device has an address
inline constexpr std::uint64_t guest_tso4 = 1ULL << 7; ///< the driver takes frames that are not segmented
inline constexpr std::uint64_t guest_tso6 = 1ULL << 8; ///< the same for IPv6
inline constexpr std::uint64_t host_tso4 = 1ULL << 11; ///< the device segments
inline constexpr std::uint64_t host_tso6 = 1ULL << 12; ///< the same for IPv6
inline constexpr std::uint64_t mrg_rxbuf = 1ULL << 15; ///< a frame may fill several receive buffers
inline constexpr std::uint64_t status = 1ULL << 16;    ///< the configuration has the link's state
inline constexpr std::uint64_t ctrl_vq = 1ULL << 17;   ///< there is a control queue
inline constexpr std::uint64_t ctrl_rx = 1ULL << 18;   ///< it takes receive modes and address tables
inline constexpr std::uint64_t mq = 1ULL << 22;        ///< several queue pairs
inline constexpr std::uint64_t ctrl_mac = 1ULL << 23;  ///< the control queue changes the address
inline constexpr std::uint64_t version_1 = 1ULL << 32; ///< not a legacy device
inline constexpr std::uint64_t access_platform = 1ULL << 33; ///< addresses are the IOMMU's
inline constexpr std::uint64_t ring_packed = 1ULL << 34;     ///< packed rings
inline constexpr std::uint64_t in_order = 1ULL << 35;        ///< buffers are used in the order they came in
inline constexpr std::uint64_t speed_duplex = 1ULL << 63;
} // namespace feature

/// A descriptor of a split ring. §2.7.5.
struct SplitDesc {
    le64 addr;
    le32 len;
    le16 flags;
    le16 next;
};
static_assert(sizeof(SplitDesc) == 16 && offsetof(SplitDesc, flags) == 12);

/// A descriptor of a packed ring. §2.8.13.
struct PackedDesc {
    le64 addr;
    le32 len;
    le16 id;
    le16 flags;
};
static_assert(sizeof(PackedDesc) == 16 && offsetof(PackedDesc, flags) == 14);

/// Flags of both kinds; the last two are of packed rings alone. §2.7.5, §2.8.1, §2.8.6.
namespace desc {
inline constexpr std::uint16_t next = 1;
inline constexpr std::uint16_t write = 2;
inline constexpr std::uint16_t indirect = 4;
inline constexpr std::uint16_t avail = 1U << 7;
inline constexpr std::uint16_t used = 1U << 15;
} // namespace desc

/// The header in front of every frame. §5.1.6.
struct NetHeader {
    std::uint8_t flags;
    std::uint8_t gso_type;
    le16 hdr_len;
    le16 gso_size;
    le16 csum_start;
    le16 csum_offset;
    le16 num_buffers;

    static constexpr std::uint8_t needs_csum = 1;
    static constexpr std::uint8_t data_valid = 2;
    static constexpr std::uint8_t gso_none = 0;
    static constexpr std::uint8_t gso_tcp4 = 1;
    static constexpr std::uint8_t gso_tcp6 = 4;
};
static_assert(sizeof(NetHeader) == 12 && offsetof(NetHeader, num_buffers) == 10);

/// Commands of the control queue. §5.1.6.5.
namespace control {
inline constexpr std::uint8_t ok = 0;
inline constexpr std::uint8_t error = 1;
inline constexpr std::uint8_t rx = 0;
inline constexpr std::uint8_t rx_promiscuous = 0;
inline constexpr std::uint8_t rx_all_multicast = 1;
inline constexpr std::uint8_t mac = 1;
inline constexpr std::uint8_t mac_table_set = 0;
inline constexpr std::uint8_t mac_addr_set = 1;
inline constexpr std::uint8_t mq = 4;
inline constexpr std::uint8_t mq_pairs_set = 0;
} // namespace control

} // namespace sluice::inline v1::model
