// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Frames on their way from one device to another.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sluice/model/frame.hpp>

namespace sluice::inline v1::model {

/// Copies of frames, first in, first out, in a bounded block of memory. One thread pushes, one peeks and
/// pops.
class FrameFifo {
  public:
    /// Holds 15 of the longest frames, or some 11,000 short ones.
    static constexpr std::size_t capacity = std::size_t{1} << 20;

    FrameFifo()
        : memory_(capacity) {}

    /// False when it is full.
    bool push(const Frame& frame) noexcept;
    /// The oldest frames, at most max_burst; valid until pop().
    std::span<const Frame> peek() noexcept;
    /// Ends the first `count` of those peeked.
    void pop(std::size_t count) noexcept;
    /// By the popping side.
    void clear() noexcept;

  private:
    struct Record {
        std::uint32_t bytes; ///< of the frame; `skip`: the next record is at the block's start
        NetHeader header;
    };
    static_assert(sizeof(Record) == 16);
    static constexpr std::uint32_t skip = ~std::uint32_t{0};
    static constexpr std::size_t record_bytes(std::uint32_t bytes) noexcept {
        return (sizeof(Record) + bytes + 15) & ~std::size_t{15};
    }

    std::vector<std::byte> memory_;
    alignas(64) std::atomic<std::uint64_t> head_{0}; ///< pushed so far, in bytes
    alignas(64) std::atomic<std::uint64_t> tail_{0}; ///< popped so far
    std::array<Frame, max_burst> frames_{};
    std::array<Buffer, max_burst> pieces_{};
    std::array<std::uint64_t, max_burst> ends_{};
};

} // namespace sluice::inline v1::model
