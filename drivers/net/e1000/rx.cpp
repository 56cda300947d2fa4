// SPDX-License-Identifier: BSD-3-Clause
#include "rx.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::inline v1::e1000 {
namespace {

/// Frames of one call at most: what one turn of the pool's cache can give.
constexpr std::uint32_t burst_limit = 256;
/// Bytes of the longest frame that the devices store, for the bound of a chain.
constexpr std::uint32_t longest_frame = 16384;

constexpr std::uint64_t done_whole = RxWord::Dd::mask | RxWord::Eop::mask;

/// The two fields of 8 bytes that a received mbuf gets beside rearm and flags: type and packet length;
/// data length, VLAN and hash.
void set_lengths(rte_mbuf* mbuf, std::uint64_t length, std::uint64_t vlan) noexcept {
    auto* at = reinterpret_cast<std::byte*>(mbuf);
    const std::uint64_t type_and_length = length << 32;
    const std::uint64_t length_and_vlan = length | vlan << 16;
    std::memcpy(at + offsetof(rte_mbuf, packet_type), &type_and_length, 8);
    std::memcpy(at + offsetof(rte_mbuf, data_len), &length_and_vlan, 8);
}
static_assert(offsetof(rte_mbuf, pkt_len) == offsetof(rte_mbuf, packet_type) + 4);
static_assert(offsetof(rte_mbuf, vlan_tci) == offsetof(rte_mbuf, data_len) + 2);
static_assert(offsetof(rte_mbuf, hash) == offsetof(rte_mbuf, data_len) + 4);

} // namespace

/// Where a burst stands; lives in registers while the frames are plain.
struct RxQueue::Cursor {
    rte_mbuf** packets;
    void** fresh; ///< one past the next fresh mbuf
    void** fresh_end;
    std::uint32_t done;
    std::uint32_t want;
    std::uint32_t slot;
    std::uint32_t refilled;
    std::uint64_t bytes;
};

Result<std::unique_ptr<RxQueue>> RxQueue::create(const RxSetup& setup, const dma::EalMemory& memory,
                                                 Alarm& alarm) {
    auto addressing = net::pool_addressing(setup.pool, memory.iova_offset());
    if (!addressing)
        return propagate(std::move(addressing));
    // Buffers are 256 bytes to 16 KiB, powers of two. [82574] §10.2.5, [8254x] §13.4.22.
    if (addressing->room < 256)
        return fail(EINVAL, "the pool's mbufs have too little data room: 256 bytes are needed", alarm.device);
    auto own_cache = net::make_cache(setup.pool, setup.numa_node);
    if (!own_cache)
        return propagate(std::move(own_cache));
    auto ring = dma::DmaRegion::allocate(memory, setup.descriptors * sizeof(Descriptor),
                                         {.alignment = 128, .numa_node = setup.numa_node});
    if (!ring)
        return propagate(std::move(ring));

    std::unique_ptr<RxQueue> queue(new RxQueue(std::move(*ring), alarm));
    queue->setup_ = setup;
    queue->addressing_ = *addressing;
    queue->buffer_ = std::min<std::uint32_t>(std::bit_floor<std::uint32_t>(addressing->room), 16384);
    queue->descriptors_ = queue->ring_.as<Descriptor>().data();
    queue->slots_.assign(setup.descriptors, nullptr);
    queue->mbufs_ = queue->slots_.data();
    queue->size_ = setup.descriptors;
    queue->post_at_ = static_cast<std::uint16_t>(std::min(32, setup.descriptors / 4));
    queue->pool_ = setup.pool;
    queue->own_cache_ = std::move(*own_cache);
    queue->from_mbuf_ = addressing->from_mbuf.value_or(0);
    // (word − 1) has a length in [0, buffer) exactly when these bits of it are clear, since a length of 0
    // borrows from above; with them stand the bits that a plain frame has and lacks.
    const auto too_long = static_cast<std::uint64_t>(RxWord::Length::mask & ~(queue->buffer_ - 1));
    queue->fail_mask_ = too_long | done_whole | rx_errors;
    return queue;
}

