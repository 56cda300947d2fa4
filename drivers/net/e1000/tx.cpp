// SPDX-License-Identifier: BSD-3-Clause
#include "tx.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace sluice::inline v1::e1000 {
namespace {

constexpr std::uint64_t collisions = TxWord::Ec::mask | TxWord::Lc::mask;

constexpr std::uint32_t tx_longest_frame = 16288; // the transmit FIFO bounds it: [82574] §7.2, [8254x] §3.3.3
static_assert(tx_shortest_frame + tx_inline_lengths - 1 <= tx_longest_frame);

std::uint64_t rearm_of(const rte_mbuf* mbuf) noexcept {
    std::uint64_t rearm;
    std::memcpy(&rearm, &mbuf->rearm_data, sizeof(rearm));
    return rearm;
}

} // namespace

Result<std::unique_ptr<TxQueue>> TxQueue::create(const TxSetup& setup, const dma::EalMemory& memory,
                                                 Alarm& alarm) {
    auto ring = dma::DmaRegion::allocate(memory, setup.descriptors * sizeof(Descriptor),
                                         {.alignment = 128, .numa_node = setup.numa_node});
    if (!ring)
        return propagate(std::move(ring));
    std::unique_ptr<TxQueue> queue(new TxQueue(std::move(*ring), alarm));
    queue->setup_ = setup;
    queue->iova_offset_ = memory.iova_offset();
    queue->descriptors_ = queue->ring_.as<Descriptor>().data();
    queue->size_ = setup.descriptors;
    queue->slots_.assign(setup.descriptors, nullptr);
    queue->mbufs_ = queue->slots_.data();
    queue->lump_table_.assign(setup.descriptors / lump, Lump{});
    queue->lumps_ = queue->lump_table_.data();
    return queue;
}

void TxQueue::start(net::QueueRecord& record, reg::Doorbell<std::uint32_t> tail) noexcept {
    std::fill_n(descriptors_, size_, Descriptor{0, 0});
    next_ = clean_ = used_ = last_report_ = 0;
    tail_ = tail;
    record_ = &record;
    record.queue = this;
    record.counters = &counters_;
    record.broken = false;
    record.burst = burst<false>;
#ifdef SLUICE_AVX2
    if (net::use_avx2())
        record.burst = burst<true>;
#endif
    record.reclaim = reclaim;
}

void TxQueue::drain() noexcept {
    while (used_ != 0) {
        rte_pktmbuf_free_seg(mbufs_[clean_]);
        clean_ = static_cast<std::uint16_t>(clean_ + 1u == size_ ? 0 : clean_ + 1u);
        --used_;
    }
}

/// Whether the device reports `slot` as done.
bool TxQueue::look(std::uint16_t slot) noexcept {
    const std::uint64_t word = read_word(descriptors_[slot]);
    const std::uint64_t status =
        word & (TxWord::Dd::mask | TxWord::Reserved::mask | TxWord::Underrun::mask | collisions);
    if (status == TxWord::Dd::mask) [[likely]]
        return true;
    if ((status & TxWord::Dd::mask) == 0)
        return false;
    if ((status & (TxWord::Reserved::mask | TxWord::Underrun::mask)) != 0) {
        alarm_.raise(*record_, counters_, "a status that does not exist", slot, word);
        return false;
    }
    counters_.errors.add(1); // half duplex: the frame was given up after collisions
    return true;
}

/// Frees the mbufs of [begin, end), which lie in one lump and begin at the oldest slot.
void TxQueue::release(std::uint32_t begin, std::uint32_t end) noexcept {
    const Lump& where = lumps_[begin / lump];
    const std::uint32_t count = end - begin;
    auto* mbufs = reinterpret_cast<void**>(mbufs_ + begin);
    if (where.mixed) [[unlikely]] {
        for (std::uint32_t i = begin; i < end; ++i)
            rte_pktmbuf_free_seg(mbufs_[i]);
    } else {
        rte_mempool_cache* cache = rte_mempool_default_cache(where.pool, rte_lcore_id());
        if (cache != nullptr && cache->len + count <= cache->flushthresh) [[likely]] {
            void** top = cache->objs + cache->len;
            if (count == lump)
                std::memcpy(top, mbufs, lump * sizeof(void*));
            else
                std::memcpy(top, mbufs, count * sizeof(void*));
            cache->len += count;
        } else {
            rte_mempool_generic_put(where.pool, mbufs, count, cache);
        }
    }
    clean_ = static_cast<std::uint16_t>(end == size_ ? 0 : end);
    used_ = static_cast<std::uint16_t>(used_ - count);
}

