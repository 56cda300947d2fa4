// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A receive queue. Every slot of the ring holds an mbuf at all times: the burst that takes a frame out of a
/// slot puts a fresh mbuf into it.
#pragma once

#include <algorithm>
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

struct RxSetup {
    rte_mempool* pool = nullptr;
    std::uint16_t descriptors = 0;
    std::uint16_t port_id = 0;
    int numa_node = -1;
    bool scatter = false;
    bool checksum = false;
    bool vlan_strip = false;
};

class RxQueue {
  public:
    /// EINVAL: the pool's mbufs are smaller than the device's smallest buffer.
    static Result<std::unique_ptr<RxQueue>> create(const RxSetup& setup, const dma::EalMemory& memory,
                                                   Alarm& alarm);
    ~RxQueue() { drain(); }

    Iova ring() const noexcept { return ring_.iova(); }
    std::uint32_t ring_bytes() const noexcept { return std::uint32_t{size_} * sizeof(Descriptor); }
    /// What the device writes into one mbuf at most: a power of two.
    std::uint32_t buffer_bytes() const noexcept { return buffer_; }

    /// Puts an mbuf into every slot and connects the record. ENOMEM: the pool has too few.
    Result<> start(net::QueueRecord& record, reg::Doorbell<std::uint32_t> tail);
    /// After the device has stopped: returns all mbufs to the pool.
    void drain() noexcept;

    net::QueueCounters& counters() noexcept { return counters_; }

  private:
    /// Where a burst stands.
    struct Cursor {
        rte_mbuf** packets;
        void** fresh; ///< one past the next fresh mbuf
        void** fresh_end;
        std::uint32_t done;
        std::uint32_t want;
        std::uint32_t slot;
        std::uint32_t refilled;
        std::uint64_t bytes;

        /// Slots that may be taken by fours.
        std::uint32_t whole_groups(std::uint32_t size) const noexcept {
            return std::min({want - done, size - slot, static_cast<std::uint32_t>(fresh - fresh_end)}) & ~3u;
        }
        void moved(std::uint32_t count, std::uint32_t size, void** top, std::uint64_t sum) noexcept {
            done += count;
            refilled += count;
            slot = slot + count == size ? 0 : slot + count;
            fresh = top;
            bytes += sum;
        }
    };

    RxQueue(dma::DmaRegion ring, Alarm& alarm) noexcept
        : ring_(std::move(ring))
        , alarm_(alarm) {}

    template <bool Offloads, bool Arithmetic, bool Wide>
    static std::uint16_t burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
    template <bool Offloads, bool Arithmetic>
    bool one(Cursor& cursor) noexcept;
    template <bool Offloads, bool Arithmetic>
    void groups(Cursor& cursor) noexcept;
    void groups_avx2(Cursor& cursor) noexcept;
    template <bool Arithmetic>
    std::uint64_t address_of(const rte_mbuf* mbuf) const noexcept;
    template <bool Offloads>
    void describe(rte_mbuf* mbuf, std::uint64_t word, std::uint64_t length,
                  std::uint64_t rearm) const noexcept;
    rte_mbuf* segment(rte_mbuf* mbuf, std::uint64_t word) noexcept;
    void drop_chain() noexcept;
    bool lie(const char* what, std::uint16_t slot, std::uint64_t word) noexcept;

    // Read by every burst.
    Descriptor* descriptors_ = nullptr;
    rte_mbuf** mbufs_ = nullptr;
    std::uint64_t fail_mask_ = 0; ///< bits of (word − 1) that must equal `expected`
    std::uint64_t rearm_ = 0;     ///< data_off, refcnt, nb_segs and port of a received mbuf
    std::uint64_t from_mbuf_ = 0; ///< mbuf's address → IOVA of its data
    rte_mempool* pool_ = nullptr;
    std::uint16_t head_ = 0; ///< the next slot to be looked at
    std::uint16_t size_ = 0;
    std::uint16_t unposted_ = 0; ///< slots refilled since the tail was written
    std::uint16_t post_at_ = 0;
    reg::Doorbell<std::uint32_t> tail_;
    net::QueueCounters counters_;

    // A frame of several slots, or of one that is dropped.
    rte_mbuf* first_ = nullptr;
    rte_mbuf* last_ = nullptr;
    rte_mbuf* doomed_ = nullptr; ///< a chain to be freed when the burst ends
    std::uint16_t segments_ = 0;
    bool dropping_ = false;

    RxSetup setup_;
    net::PoolAddressing addressing_;
    std::uint32_t buffer_ = 0;
    dma::DmaRegion ring_;
    std::vector<rte_mbuf*> slots_;
    net::OwnCache own_cache_;
    Alarm& alarm_;
    net::QueueRecord* record_ = nullptr;
};

} // namespace sluice::inline v1::e1000