Result<> RxQueue::start(net::QueueRecord& record, reg::Doorbell<std::uint32_t> tail) {
    if (rte_pktmbuf_alloc_bulk(pool_, mbufs_, size_) != 0) {
        std::fill(slots_.begin(), slots_.end(), nullptr);
        return fail(
            ENOMEM,
            "the pool has too few mbufs to fill a receive ring: enlarge it, or ask for fewer descriptors",
            alarm_.device + ": " + std::to_string(size_) + " wanted, " +
                std::to_string(rte_mempool_avail_count(pool_)) + " there");
    }
    const bool arithmetic = addressing_.from_mbuf.has_value();
    for (std::uint32_t i = 0; i < size_; ++i) {
        descriptors_[i].address = arithmetic ? address_of<true>(mbufs_[i]) : address_of<false>(mbufs_[i]);
        descriptors_[i].word = 0;
    }
    head_ = 0;
    unposted_ = 0;
    dropping_ = false;
    rte_mbuf model{};
    model.data_off = RTE_PKTMBUF_HEADROOM;
    rte_mbuf_refcnt_set(&model, 1);
    model.nb_segs = 1;
    model.port = setup_.port_id;
    std::memcpy(&rearm_, &model.rearm_data, sizeof(rearm_));

    static constexpr std::array<net::BurstFunction, 4> variants = {burst<false, false>, burst<false, true>,
                                                                   burst<true, false>, burst<true, true>};
    const bool offloads = setup_.checksum || setup_.vlan_strip;
    tail_ = tail;
    record_ = &record;
    record.queue = this;
    record.counters = &counters_;
    record.broken = false;
    record.burst = variants[(offloads ? 2u : 0u) + (arithmetic ? 1u : 0u)];
    // The slot before the head stays the device's limit: a tail equal to the head would mean an empty ring.
    tail_.ring(size_ - 1u);
    return {};
}

void RxQueue::drain() noexcept {
    drop_chain();
    for (rte_mbuf*& mbuf : slots_) {
        if (mbuf != nullptr)
            rte_mbuf_raw_free(mbuf);
        mbuf = nullptr;
    }
    if (own_cache_ != nullptr)
        rte_mempool_cache_flush(own_cache_.get(), pool_);
}

void RxQueue::drop_chain() noexcept {
    if (first_ != nullptr)
        rte_pktmbuf_free(first_);
    first_ = nullptr;
    last_ = nullptr;
    segments_ = 0;
}

template <bool Arithmetic>
std::uint64_t RxQueue::address_of(const rte_mbuf* mbuf) const noexcept {
    if constexpr (Arithmetic)
        return reinterpret_cast<std::uintptr_t>(mbuf) + from_mbuf_; // never reads the mbuf
    else
        return rte_mbuf_iova_get(mbuf) + RTE_PKTMBUF_HEADROOM + addressing_.iova_offset;
}

template <bool Offloads>
inline void RxQueue::describe(rte_mbuf* mbuf, std::uint64_t word, std::uint32_t length) const noexcept {
    std::memcpy(&mbuf->rearm_data, &rearm_, sizeof(rearm_));
    std::uint64_t flags = 0;
    std::uint64_t vlan = 0;
    if constexpr (Offloads) {
        const auto rx = RxWord::from(word);
        if (setup_.checksum && !rx.get<RxWord::Ixsm>()) {
            if (rx.get<RxWord::Ipcs>())
                flags |= rx.get<RxWord::Ipe>() ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_IP_CKSUM_GOOD;
            if (rx.get<RxWord::Tcpcs>())
                flags |= rx.get<RxWord::Tcpe>() ? RTE_MBUF_F_RX_L4_CKSUM_BAD : RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        }
        if (setup_.vlan_strip && rx.get<RxWord::Vp>()) {
            flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
            vlan = rx.get<RxWord::Vlan>();
        }
    }
    mbuf->ol_flags = flags;
    set_lengths(mbuf, length, vlan);
}

bool RxQueue::lie(const char* what, std::uint16_t slot, std::uint64_t word) noexcept {
    alarm_.raise(*record_, counters_, what, slot, word);
    return false;
}

/// Adds a slot's mbuf to the frame that is being put together; the whole frame at its end.
rte_mbuf* RxQueue::segment(rte_mbuf* mbuf, std::uint64_t word) noexcept {
    if (first_ == nullptr) {
        first_ = mbuf;
    } else {
        last_->next = mbuf;
        first_->pkt_len += mbuf->data_len;
        first_->nb_segs = static_cast<std::uint16_t>(first_->nb_segs + 1);
    }
    last_ = mbuf;
    if ((word & RxWord::Eop::mask) == 0)
        return nullptr;
    // Checksum and VLAN stand in the last descriptor alone.
    first_->ol_flags = last_->ol_flags;
    first_->vlan_tci = last_->vlan_tci;
    segments_ = 0;
    last_ = nullptr;
    return std::exchange(first_, nullptr);
}

