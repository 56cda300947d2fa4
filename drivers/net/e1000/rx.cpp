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
constexpr std::uint32_t rx_longest_frame = 16384;

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
    queue->fail_mask_ = too_long | rx_done_whole | rx_errors;
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

    static constexpr std::array<net::BurstFunction, 4> variants = {
        burst<false, false, false>, burst<false, true, false>, burst<true, false, false>,
        burst<true, true, false>};
    const bool offloads = setup_.checksum || setup_.vlan_strip;
    tail_ = tail;
    record_ = &record;
    record.queue = this;
    record.counters = &counters_;
    record.broken = false;
    record.burst = variants[(offloads ? 2u : 0u) + (arithmetic ? 1u : 0u)];
#ifdef SLUICE_AVX2
    if (!offloads && arithmetic && net::use_avx2())
        record.burst = burst<false, true, true>;
#endif
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
inline void RxQueue::describe(rte_mbuf* mbuf, std::uint64_t word, std::uint64_t length,
                              std::uint64_t rearm) const noexcept {
    std::memcpy(&mbuf->rearm_data, &rearm, sizeof(rearm));
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
    if (++segments_ > rx_longest_frame / buffer_ + 1)
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
        describe<Offloads>(mbuf, word, length, rearm_);
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

/// Takes plain frames, four at a time, until one is not, or there is no room for four.
template <bool Offloads, bool Arithmetic>
inline void RxQueue::groups(Cursor& cursor) noexcept {
    const std::uint32_t count = cursor.whole_groups(size_);
    Descriptor* descriptor = descriptors_ + cursor.slot;
    Descriptor* const end = descriptor + count;
    rte_mbuf** slot = mbufs_ + cursor.slot;
    rte_mbuf** packet = cursor.packets + cursor.done;
    void** fresh = cursor.fresh;
    std::uint64_t bytes = 0;
    const std::uint64_t mask = fail_mask_;
    const std::uint64_t rearm = rearm_;
    const std::uint64_t from_mbuf = from_mbuf_;
    for (; descriptor != end; descriptor += 4, slot += 4, packet += 4) {
        const std::array<std::uint64_t, 4> words = {read_word(descriptor[0]), read_word(descriptor[1]),
                                                    read_word(descriptor[2]), read_word(descriptor[3])};
        const std::uint64_t odd = ((words[0] - 1) ^ rx_done_whole) | ((words[1] - 1) ^ rx_done_whole) |
                                  ((words[2] - 1) ^ rx_done_whole) | ((words[3] - 1) ^ rx_done_whole);
        if ((odd & mask) != 0)
            break;
        std::atomic_thread_fence(std::memory_order_acquire); // frames after their descriptors
        fresh -= 4;
        const auto take = [&](std::size_t i) {
            rte_mbuf* mbuf = slot[i];
            auto* next = static_cast<rte_mbuf*>(fresh[i]);
            const std::uint64_t length = words[i] & RxWord::Length::mask;
            slot[i] = next;
            descriptor[i].address =
                Arithmetic ? reinterpret_cast<std::uintptr_t>(next) + from_mbuf : address_of<false>(next);
            descriptor[i].word = 0;
            describe<Offloads>(mbuf, words[i], length, rearm);
            packet[i] = mbuf;
            bytes += length;
        };
        take(0);
        take(1);
        take(2);
        take(3);
    }
    cursor.moved(static_cast<std::uint32_t>(slot - mbufs_) - cursor.slot, size_, fresh, bytes);
}

template <bool Offloads, bool Arithmetic, bool Wide>
std::uint16_t RxQueue::burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    RxQueue& self = *static_cast<RxQueue*>(queue);
    if ((read_word(self.descriptors_[self.head_]) & RxWord::Dd::mask) == 0)
        return 0;

    const std::uint32_t want = std::min<std::uint32_t>(count, burst_limit);
    rte_mempool_cache& cache = net::cache_of(self.pool_, self.own_cache_);
    if (cache.len < want) [[unlikely]]
        net::fill_cache(self.pool_, cache, want);
    Cursor cursor{.packets = packets,
                  .fresh = cache.objs + cache.len,
                  .fresh_end = cache.objs,
                  .done = 0,
                  .want = want,
                  .slot = self.head_,
                  .refilled = 0,
                  .bytes = 0};
    do {
        if (self.segments_ == 0) [[likely]] {
            if constexpr (Wide)
                self.groups_avx2(cursor);
            else
                self.groups<Offloads, Arithmetic>(cursor);
        }
    } while (cursor.done != want && cursor.refilled < burst_limit && self.one<Offloads, Arithmetic>(cursor));

    cache.len = static_cast<std::uint32_t>(cursor.fresh - cache.objs);
    if (self.doomed_ != nullptr) [[unlikely]] // only now: freeing uses the cache
        rte_pktmbuf_free(std::exchange(self.doomed_, nullptr));
    self.head_ = static_cast<std::uint16_t>(cursor.slot);
    self.unposted_ = static_cast<std::uint16_t>(self.unposted_ + cursor.refilled);
    if (self.unposted_ >= self.post_at_) {
        self.unposted_ = 0;
        self.tail_.ring(cursor.slot == 0 ? self.size_ - 1u : cursor.slot - 1u);
    }
    self.counters_.packets.add(cursor.done);
    self.counters_.bytes.add(cursor.bytes);
    return static_cast<std::uint16_t>(cursor.done);
}

} // namespace sluice::inline v1::e1000