/// Frees all lumps that were submitted whole and are done.
void TxQueue::complete() noexcept {
    for (;;) {
        const std::uint32_t end = (clean_ / lump + 1) * lump;
        if (used_ < end - clean_ || !look(lumps_[clean_ / lump].report))
            return;
        release(clean_, end);
    }
}

std::uint32_t TxQueue::reclaim(void* queue) noexcept {
    TxQueue& self = *static_cast<TxQueue*>(queue);
    const std::uint32_t before = self.used_;
    self.complete();
    // The last burst asked for a report of its own, inside a lump perhaps.
    const std::uint32_t ahead = (self.last_report_ + self.size_ - self.clean_) % self.size_;
    if (ahead < self.used_ && self.look(self.last_report_))
        for (std::uint32_t left = ahead + 1; left != 0;) {
            const std::uint32_t step = std::min(left, lump - self.clean_ % lump);
            self.release(self.clean_, self.clean_ + step);
            left -= step;
        }
    return before - self.used_;
}

/// A frame that is not one plain mbuf of the lump's pool. False when the ring has no room for it.
[[gnu::noinline]] bool TxQueue::odd(rte_mbuf* frame) noexcept {
    std::uint32_t segments = 0;
    std::uint32_t bytes = 0;
    bool empty = false;
    for (const rte_mbuf* part = frame; part != nullptr && segments <= tx_segments; part = part->next) {
        empty = empty || part->data_len == 0;
        bytes += part->data_len;
        ++segments;
    }
    const std::uint32_t most = setup_.multi_segment ? tx_segments : 1;
    if (empty || segments > most || segments != frame->nb_segs || bytes < tx_shortest_frame ||
        bytes > tx_longest_frame) {
        rte_pktmbuf_free(frame);
        counters_.errors.add(1);
        return true;
    }
    if (segments > free_slots())
        return false;

    const auto last = static_cast<std::uint16_t>((next_ + segments - 1) % size_);
    rte_mbuf* part = frame;
    for (std::uint32_t i = 0; i < segments; ++i) {
        Lump& where = lumps_[next_ / lump];
        where.mixed = true;
        if (next_ % lump == lump - 1)
            where.report = last;
        Descriptor& descriptor = descriptors_[next_];
        descriptor.address = rte_mbuf_iova_get(part) + part->data_off + iova_offset_;
        std::uint64_t word = part->data_len | TxWord::Ifcs::mask;
        if (i + 1 == segments)
            word |= TxWord::Eop::mask | TxWord::Rs::mask;
        descriptor.word = word;
        mbufs_[next_] = part;
        part = part->next;
        next_ = static_cast<std::uint16_t>(next_ + 1u == size_ ? 0 : next_ + 1u);
        if (next_ % lump == 0)
            lumps_[next_ / lump].mixed = false; // of its former turn
    }
    used_ = static_cast<std::uint16_t>(used_ + segments);
    counters_.packets.add(1);
    counters_.bytes.add(bytes);
    return true;
}

/// What is looked at in the mbufs of a group: bits that any has, and bits that all have.
struct TxQueue::Look {
    std::uint64_t any_rearm = 0, all_rearm = ~std::uint64_t{0};
    std::uint64_t any_pool = 0, all_pool = ~std::uint64_t{0};
    std::uint64_t any_flag = 0;
    std::uint64_t any_length = 0; ///< less tx_shortest_frame, so that a short one has high bits

    void add(const rte_mbuf* mbuf, std::uint64_t rearm, std::uint64_t length) noexcept {
        any_rearm |= rearm;
        all_rearm &= rearm;
        any_pool |= reinterpret_cast<std::uintptr_t>(mbuf->pool);
        all_pool &= reinterpret_cast<std::uintptr_t>(mbuf->pool);
        any_flag |= mbuf->ol_flags;
        any_length |= length - tx_shortest_frame;
    }

