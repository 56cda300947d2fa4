// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What receive queues of both formats share: the slots, and all that is not the common case. The burst loops
/// stand in rx.cpp and rx_packed.cpp.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sluice/net/mbuf.hpp>

#include "ring.hpp"
#include "rx.hpp"

namespace sluice::inline v1::virtio {

/// Sixteen bytes that are stored at once.
using MbufHalf [[gnu::vector_size(16), gnu::aligned(8), gnu::may_alias]] = std::uint64_t;

inline std::byte* field(rte_mbuf* mbuf, std::size_t offset) noexcept {
    return reinterpret_cast<std::byte*>(mbuf) + offset;
}

static_assert(offsetof(rte_mbuf, ol_flags) == offsetof(rte_mbuf, data_off) + 8);
static_assert(offsetof(rte_mbuf, pkt_len) == offsetof(rte_mbuf, packet_type) + 4);
static_assert(offsetof(rte_mbuf, data_len) == offsetof(rte_mbuf, packet_type) + 8);
static_assert(offsetof(rte_mbuf, vlan_tci) == offsetof(rte_mbuf, data_len) + 2);

/// data_off, refcnt, nb_segs and port as one word. The order of the fields is rte_mbuf's.
inline std::uint64_t rearm_word(std::uint16_t data_off, std::uint16_t port) noexcept {
    rte_mbuf image{};
    image.data_off = data_off;
    image.refcnt = 1;
    image.nb_segs = 1;
    image.port = port;
    std::uint64_t word;
    std::memcpy(&word, field(&image, offsetof(rte_mbuf, data_off)), sizeof word);
    return word;
}

/// Writes all that a received mbuf says about its frame: length, no flags, no packet type, no tag.
inline void describe(rte_mbuf* mbuf, MbufHalf rearm, std::uint64_t length) noexcept {
    *reinterpret_cast<MbufHalf*>(field(mbuf, offsetof(rte_mbuf, data_off))) = rearm;
    const std::uint64_t type_and_length = length << 32;
    std::memcpy(field(mbuf, offsetof(rte_mbuf, packet_type)), &type_and_length, sizeof length);
    std::memcpy(field(mbuf, offsetof(rte_mbuf, data_len)), &length, sizeof length);
}

template <typename Ring>
class RxRing : public RxQueue {
  public:
    RxRing(Ring ring, const RxSetup& setup, const net::PoolAddressing& addressing, net::OwnCache cache,
           std::string name, const EventFd& alarm)
        : RxQueue(std::move(name), setup.index, alarm)
        , ring_(std::move(ring))
        // The prefetch reads beyond the last slot.
        , slots_(new rte_mbuf* [ring_.size() + prefetch_ahead] {})
        , linear_offset_(addressing.from_mbuf.value_or(0) - sizeof(NetHeader))
        , rearm_(rearm_word(RTE_PKTMBUF_HEADROOM, setup.port_id))
        , pool_(setup.pool)
        , iova_offset_(addressing.iova_offset)
        , own_cache_(std::move(cache))
        , room_(addressing.room)
        , linear_(addressing.from_mbuf.has_value())
        , scatter_(setup.scatter)
        , in_order_(setup.format.in_order)
        , withheld_(ring_.size())
        , claims_(ring_.size())
        , told_(ring_.size())
        , fresh_(ring_.size()) {}
    ~RxRing() override { drain(); }

    QueueSetup setup(std::uint16_t vector) const noexcept final { return ring_.setup(vector); }
    Result<> fill(bool mergeable) final;
    void drain() noexcept final;
    void begin() noexcept final {
        ring_.publish(posted_);
        kick(ring_);
    }
    void set_interrupts(bool on) noexcept final {
        ring_.set_interrupts(on);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }

  protected:
    /// Shortest frame that is handed out: an Ethernet header.
    static constexpr std::uint32_t min_frame = 14;
    /// Longest: what fits an IP packet, with header and two tags.
    static constexpr std::uint32_t max_frame = 65535 + 14 + 8;

    static constexpr unsigned max_run = 64;
    static constexpr unsigned prefetch_ahead = 4;