/// One slot with every check: what is not four plain frames in a row. False when the burst ends.
template <bool Offloads, bool Arithmetic>
[[gnu::noinline]] bool RxQueue::one(Cursor& cursor) noexcept {
    const auto slot = static_cast<std::uint16_t>(cursor.slot);
    Descriptor& descriptor = descriptors_[slot];
    const std::uint64_t word = read_word(descriptor);
    if ((word & RxWord::Dd::mask) == 0)
        return false;
    std::atomic_thread_fence(std::memory_order_acquire);
    const auto length = static_cast<std::uint32_t>(word & RxWord::Length::mask);
    if (length == 0 || length > buffer_)
        return lie("a length outside the buffer that was posted", slot, word);
    if (++segments_ > longest_frame / buffer_ + 1)
        return lie("a frame without an end", slot, word);

    const bool last = (word & RxWord::Eop::mask) != 0;
    dropping_ = dropping_ || (!last && !setup_.scatter) || (word & rx_errors) != 0;
    if (dropping_) {
        // The slot keeps its mbuf.
        descriptor.word = 0;
        if (last) {
            doomed_ = std::exchange(first_, nullptr);
            segments_ = 0;
            dropping_ = false;
            counters_.errors.add(1);
        }
    } else {
        if (cursor.fresh == cursor.fresh_end) {
            --segments_;
            counters_.no_mbuf.add(1);
            return false;
        }
        rte_mbuf* mbuf = mbufs_[slot];
        auto* fresh = static_cast<rte_mbuf*>(*--cursor.fresh);
        mbufs_[slot] = fresh;
        descriptor.address = address_of<Arithmetic>(fresh);
        descriptor.word = 0;
        describe<Offloads>(mbuf, word, length);
        if (rte_mbuf* whole = segment(mbuf, word)) {
            cursor.bytes += whole->pkt_len;
            cursor.packets[cursor.done++] = whole;
        }
    }
    ++cursor.refilled;
    if (++cursor.slot == size_)
        cursor.slot = 0;
    return doomed_ == nullptr;
}

template <bool Offloads, bool Arithmetic>
std::uint16_t RxQueue::burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    RxQueue& self = *static_cast<RxQueue*>(queue);
    Descriptor* const descriptors = self.descriptors_;
    std::uint32_t slot = self.head_;
    if ((read_word(descriptors[slot]) & RxWord::Dd::mask) == 0)
        return 0;

    const std::uint32_t want = std::min<std::uint32_t>(count, burst_limit);
    rte_mempool_cache& cache = net::cache_of(self.pool_, self.own_cache_);
    if (cache.len < want) [[unlikely]]
        net::fill_cache(self.pool_, cache, want);
    void** fresh = cache.objs + cache.len;
    void** const enough = cache.objs + 4;

    rte_mbuf** const mbufs = self.mbufs_;
    const std::uint64_t mask = self.fail_mask_;
    std::uint32_t done = 0;
    std::uint32_t refilled = 0;
    std::uint64_t bytes = 0;
    for (;;) {
        const std::uint32_t last_group = self.size_ - 4u;
        while (want - done >= 4 && slot <= last_group && fresh >= enough && self.segments_ == 0) {
            std::array<std::uint64_t, 4> words;
            std::uint64_t odd = 0;
            for (unsigned i = 0; i < 4; ++i) {
                words[i] = read_word(descriptors[slot + i]);
                odd |= (words[i] - 1) ^ done_whole;
            }
            if ((odd & mask) != 0)
                break;
            std::atomic_thread_fence(std::memory_order_acquire); // frames after their descriptors
            fresh -= 4;
            for (unsigned i = 0; i < 4; ++i) {
                rte_mbuf* mbuf = mbufs[slot + i];
                auto* next = static_cast<rte_mbuf*>(fresh[i]);
                const auto length = static_cast<std::uint32_t>(words[i] & RxWord::Length::mask);
                mbufs[slot + i] = next;
                descriptors[slot + i].address = self.address_of<Arithmetic>(next);
                descriptors[slot + i].word = 0;
                self.describe<Offloads>(mbuf, words[i], length);
                packets[done + i] = mbuf;
                bytes += length;
            }
            done += 4;
            refilled += 4;
            slot += 4;
            if (slot == self.size_)
                slot = 0;
        }
        if (done == want)
            break;
        Cursor cursor{packets, fresh, cache.objs, done, want, slot, refilled, bytes};
        const bool more = self.one<Offloads, Arithmetic>(cursor);
        fresh = cursor.fresh;
        done = cursor.done;
        slot = cursor.slot;
        refilled = cursor.refilled;
        bytes = cursor.bytes;
        if (!more)
            break;
        if (refilled >= burst_limit)
            break; // bounded, also when every slot is dropped
    }

    cache.len = static_cast<std::uint32_t>(fresh - cache.objs);
    if (self.doomed_ != nullptr) [[unlikely]] // only now: freeing uses the cache
        rte_pktmbuf_free(std::exchange(self.doomed_, nullptr));
    self.head_ = static_cast<std::uint16_t>(slot);
    self.unposted_ = static_cast<std::uint16_t>(self.unposted_ + refilled);
    if (self.unposted_ >= self.post_at_) {
        self.unposted_ = 0;
        self.tail_.ring(slot == 0 ? self.size_ - 1u : slot - 1u);
    }
    self.counters_.packets.add(done);
    self.counters_.bytes.add(bytes);
    return static_cast<std::uint16_t>(done);
}

} // namespace sluice::inline v1::e1000