    /// Not all of them are plain mbufs of `pool` with a length of the inline path.
    bool unusual(const rte_mempool* pool) const noexcept {
        const auto expected = reinterpret_cast<std::uintptr_t>(pool);
        return ((((any_rearm ^ tx_plain_rearm) | (all_rearm ^ tx_plain_rearm)) & tx_plain_mask) |
                (any_pool ^ expected) | (all_pool ^ expected) | (any_flag & tx_foreign_buffer) |
                (any_length & ~(tx_inline_lengths - 1))) != 0;
    }
};

/// Submits `Count` plain mbufs. False, with nothing that counts done, when one of them is not plain.
template <std::size_t Count>
inline bool TxQueue::submit(rte_mbuf* const* from, Descriptor* descriptor, rte_mbuf** slot,
                            const rte_mempool* pool, std::uint64_t offset, std::uint64_t& bytes) noexcept {
    Look look;
    std::uint64_t sum = 0;
    const auto fill = [&](std::size_t i) {
        rte_mbuf* mbuf = from[i];
        const std::uint64_t rearm = rearm_of(mbuf);
        const std::uint64_t length = mbuf->data_len;
        look.add(mbuf, rearm, length);
        descriptor[i].address = rte_mbuf_iova_get(mbuf) + (rearm & 0xffff) + offset;
        descriptor[i].word = length | tx_whole_frame;
        slot[i] = mbuf;
        sum += length;
    };
    fill(0);
    if constexpr (Count == 4) {
        fill(1);
        fill(2);
        fill(3);
    }
    // Slots beyond the tail are the driver's own: what was written there may be written over.
    if (look.unusual(pool)) [[unlikely]]
        return false;
    bytes += sum;
    return true;
}

template <bool Wide>
std::uint16_t TxQueue::burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    TxQueue& self = *static_cast<TxQueue*>(queue);
    self.complete();
    const std::uint64_t offset = self.iova_offset_;
    const std::uint32_t before = self.next_;
    std::uint32_t taken = 0;
    std::uint32_t plain = 0;
    std::uint64_t bytes = 0;
    while (taken < count && self.free_slots() != 0) {
        const std::uint32_t start = self.next_;
        Lump& where = self.lumps_[start / lump];
        if (start % lump == 0) {
            where.pool = packets[taken]->pool;
            where.mixed = false;
        }
        const rte_mempool* const pool = where.pool;
        const std::uint32_t room = std::min(std::min(count - taken, self.free_slots()), lump - start % lump);
        rte_mbuf* const* from = packets + taken;
        rte_mbuf* const* const end = from + room;
        Descriptor* descriptor = self.descriptors_ + start;
        rte_mbuf** slot = self.mbufs_ + start;
        if constexpr (Wide) {
            const std::uint32_t grouped = self.groups_avx2(from, room, start, pool, bytes);
            from += grouped;
            descriptor += grouped;
            slot += grouped;
        }
        for (; !Wide && end - from >= 4 && submit<4>(from, descriptor, slot, pool, offset, bytes);
             from += 4) {
            descriptor += 4;
            slot += 4;
        }
        for (; from != end && submit<1>(from, descriptor, slot, pool, offset, bytes); ++from) {
            ++descriptor;
            ++slot;
        }
        const auto moved = static_cast<std::uint32_t>(slot - self.mbufs_) - start;
        const std::uint32_t after = start + moved;
        plain += moved;
        taken += moved;
        self.used_ = static_cast<std::uint16_t>(self.used_ + moved);
        self.next_ = static_cast<std::uint16_t>(after == self.size_ ? 0 : after);
        if (moved != 0 && after % lump == 0) {
            where.report = static_cast<std::uint16_t>(after - 1);
            self.report(after - 1);
        }
        if (moved != room) {
            if (!self.odd(packets[taken]))
                break;
            ++taken;
        }
    }
    if (self.next_ != before) {
        const std::uint32_t last = (self.next_ == 0 ? self.size_ : self.next_) - 1u;
        self.report(last);
        self.last_report_ = static_cast<std::uint16_t>(last);
        self.tail_.ring(self.next_);
    }
    self.counters_.packets.add(plain);
    self.counters_.bytes.add(bytes);
    return static_cast<std::uint16_t>(taken);
}

} // namespace sluice::inline v1::e1000
