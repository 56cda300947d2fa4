// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The transmit queue. A frame of one mbuf takes one descriptor: its header is written into the mbuf's
/// headroom. As long as all frames are such, slot i of the ring is descriptor i, the available ring is never
/// written, and completion copies 32 pointers at a time. Frames of several mbufs, or whose headroom belongs
/// to somebody else, take a chain of consecutive slots; the queue is then irregular until it has run empty.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <rte_mbuf.h>

#include "queue.hpp"

namespace sluice::inline v1::virtio {

struct TxSetup {
    std::uint16_t index = 0; ///< of the virtqueue
    std::uint16_t descriptors = 0;
    int numa_node = -1;
};

class TxQueue final : public Queue {
  public:
    /// Segments of a frame at most; each ring has room for one such frame and its header.
    static constexpr std::uint16_t max_segments = 32;

    /// `name` says whose queue it is; `alarm` outlives it.
    static Result<std::unique_ptr<TxQueue>> create(const TxSetup& setup, const dma::EalMemory& memory,
                                                   std::string name, const EventFd& alarm);
    ~TxQueue() { drain(); }

    /// Empties the ring. The device does not use it.
    void clear() noexcept;

    /// Frees what the device has not sent. It does not use the ring any more.
    void drain() noexcept;

    static std::uint16_t burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
    static std::uint32_t reclaim(void* queue) noexcept;

  private:
    /// Shortest and longest frame that can be sent, without offloads.
    static constexpr std::uint32_t min_frame = 14;
    static constexpr std::uint32_t max_frame = 65535 + 14 + 8;
    static constexpr unsigned lump = 32;
    static constexpr std::size_t header_stride = 16;

    TxQueue(SplitRing ring, dma::DmaRegion headers, std::uint16_t index, std::uint64_t iova_offset,
            std::string name, const EventFd& alarm);

    unsigned room() const noexcept { return ring_.size() - static_cast<std::uint16_t>(head_ - clean_); }
    unsigned completed() noexcept;
    void complete_lumps(unsigned completions) noexcept;
    bool complete_lump() noexcept;
    unsigned complete_frames(unsigned completions) noexcept;
    bool make_room(unsigned descriptors) noexcept;
    void realign() noexcept;

    unsigned post_run(rte_mbuf** packets, unsigned count) noexcept;
    bool post_frame(rte_mbuf* mbuf) noexcept;
    void post_descriptors(rte_mbuf* mbuf, bool header_in_place) noexcept;
    void adopt_pool(rte_mempool* pool) noexcept;

    bool exceptional(unsigned slot) const noexcept {
        return (exceptions_[slot / lump] >> slot % lump & 1) != 0;
    }
    void mark(unsigned slot) noexcept { exceptions_[slot / lump] |= std::uint32_t{1} << slot % lump; }
    void unmark(unsigned slot) noexcept { exceptions_[slot / lump] &= ~(std::uint32_t{1} << slot % lump); }

    // Counted without end, modulo 2^16; masked they are slots and entries.
    std::uint16_t head_ = 0;  ///< slot of the next frame
    std::uint16_t clean_ = 0; ///< oldest slot in use
    std::uint16_t avail_ = 0; ///< published index of the available ring
    std::uint16_t next_ = 0;  ///< element of the used ring to be read next
    bool irregular_ = false;  ///< entry i of the available ring may name another descriptor than i
    /// First mbuf of each frame in its first slot, null in the other slots of frames that are not sent yet.
    std::unique_ptr<rte_mbuf*[]> slots_;
    /// A bit for each slot whose mbuf cannot go back to the pool as it is, or not with its neighbours.
    std::unique_ptr<std::uint32_t[]> exceptions_;
    rte_mempool* pool_ = nullptr; ///< of the frames posted last
    std::uint64_t iova_offset_;

    std::vector<std::uint16_t> spans_; ///< slots of the frame that begins in each slot
    dma::DmaRegion headers_;           ///< a header of zeroes for each slot
};

} // namespace sluice::inline v1::virtio
