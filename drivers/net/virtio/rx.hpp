// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The receive queue. Slot i of the ring is descriptor i for ever, and every slot holds an mbuf: a burst that
/// takes one puts a fresh one in its place, so that a refill is one address. The header of a frame lies in
/// the mbuf's headroom, and the frame where the caller expects it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <rte_mbuf.h>

#include <sluice/net/mbuf.hpp>

#include "queue.hpp"

namespace sluice::inline v1::virtio {

struct RxSetup {
    rte_mempool* pool = nullptr;
    std::uint16_t index = 0; ///< of the virtqueue
    std::uint16_t descriptors = 0;
    int numa_node = -1;
    std::uint16_t port_id = 0;
    bool scatter = false; ///< chains of mbufs are wanted
};

class RxQueue final : public Queue {
  public:
    /// EINVAL: a pool that devices cannot reach. `name` says whose queue it is; `alarm` outlives it.
    static Result<std::unique_ptr<RxQueue>> create(const RxSetup& setup, const dma::EalMemory& memory,
                                                   std::string name, const EventFd& alarm);
    ~RxQueue() { drain(); }

    /// Fills every slot. The device does not use the ring. ENOMEM: the pool is too small.
    Result<> fill(bool mergeable);

    /// Frees what the slots hold. The device does not use the ring any more.
    void drain() noexcept;

    /// What is published at first, once the device is live.
    void begin() noexcept;

    /// Whether used buffers interrupt. A frame that comes after it returned, does.
    void set_interrupts(bool on) noexcept {
        ring_.set_interrupts(on);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }

    net::BurstFunction burst_function() const noexcept;

  private:
    /// Shortest frame that is handed out: an Ethernet header.
    static constexpr std::uint32_t min_frame = 14;
    /// Longest: what fits an IP packet, with header and two tags.
    static constexpr std::uint32_t max_frame = 65535 + 14 + 8;

    static constexpr unsigned max_run = 64;
    static constexpr unsigned prefetch_ahead = 4;

    RxQueue(SplitRing ring, const RxSetup& setup, const net::PoolAddressing& addressing, net::OwnCache cache,
            std::string name, const EventFd& alarm);

    template <bool Linear>
    static std::uint16_t burst(void* queue, rte_mbuf** out, std::uint16_t count) noexcept;
    template <bool Linear>
    unsigned take_run(rte_mbuf** out, unsigned count) noexcept;
    unsigned take_frame(rte_mbuf*& out, unsigned ready) noexcept;
    unsigned frame_buffers(const UsedValue& first, unsigned ready) noexcept;
    bool take_fresh(unsigned count) noexcept;
    bool collect(unsigned buffers) noexcept;
    rte_mbuf* assemble(unsigned buffers) noexcept;
    void give_back(unsigned buffers) noexcept;

    std::uint64_t header_iova(const rte_mbuf* mbuf) const noexcept {
        return mbuf->buf_iova + iova_offset_ + header_offset;
    }

    static constexpr std::uint16_t header_offset = RTE_PKTMBUF_HEADROOM - sizeof(NetHeader);

    // Read by every burst.
    std::uint16_t next_ = 0;   ///< element of the used ring to be read next
    std::uint16_t posted_ = 0; ///< published index of the available ring
    std::uint16_t withheld_count_ = 0;
    bool mergeable_ = false;
    std::uint32_t fast_range_ = 0; ///< frames up to this much longer than the shortest one need no look
    std::uint32_t posted_bytes_ = 0;
    std::unique_ptr<rte_mbuf*[]> slots_;
    std::uint64_t linear_offset_ = 0; ///< from an mbuf's address to its header's IOVA
    std::uint64_t rearm_ = 0;
    rte_mempool* pool_;

    std::uint64_t iova_offset_;
    net::OwnCache own_cache_;
    std::uint16_t room_;
    bool linear_;
    bool scatter_;
    /// Slots that the device gave back before older ones: refilled, and published in their turn.
    std::vector<bool> withheld_;
    std::vector<UsedValue> claims_; ///< of the frame at hand
    std::vector<void*> fresh_;
};

} // namespace sluice::inline v1::virtio
