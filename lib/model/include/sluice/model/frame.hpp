// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Frames between a device and its back-end, and what a device does for a side that cannot: checksums and
/// segments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <sluice/model/ring.hpp>
#include <sluice/model/virtio.hpp>

namespace sluice::inline v1::model {

/// Longest frame: what an IP packet holds, with Ethernet header and two tags.
inline constexpr std::uint32_t max_frame = 65535 + 14 + 8;
inline constexpr std::uint32_t min_frame = 14;
/// Frames that move between a device and its back-end at once.
inline constexpr std::size_t max_burst = 32;

/// A frame in pieces. Its bytes may be a driver's memory, and change while they are read: whoever decides by
/// them copies them first. `header` was checked: offsets lie in the frame, and offloads are ones that were
/// negotiated; num_buffers means nothing.
struct Frame {
    NetHeader header{};
    std::uint32_t length = 0; ///< bytes of all pieces
    std::span<const Buffer> pieces;

    bool partial_checksum() const noexcept { return (header.flags & NetHeader::needs_csum) != 0; }
    bool unsegmented() const noexcept { return header.gso_type != NetHeader::gso_none; }
};

/// Copies the frame's first bytes to `to`; how many.
std::size_t copy_frame(const Frame& frame, std::span<std::byte> to) noexcept;

/// What one side takes.
struct Takes {
    bool checksum = false; ///< frames whose checksum is partial
    bool tcp4 = false;     ///< TCP frames over IPv4 that are not segmented
    bool tcp6 = false;

    bool as_it_is(const Frame& frame) const noexcept {
        return (!frame.partial_checksum() || checksum) &&
               (!frame.unsegmented() || (frame.header.gso_type == NetHeader::gso_tcp4 ? tcp4 : tcp6));
    }
};

/// True when the header asks for nothing but what `offered` says, with offsets inside a frame of `length`
/// bytes. Clears what only passes on knowledge.
bool check_header(NetHeader& header, std::uint32_t length, const Takes& offered) noexcept;

/// Makes of a frame what the other side takes. The copies live until the next call.
class Finisher {
  public:
    Finisher();

    /// Gives `out` each frame that `frame` becomes, in order, until one is refused. False: refused, or not
    /// what its header says.
    bool finish(const Frame& frame, const Takes& takes, const std::function<bool(const Frame&)>& out);

  private:
    bool segment(const NetHeader& header, std::uint32_t length, const std::function<bool(const Frame&)>& out);

    std::vector<std::byte> whole_;
    std::vector<std::byte> part_;
};

} // namespace sluice::inline v1::model
