// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A transmit queue. What completion may do with a slot's mbuf is decided when it is submitted, and
/// completion works in lumps of 32 slots.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/dma/region.hpp>
#include <sluice/net/mbuf.hpp>
#include <sluice/net/queue.hpp>
#include <sluice/reg/doorbell.hpp>

#include "desc.hpp"
#include "fault.hpp"

namespace sluice::inline v1::e1000 {

struct TxSetup {
    std::uint16_t descriptors = 0;
    int numa_node = -1;
    bool multi_segment = false;
};

/// Bytes without CRC from which on short frames are padded. [82574] §7.2, [8254x] §3.3.3.
inline constexpr std::uint64_t tx_shortest_frame = 17;
/// The inline path takes lengths from tx_shortest_frame to tx_shortest_frame + tx_inline_lengths − 1.
inline constexpr std::uint64_t tx_inline_lengths = 8192;

/// rearm_data of an mbuf that may go back to its pool as it is: refcnt 1, nb_segs 1; any data_off, any port.
inline constexpr std::uint64_t tx_plain_rearm = 0x0000'0001'0001'0000;
inline constexpr std::uint64_t tx_plain_mask = 0x0000'ffff'ffff'0000;
static_assert(offsetof(rte_mbuf, refcnt) == offsetof(rte_mbuf, rearm_data) + 2);
static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, rearm_data) + 4);
/// Flags of an mbuf whose data lies elsewhere.
inline constexpr std::uint64_t tx_foreign_buffer = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;

/// Mbufs in one frame at most.
inline constexpr std::uint16_t tx_segments = 32;

class TxQueue {
  public:
    static Result<std::unique_ptr<TxQueue>> create(const TxSetup& setup, const dma::EalMemory& memory,
                                                   Alarm& alarm);
    ~TxQueue() { drain(); }

    Iova ring() const noexcept { return ring_.iova(); }
    std::uint32_t ring_bytes() const noexcept { return std::uint32_t{size_} * sizeof(Descriptor); }

    void start(net::QueueRecord& record, reg::Doorbell<std::uint32_t> tail) noexcept;
    /// After the device has stopped: frees all mbufs, sent or not.
    void drain() noexcept;

    net::QueueCounters& counters() noexcept { return counters_; }

  private:
    static constexpr std::uint32_t lump = 32;
    /// What is known of 32 slots.
    struct Lump {
        rte_mempool* pool = nullptr; ///< of all its mbufs, unless `mixed`
        std::uint16_t report = 0;    ///< the slot whose status tells that all 32 are done
        bool mixed = false;          ///< chains, shared or foreign mbufs: freed one by one
    };

    TxQueue(dma::DmaRegion ring, Alarm& alarm) noexcept
        : ring_(std::move(ring))
        , alarm_(alarm) {}

    template <bool Wide>
    static std::uint16_t burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
    static std::uint32_t reclaim(void* queue) noexcept;

    struct Look;
    template <std::size_t Count>
    static bool submit(rte_mbuf* const* from, Descriptor* descriptor, rte_mbuf** slot,
                       const rte_mempool* pool, std::uint64_t offset, std::uint64_t& bytes) noexcept;
    std::uint32_t groups_avx2(rte_mbuf* const* from, std::uint32_t count, std::uint32_t start,
                              const rte_mempool* pool, std::uint64_t& bytes) noexcept;
    bool odd(rte_mbuf* frame) noexcept;
    /// Asks for a report when `slot` is done.
    void report(std::uint32_t slot) noexcept {
        descriptors_[slot].word = descriptors_[slot].word | TxWord::Rs::mask;
    }
    void complete() noexcept;
    bool look(std::uint16_t slot) noexcept;
    void release(std::uint32_t begin, std::uint32_t end) noexcept;
    /// Slots that may be filled: never into a lump that still holds mbufs of its former turn.
    std::uint32_t free_slots() const noexcept { return size_ - 1u - used_ - clean_ % lump; }

    Descriptor* descriptors_ = nullptr;
    rte_mbuf** mbufs_ = nullptr;
    Lump* lumps_ = nullptr;
    std::uint64_t iova_offset_ = 0;
    std::uint16_t size_ = 0;
    std::uint16_t next_ = 0;  ///< the slot to be filled next
    std::uint16_t clean_ = 0; ///< the oldest slot whose mbuf was not freed
    std::uint16_t used_ = 0;  ///< slots from clean_ to next_
    std::uint16_t last_report_ = 0;
    reg::Doorbell<std::uint32_t> tail_;
    net::QueueCounters counters_;

    TxSetup setup_;
    dma::DmaRegion ring_;
    std::vector<rte_mbuf*> slots_;
    std::vector<Lump> lump_table_;
    Alarm& alarm_;
    net::QueueRecord* record_ = nullptr;
};

} // namespace sluice::inline v1::e1000
