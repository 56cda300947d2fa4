// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The messages of vhost-user as data, in the host's byte order. Numbers and layouts: QEMU's
/// docs/interop/vhost-user, "Message specification" and "Front-end message types".
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <sluice/base/unique_fd.hpp>

namespace sluice::inline v1::vhost_user {

/// What the front-end asks.
enum class Request : std::uint32_t {
    get_features = 1,
    set_features = 2,
    set_owner = 3,
    reset_owner = 4,
    set_mem_table = 5,
    set_log_base = 6,
    set_log_fd = 7,
    set_vring_num = 8,
    set_vring_addr = 9,
    set_vring_base = 10,
    get_vring_base = 11,
    set_vring_kick = 12,
    set_vring_call = 13,
    set_vring_err = 14,
    get_protocol_features = 15,
    set_protocol_features = 16,
    get_queue_num = 17,
    set_vring_enable = 18,
    get_config = 24,
    set_config = 25,
    set_status = 39,
    get_status = 40,
};

/// Feature bit that says that protocol features are there; it is no feature of virtio.
inline constexpr std::uint64_t protocol_features_bit = std::uint64_t{1} << 30;

/// Protocol features that are known here, as bits.
namespace protocol {
inline constexpr std::uint64_t mq = 1U << 0;
inline constexpr std::uint64_t reply_ack = 1U << 3;
inline constexpr std::uint64_t config = 1U << 9;
inline constexpr std::uint64_t status = 1U << 16;
} // namespace protocol

/// In front of every message; `size` bytes follow.
struct Header {
    std::uint32_t request = 0;
    std::uint32_t flags = 0;
    std::uint32_t size = 0;
};
static_assert(sizeof(Header) == 12);

inline constexpr std::uint32_t version = 1; ///< in the two lowest bits of the flags
inline constexpr std::uint32_t version_mask = 3;
inline constexpr std::uint32_t flag_reply = 4;
inline constexpr std::uint32_t flag_need_reply = 8;

/// Index of a ring, and its size, base, or whether it is enabled.
struct RingState {
    std::uint32_t index = 0;
    std::uint32_t value = 0;
};
static_assert(sizeof(RingState) == 8);

/// Where a ring's areas are, in the front-end's own address space.
struct RingAddresses {
    std::uint32_t index = 0;
    std::uint32_t flags = 0; ///< bit 0: log writes
    std::uint64_t desc = 0;
    std::uint64_t used = 0;  ///< packed: the device area
    std::uint64_t avail = 0; ///< packed: the driver area
    std::uint64_t log = 0;
};
static_assert(sizeof(RingAddresses) == 40 && offsetof(RingAddresses, avail) == 24);

struct MemoryRegion {
    std::uint64_t guest = 0; ///< what descriptors say
    std::uint64_t size = 0;
    std::uint64_t user = 0;   ///< what ring addresses say
    std::uint64_t offset = 0; ///< into the file
};
static_assert(sizeof(MemoryRegion) == 32);

inline constexpr std::size_t max_regions = 8;
struct MemoryRegions {
    std::uint32_t count = 0;
    std::uint32_t padding = 0;
    std::array<MemoryRegion, max_regions> regions{};
};
static_assert(sizeof(MemoryRegions) == 8 + max_regions * sizeof(MemoryRegion));

/// A piece of the device's configuration; `size` bytes follow.
struct ConfigHeader {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t flags = 0;
};
inline constexpr std::size_t max_config = 256;

/// Low bits of a kick or call message's value: the ring; and that no descriptor comes with it.
inline constexpr std::uint64_t ring_mask = 0xff;
inline constexpr std::uint64_t no_fd = 0x100;

/// The longest body that any known message has, and descriptors at most.
inline constexpr std::size_t max_body = 512;
inline constexpr std::size_t max_fds = max_regions;

/// One message as it came.
struct Message {
    Header header;
    std::vector<std::byte> body;
    std::vector<UniqueFd> fds;
    int fault =
        0; ///< E2BIG: longer than any, `body` is empty. EMFILE: too many descriptors, or some were lost

    Request request() const noexcept { return static_cast<Request>(header.request); }
    bool is_reply() const noexcept { return (header.flags & flag_reply) != 0; }
    bool needs_reply() const noexcept { return (header.flags & flag_need_reply) != 0; }

    /// The body's first bytes as a `T`; what is not there is zero.
    template <typename T>
    T as() const noexcept {
        T value{};
        if (!body.empty())
            std::memcpy(static_cast<void*>(&value), body.data(), std::min(body.size(), sizeof(T)));
        return value;
    }
};

template <typename T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
    return std::as_bytes(std::span(&value, 1));
}

} // namespace sluice::inline v1::vhost_user
