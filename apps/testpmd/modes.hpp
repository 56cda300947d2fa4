// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What forwarding does to a burst of frames.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <rte_ether.h>
#include <rte_mbuf.h>

namespace sluice::testpmd {

enum class Mode : std::uint8_t {
    io,      ///< frames go out as they came in
    mac,     ///< source and destination address are set
    macswap, ///< source and destination address change places
    rxonly,  ///< frames are received and dropped
    txonly,  ///< frames are made and sent
};

inline constexpr std::string_view mode_names[] = {"io", "mac", "macswap", "rxonly", "txonly"};

constexpr std::string_view name_of(Mode mode) noexcept {
    return mode_names[static_cast<std::size_t>(mode)];
}
std::optional<Mode> mode_named(std::string_view name) noexcept;

/// Frames that are shorter than an Ethernet header stay as they are.
void set_addresses(std::span<rte_mbuf* const> frames, const rte_ether_addr& source,
                   const rte_ether_addr& destination) noexcept;
void swap_addresses(std::span<rte_mbuf* const> frames) noexcept;

/// Makes the frames of txonly: UDP from 198.18.0.1 to 198.18.0.2 (RFC 2544 §C.2.2), port 9 to port 9.
class FrameMaker {
  public:
    static constexpr std::uint16_t min_bytes = 60;
    static constexpr std::uint16_t max_bytes = 1518;

    /// `bytes` of each frame, from `min_bytes` to `max_bytes`, without the checksum that the NIC adds.
    explicit FrameMaker(std::uint16_t bytes) noexcept;

    /// Fills `frames` with new frames out of `pool`: all of them, or none when the pool is short.
    std::uint16_t make(rte_mempool* pool, std::span<rte_mbuf*> frames, const rte_ether_addr& source,
                       const rte_ether_addr& destination) const noexcept;

  private:
    std::uint16_t bytes_;
    std::uint8_t headers_[14 + 20 + 8];
};

} // namespace sluice::testpmd