    unsigned take_frame(rte_mbuf*& out, unsigned ready) noexcept;
    unsigned frame_buffers(const UsedValue& first, unsigned ready) noexcept;
    bool take_fresh(unsigned count) noexcept;
    bool collect(unsigned buffers) noexcept;
    UsedValue claim(std::uint16_t position) noexcept;
    /// Of a device that keeps the order: how many buffers the used one at `position` speaks for.
    unsigned spoken_for(std::uint16_t position) const noexcept {
        return in_order_ ? ((ring_.claim(position).id - position) & ring_.mask()) + 1U : 1U;
    }
    rte_mbuf* assemble(unsigned buffers) noexcept;
    void give_back(unsigned buffers) noexcept;

    std::uint64_t header_iova(const rte_mbuf* mbuf) const noexcept {
        return mbuf->buf_iova + iova_offset_ + header_offset;
    }

    static constexpr std::uint16_t header_offset = RTE_PKTMBUF_HEADROOM - sizeof(NetHeader);

    // Read by every burst.
    Ring ring_;
    std::uint16_t next_ = 0;   ///< used buffer to be looked at next
    std::uint16_t posted_ = 0; ///< buffers given to the device
    std::uint16_t withheld_count_ = 0;
    bool mergeable_ = false;
    bool batched_ = false;         ///< the device has answered for the buffers up to `told_end_`
    std::uint32_t fast_range_ = 0; ///< frames up to this much longer than the shortest one need no look
    std::uint32_t posted_bytes_ = 0;
    unsigned max_buffers_ = 1; ///< of one frame
    std::unique_ptr<rte_mbuf*[]> slots_;
    std::uint64_t linear_offset_ = 0; ///< from an mbuf's address to its header's IOVA
    std::uint64_t rearm_ = 0;
    rte_mempool* pool_;

