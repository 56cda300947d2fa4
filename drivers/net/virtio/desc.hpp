// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What driver and device share in memory: split (virtio 1.2 §2.7) and packed virtqueues (§2.8), the header
/// of a frame and the commands of the control queue (§5.1.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <sluice/base/endian.hpp>

namespace sluice::inline v1::virtio {

/// A descriptor of a split queue. §2.7.5.
struct Desc {
    le64 addr;
    le32 len;
    le16 flags;
    le16 next;

    static constexpr std::uint16_t flag_next = 1;
    static constexpr std::uint16_t flag_write = 2; ///< the device writes this buffer
};
static_assert(sizeof(Desc) == 16 && offsetof(Desc, len) == 8 && offsetof(Desc, flags) == 12 &&
              offsetof(Desc, next) == 14);

/// The head of the available ring, which the driver writes; `size` entries follow. §2.7.6.
struct Avail {
    le16 flags;
    le16 idx;

    static constexpr std::uint16_t no_interrupt = 1; ///< the driver polls
};
static_assert(sizeof(Avail) == 4);

/// The head of the used ring, which the device writes; `size` elements follow. §2.7.8.
struct Used {
    le16 flags;
    le16 idx;

    static constexpr std::uint16_t no_notify = 1; ///< the device polls
};
static_assert(sizeof(Used) == 4);

/// An element of the used ring: which chain, and how many bytes the device wrote to it. §2.7.8.
struct UsedElem {
    le32 id;
    le32 len;
};
static_assert(sizeof(UsedElem) == 8 && offsetof(UsedElem, len) == 4);

/// A descriptor of a packed queue: the driver's offer and, in the same place, the device's answer. §2.8.13.
struct PackedDesc {
    le64 addr;
    le32 len;
    le16 id;
    le16 flags;

    static constexpr std::uint16_t flag_next = 1;
    static constexpr std::uint16_t flag_write = 2;
    static constexpr std::uint16_t flag_avail = 1
                                                << 7; ///< §2.8.1: with flag_used says whose the descriptor is
    static constexpr std::uint16_t flag_used = 1 << 15;
};
static_assert(sizeof(PackedDesc) == 16 && offsetof(PackedDesc, len) == 8 && offsetof(PackedDesc, id) == 12 &&
              offsetof(PackedDesc, flags) == 14);

/// Either side's event suppression area. §2.8.14.
struct PackedEvents {
    le16 place; ///< for a feature that is not used here
    le16 flags;

    static constexpr std::uint16_t on = 0;
    static constexpr std::uint16_t off = 1;
};
static_assert(sizeof(PackedEvents) == 4);

/// In front of every frame, in both directions. §5.1.6. A modern device has `num_buffers` always; on transmit
/// all of it is zero when no offload is asked for.
struct NetHeader {
    std::uint8_t flags;
    std::uint8_t gso_type;
    le16 hdr_len;
    le16 gso_size;
    le16 csum_start;
    le16 csum_offset;
    le16 num_buffers;
};
static_assert(sizeof(NetHeader) == 12 && offsetof(NetHeader, num_buffers) == 10);

/// Commands of the control queue: class, command, data, and one byte in which the device answers. §5.1.6.5.
namespace ctrl {

struct Header {
    std::uint8_t cls;
    std::uint8_t command;
};
static_assert(sizeof(Header) == 2);

inline constexpr std::uint8_t ok = 0;
inline constexpr std::uint8_t error = 1;

inline constexpr std::uint8_t rx = 0; ///< §5.1.6.5.1: one byte, 0 or 1
inline constexpr std::uint8_t rx_promiscuous = 0;
inline constexpr std::uint8_t rx_all_multicast = 1;

inline constexpr std::uint8_t mac = 1;           ///< §5.1.6.5.2
inline constexpr std::uint8_t mac_table_set = 0; ///< le32 count and addresses: unicast, then multicast
inline constexpr std::uint8_t mac_addr_set = 1;  ///< six bytes

inline constexpr std::uint8_t mq = 4;           ///< §5.1.6.5.5
inline constexpr std::uint8_t mq_pairs_set = 0; ///< le16

} // namespace ctrl

/// Rings of a split queue lie one behind the other in one block of memory, none on a cache line of another's
/// writer. Alignments of §2.7.1. The used ring begins at the end of a line, so that its elements begin a
/// line.
struct SplitLayout {
    std::size_t desc = 0;
    std::size_t avail = 0;
    std::size_t used = 0;
    std::size_t bytes = 0;

    /// `size` is a power of two, at most 32,768.
    static constexpr SplitLayout of(std::size_t size) noexcept {
        constexpr std::size_t line = 64;
        const auto up = [](std::size_t value) { return (value + line - 1) / line * line; };
        SplitLayout layout;
        layout.avail = up(size * sizeof(Desc));
        // Behind either ring stands one more le16, the event index, which is not used here. §2.7.6, §2.7.8.
        layout.used =
            up(layout.avail + sizeof(Avail) + size * sizeof(le16) + sizeof(le16)) + line - sizeof(Used);
        layout.bytes = up(layout.used + sizeof(Used) + size * sizeof(UsedElem) + sizeof(le16));
        return layout;
    }
};

/// A packed queue in one block: descriptors, then each side's event suppression on a line of its own.
struct PackedLayout {
    std::size_t driver = 0;
    std::size_t device = 0;
    std::size_t bytes = 0;

    static constexpr PackedLayout of(std::size_t size) noexcept {
        constexpr std::size_t line = 64;
        const std::size_t end = (size * sizeof(PackedDesc) + line - 1) / line * line;
        return {end, end + line, end + 2 * line};
    }
};

} // namespace sluice::inline v1::virtio