    std::uint64_t iova_offset_;
    net::OwnCache own_cache_;
    std::uint16_t room_;
    bool linear_;
    bool scatter_;
    bool in_order_; ///< the device promised to
    /// Slots that the device gave back before older ones: refilled, and published in their turn.
    std::vector<bool> withheld_;
    std::vector<UsedValue> claims_;   ///< of the frame at hand
    std::vector<std::uint32_t> told_; ///< lengths of buffers that were answered for at once
    std::uint16_t told_end_ = 0;
    std::vector<void*> fresh_;
};

/// `Queue` on `Ring`, for RxQueue::create.
template <typename Queue, typename Ring>
Result<std::unique_ptr<RxQueue>> make_rx(const RxSetup& setup, const net::PoolAddressing& addressing,
                                         net::OwnCache cache, const dma::EalMemory& memory, std::string name,
                                         const EventFd& alarm) {
    auto ring = Ring::allocate(memory, setup.descriptors, setup.numa_node);
    if (!ring)
        return propagate(std::move(ring));
    return std::unique_ptr<RxQueue>(
        new Queue(std::move(*ring), setup, addressing, std::move(cache), std::move(name), alarm));
}

/// rx_packed.cpp.
Result<std::unique_ptr<RxQueue>> make_packed_rx(const RxSetup& setup, const net::PoolAddressing& addressing,
                                                net::OwnCache cache, const dma::EalMemory& memory,
                                                std::string name, const EventFd& alarm);

template <typename Ring>
Result<> RxRing<Ring>::fill(bool mergeable) {
    drain();
    ring_.clear();
    const std::uint16_t size = ring_.size();
    if (rte_mempool_get_bulk(pool_, fresh_.data(), size) != 0)
        return fail(ENOMEM, "the pool has too few mbufs to fill a receive ring: enlarge it",
                    std::string(pool_->name) + ": " + std::to_string(size) + " descriptors, " +
                        std::to_string(rte_mempool_avail_count(pool_)) + " mbufs");
    mergeable_ = mergeable;
    posted_bytes_ = room_ + sizeof(NetHeader);
    max_buffers_ = mergeable ? max_frame / posted_bytes_ + 1 : 1;
    // With mergeable buffers a full one may have a successor, any other one has not: §5.1.6.3.2 wants all but
    // the last of a frame's buffers full.
    fast_range_ = room_ - (mergeable ? 1U : 0U) - min_frame;
    for (std::uint16_t i = 0; i < size; ++i) {
        slots_[i] = static_cast<rte_mbuf*>(fresh_[i]);
        ring_.offer(i, header_iova(slots_[i]), posted_bytes_);
    }
    next_ = 0;
    posted_ = size;
    withheld_count_ = 0;
    batched_ = false;
    std::fill(withheld_.begin(), withheld_.end(), false);
    return {};
}

template <typename Ring>
void RxRing<Ring>::drain() noexcept {
    for (std::uint16_t i = 0; i < ring_.size(); ++i)
        if (rte_mbuf* const mbuf = std::exchange(slots_[i], nullptr))
            rte_mempool_put(pool_, mbuf);
}

/// One frame of any kind. How many used buffers it took: 0 when the queue broke or the pool is
/// empty. `out` stays null when the frame is dropped.
template <typename Ring>
unsigned RxRing<Ring>::take_frame(rte_mbuf*& out, unsigned ready) noexcept {
    claims_[0] = claim(next_);
    const unsigned buffers = frame_buffers(claims_[0], ready);
    if (buffers == 0 || !collect(buffers))
        return 0;
    std::uint32_t bytes = 0;
    for (unsigned i = 0; i < buffers; ++i)
        bytes += claims_[i].len;
    const std::uint32_t length = bytes - static_cast<std::uint32_t>(sizeof(NetHeader));
    if (length > max_frame) {
        break_queue("a frame is longer than any can be");
        return 0;
    }
    if (length < min_frame || (buffers > 1 && !scatter_)) {
        counters_.errors.add(1);
    } else if (!take_fresh(buffers)) {
        for (unsigned i = 0; i < buffers; ++i)
            withheld_[claims_[i].id] = false;
        counters_.no_mbuf.add(1);
        return 0;
    } else {
        out = assemble(buffers);
        counters_.bytes.add(length);
    }
    give_back(buffers);
    return buffers;
}

/// Takes mbufs out of the pool into `fresh_`, all or none.
template <typename Ring>
bool RxRing<Ring>::take_fresh(unsigned count) noexcept {
    rte_mempool_cache& cache = net::cache_of(pool_, own_cache_);
    if (cache.len < count)
        net::fill_cache(pool_, cache, count);
    if (cache.len < count)
        return false;
    cache.len -= count;
    std::memcpy(static_cast<void*>(fresh_.data()), static_cast<const void*>(cache.objs + cache.len),
                count * sizeof(void*));
    return true;
}

/// What the device says of the buffer at `position`. One that keeps the order may answer for several with the
/// last one's id: those before it are full (§2.7.9, §2.8.9).
template <typename Ring>
UsedValue RxRing<Ring>::claim(std::uint16_t position) noexcept {
    const std::uint16_t slot = position & ring_.mask();
    if (batched_ && static_cast<std::int16_t>(position - told_end_) < 0)
        return {slot, told_[slot]};
    const UsedValue said = ring_.claim(position);
    const unsigned skipped = (said.id - slot) & ring_.mask();
    if (!in_order_ || skipped == 0 || said.id >= ring_.size() ||
        skipped >= static_cast<std::uint16_t>(posted_ - position))
        return said;
    // The used index counts them all.
    if constexpr (requires { ring_.used_idx(); })
        if (skipped >= static_cast<std::uint16_t>(ring_.used_idx() - position))
            return said;
    for (unsigned i = 0; i < skipped; ++i)
        told_[(slot + i) & ring_.mask()] = posted_bytes_;
    told_[said.id] = said.len;
    told_end_ = static_cast<std::uint16_t>(position + skipped + 1);
    batched_ = true;
    return {slot, told_[slot]};
}

/// How many buffers the frame claims that begins with `first`; 0: it lies.
template <typename Ring>
unsigned RxRing<Ring>::frame_buffers(const UsedValue& first, unsigned ready) noexcept {
    if (first.id >= ring_.size() || withheld_[first.id]) {
        break_queue("it gave back a buffer that it does not have");
        return 0;
    }
    if (first.len < sizeof(NetHeader) || first.len > posted_bytes_) {
        break_queue("a length is outside the buffer");
        return 0;
    }
    if (!mergeable_ || first.len < posted_bytes_)
        return 1;
    const auto* const mbuf = slots_[first.id];
    const auto* const at =
        static_cast<const std::byte*>(mbuf->buf_addr) + header_offset + offsetof(NetHeader, num_buffers);
    // §5.1.6.4: all buffers of a frame are used at once.
    const unsigned buffers =
        to_little(__atomic_load_n(reinterpret_cast<const std::uint16_t*>(at), __ATOMIC_RELAXED));
    if (buffers == 0 || buffers > ready || buffers > max_buffers_) {
        break_queue("a frame claims more buffers than it can have");
        return 0;
    }
    return buffers;
}

/// Reads what the device says of a frame's buffers, each once, and takes them out of its hands; the first
/// claim was read. False: it lies.
template <typename Ring>
bool RxRing<Ring>::collect(unsigned buffers) noexcept {
    for (unsigned i = 0; i < buffers; ++i) {
        if (i != 0)
            claims_[i] = claim(static_cast<std::uint16_t>(next_ + i));
        const UsedValue claim = claims_[i];
        const bool last = i + 1 == buffers;
        if (claim.id >= ring_.size() || withheld_[claim.id]) {
            break_queue("it gave back a buffer that it does not have");
            return false;
        }
        if (claim.len > posted_bytes_ || claim.len < (i == 0 ? sizeof(NetHeader) : 1) ||
            (!last && claim.len != posted_bytes_)) {
            break_queue("a length is outside the buffer");
            return false;
        }
        if (in_order_ && claim.id != ((next_ + i) & ring_.mask())) {
            break_queue("it promised an order and does not keep it");
            return false;
        }
        withheld_[claim.id] = true;
    }
    return true;
}

/// The frame's mbufs as a chain, with those of `fresh_` in their slots.
template <typename Ring>
rte_mbuf* RxRing<Ring>::assemble(unsigned buffers) noexcept {
    rte_mbuf* head = nullptr;
    rte_mbuf* tail = nullptr;
    for (unsigned i = 0; i < buffers; ++i) {
        const UsedValue claim = claims_[i];
        rte_mbuf* const mbuf = slots_[claim.id];
        slots_[claim.id] = static_cast<rte_mbuf*>(fresh_[i]);
        ring_.replace(static_cast<std::uint16_t>(claim.id), header_iova(slots_[claim.id]));
        if (head == nullptr) {
            describe(mbuf, MbufHalf{rearm_, 0}, claim.len - sizeof(NetHeader));
            head = mbuf;
        } else {
            // Later buffers have no header: the frame goes on where the header would be.
            describe(mbuf, MbufHalf{rearm_, 0}, claim.len);
            mbuf->data_off = header_offset;
            tail->next = mbuf;
            head->pkt_len += claim.len;
        }
        tail = mbuf;
    }
    head->nb_segs = static_cast<std::uint16_t>(buffers);
    return head;
}

/// Publishes the slots of the frame at hand, and others, as far as no older one is missing.
template <typename Ring>
void RxRing<Ring>::give_back(unsigned buffers) noexcept {
    next_ = static_cast<std::uint16_t>(next_ + buffers);
    batched_ = batched_ && static_cast<std::int16_t>(next_ - told_end_) < 0;
    withheld_count_ = static_cast<std::uint16_t>(withheld_count_ + buffers);
    while (withheld_count_ != 0 && withheld_[posted_ & ring_.mask()]) {
        const unsigned slot = posted_ & ring_.mask();
        withheld_[slot] = false;
        ring_.repost(posted_, header_iova(slots_[slot]), posted_bytes_);
        ++posted_;
        --withheld_count_;
    }
}

} // namespace sluice::inline v1::virtio
