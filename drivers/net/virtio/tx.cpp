// SPDX-License-Identifier: BSD-3-Clause
#include "tx.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

namespace sluice::inline v1::virtio {

namespace {

constexpr std::uint16_t header_bytes = sizeof(NetHeader);

static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, refcnt) + 2);

/// Reference count and number of segments as one word.
std::uint32_t owners_and_segments(const rte_mbuf* mbuf) noexcept {
    std::uint32_t word;
    std::memcpy(&word, reinterpret_cast<const std::byte*>(mbuf) + offsetof(rte_mbuf, refcnt), sizeof word);
    return word;
}

constexpr std::uint32_t one_owner_one_segment = 0x0001'0001;
/// The data lies in another mbuf, or in memory of the application's.
bool foreign_buffer(const rte_mbuf* mbuf) noexcept {
    return (mbuf->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) != 0;
}

/// Two elements of the used ring.
using Pair [[gnu::vector_size(16), gnu::aligned(8), gnu::may_alias]] = std::uint64_t;
static_assert(std::endian::native == std::endian::little);

/// The buffer in front of the data is the sender's to write.
bool headroom_is_ours(const rte_mbuf* mbuf) noexcept {
    return rte_mbuf_refcnt_read(mbuf) == 1 && !foreign_buffer(mbuf) && mbuf->data_off >= header_bytes;
}

/// A modern device wants all of it zero where no offload is asked for (§5.1.6.2).
void write_header(std::byte* at) noexcept {
    std::memset(at, 0, header_bytes);
}

} // namespace

Result<std::unique_ptr<TxQueue>> TxQueue::create(const TxSetup& setup, const dma::EalMemory& memory,
                                                 std::string name, const EventFd& alarm) {
    auto ring = SplitRing::allocate(memory, setup.descriptors, setup.numa_node);
    if (!ring)
        return propagate(std::move(ring));
    auto headers =
        dma::DmaRegion::allocate(memory, setup.descriptors * header_stride, {.numa_node = setup.numa_node});
    if (!headers)
        return propagate(std::move(headers));
    return std::unique_ptr<TxQueue>(new TxQueue(std::move(*ring), std::move(*headers), setup.index,
                                                memory.iova_offset(), std::move(name), alarm));
}

TxQueue::TxQueue(SplitRing ring, dma::DmaRegion headers, std::uint16_t index, std::uint64_t iova_offset,
                 std::string name, const EventFd& alarm)
    : Queue(std::move(ring), std::move(name), index, alarm)
    , slots_(new rte_mbuf* [ring_.size()] {})
    , exceptions_(new std::uint32_t[ring_.size() / lump]{})
    , iova_offset_(iova_offset)
    , spans_(ring_.size())
    , headers_(std::move(headers)) {}

void TxQueue::clear() noexcept {
    drain();
    ring_.clear();
    head_ = clean_ = avail_ = next_ = 0;
    irregular_ = false;
    pool_ = nullptr;
    std::fill_n(exceptions_.get(), ring_.size() / lump, 0);
    std::fill(spans_.begin(), spans_.end(), std::uint16_t{1});
    for (std::size_t i = 0; i < ring_.size(); ++i)
        write_header(headers_.data() + i * header_stride);
}

void TxQueue::drain() noexcept {
    for (; clean_ != head_; ++clean_)
        if (rte_mbuf* const mbuf = std::exchange(slots_[clean_ & ring_.mask()], nullptr))
            rte_pktmbuf_free(mbuf);
}

std::uint16_t TxQueue::burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    auto& q = *static_cast<TxQueue*>(queue);
    if (const unsigned completions = q.completed(); completions >= lump)
        q.complete_lumps(completions);
    const std::uint16_t before = q.avail_;
    unsigned sent = 0;
    while (sent < count && !q.broken()) {
        if (!q.irregular_) [[likely]] {
            const unsigned wanted = std::min<unsigned>(count - sent, q.ring_.size());
            if (q.room() < wanted) [[unlikely]]
                q.make_room(wanted);
            const unsigned run = q.post_run(packets + sent, wanted);
            sent += run;
            if (run != 0)
                continue;
        }
        if (!q.post_frame(packets[sent]))
            break;
        ++sent;
    }
    if (q.avail_ != before) {
        q.counters_.packets.add(static_cast<std::uint16_t>(q.avail_ - before));
        q.ring_.publish(q.avail_);
        q.kick();
    }
    return static_cast<std::uint16_t>(sent);
}

std::uint32_t TxQueue::reclaim(void* queue) noexcept {
    auto& q = *static_cast<TxQueue*>(queue);
    return q.complete_frames(q.completed());
}

/// Elements of the used ring that were not looked at. None when the device lies about their number.
unsigned TxQueue::completed() noexcept {
    const unsigned completions = static_cast<std::uint16_t>(ring_.used_idx() - next_);
    if (completions > static_cast<std::uint16_t>(avail_ - next_)) [[unlikely]] {
        break_queue("the used index jumped");
        return 0;
    }
    return completions;
}

void TxQueue::complete_lumps(unsigned completions) noexcept {
    while (completions >= lump) {
        if (complete_lump()) [[likely]] {
            completions -= lump;
            continue;
        }
        const unsigned to_boundary = lump - next_ % lump;
        if (complete_frames(to_boundary) == 0 || broken())
            return;
        completions -= to_boundary;
    }
}

namespace {

/// Puts 32 free mbufs of one pool back, into the lcore's cache where it has room.
void put_lump(rte_mempool* pool, rte_mbuf* const* mbufs) noexcept {
    constexpr unsigned count = 32;
    void* copy[count];
    rte_mempool_cache* const cache = rte_mempool_default_cache(pool, rte_lcore_id());
    if (cache != nullptr && cache->len + count <= cache->flushthresh) [[likely]] {
        std::memcpy(static_cast<void*>(cache->objs + cache->len), static_cast<const void*>(mbufs),
                    sizeof copy);
        cache->len += count;
    } else {
        std::memcpy(static_cast<void*>(copy), static_cast<const void*>(mbufs), sizeof copy);
        rte_mempool_put_bulk(pool, copy, count);
    }
}

} // namespace

/// Puts 32 mbufs back at once, if 32 completions stand for the next 32 slots in their order, and each slot
/// holds one mbuf that is as the pool wants it. False, and nothing done, if not.
bool TxQueue::complete_lump() noexcept {
    if (irregular_ || clean_ != next_ || next_ % lump != 0)
        return false;
    const unsigned first = next_ & ring_.mask();
    if (exceptions_[first / lump] != 0)
        return false;
    const auto* const used = reinterpret_cast<const Pair*>(ring_.used() + first);
    Pair expected{first, first + 1};
    Pair difference{0, 0};
#pragma GCC unroll 8
    for (unsigned i = 0; i < lump / 2; ++i) {
        difference |= used[i] ^ expected;
        expected += 2;
    }
    if (static_cast<std::uint32_t>(difference[0] | difference[1]) != 0) [[unlikely]]
        return false;
    put_lump(slots_[first]->pool, slots_.get() + first);
    clean_ = static_cast<std::uint16_t>(clean_ + lump);
    next_ = clean_;
    return true;
}

/// Looks at `completions` elements of the used ring, one by one. How many mbufs went back.
unsigned TxQueue::complete_frames(unsigned completions) noexcept {
    unsigned freed = 0;
    for (; completions != 0; --completions) {
        const std::uint32_t id = ring_.read_used(next_ & ring_.mask()).id;
        const auto age = static_cast<std::uint16_t>((id - clean_) & ring_.mask());
        if (id >= ring_.size() || age >= static_cast<std::uint16_t>(head_ - clean_) ||
            slots_[id] == nullptr) {
            break_queue("it gave back a buffer that it does not have");
            return freed;
        }
        ++next_;
        rte_mbuf* const mbuf = std::exchange(slots_[id], nullptr);
        if (exceptional(id)) {
            freed += mbuf->nb_segs;
            rte_pktmbuf_free(mbuf);
            for (std::uint16_t slot = 0; slot < spans_[id]; ++slot)
                unmark((id + slot) & ring_.mask());
            spans_[id] = 1;
        } else {
            ++freed;
            rte_mbuf_raw_free(mbuf);
        }
        while (clean_ != head_ && slots_[clean_ & ring_.mask()] == nullptr)
            ++clean_;
    }
    realign();
    return freed;
}

/// An empty ring becomes regular again: its next slot is the next entry of the available ring.
void TxQueue::realign() noexcept {
    if (!irregular_ || next_ != avail_)
        return;
    for (std::uint16_t i = 0; i < ring_.size(); ++i)
        ring_.set_avail(i, i);
    head_ = clean_ = avail_;
    irregular_ = false;
}

/// Room for `descriptors`, once completions were looked at that do not make a lump.
bool TxQueue::make_room(unsigned descriptors) noexcept {
    if (room() < descriptors)
        complete_frames(completed());
    return room() >= descriptors && !broken();
}

/// Frames of one mbuf each, up to the end of the ring, as long as they need no look.
unsigned TxQueue::post_run(rte_mbuf** packets, unsigned count) noexcept {
    const unsigned first = head_ & ring_.mask();
    count = std::min({count, room(), ring_.size() - first});
    Desc* const descs = ring_.descs() + first;
    rte_mbuf** const slots = slots_.get() + first;
    const rte_mempool* const pool = pool_;
    const std::uint64_t offset = iova_offset_ - header_bytes;
    std::uint64_t bytes = 0;
    const std::size_t end = count * sizeof(void*);
    std::size_t at = 0;
    for (; at != end; at += sizeof(void*)) {
        rte_mbuf* const mbuf = *advance(packets, at);
        const std::uint64_t data_off = mbuf->data_off;
        const std::uint64_t length = mbuf->data_len;
        if (owners_and_segments(mbuf) != one_owner_one_segment || foreign_buffer(mbuf) ||
            mbuf->pool != pool || data_off < header_bytes || length < min_frame) [[unlikely]]
            break;
        write_header(static_cast<std::byte*>(mbuf->buf_addr) + data_off - header_bytes);
        Desc* const desc = advance(descs, 2 * at);
        desc->addr = mbuf->buf_iova + data_off + offset;
        // Length, no flags, no next: one store.
        const std::uint64_t rest = to_little(length + header_bytes);
        std::memcpy(reinterpret_cast<std::byte*>(desc) + offsetof(Desc, len), &rest, sizeof rest);
        *advance(slots, at) = mbuf;
        bytes += length;
    }
    const auto posted = static_cast<unsigned>(at / sizeof(void*));
    if (posted != 0) {
        head_ = static_cast<std::uint16_t>(head_ + posted);
        avail_ = static_cast<std::uint16_t>(avail_ + posted);
        counters_.bytes.add(bytes);
    }
    return posted;
}

/// One frame of any kind. False: the ring has no room for it now. A frame that can never be sent is freed.
bool TxQueue::post_frame(rte_mbuf* mbuf) noexcept {
    unsigned segments = 0;
    std::uint32_t bytes = 0;
    const rte_mbuf* segment = mbuf;
    for (unsigned left = mbuf->nb_segs; left != 0 && segment != nullptr; --left, segment = segment->next) {
        segments += segment->data_len != 0;
        bytes += segment->data_len;
    }
    if (segments > max_segments || bytes < min_frame || bytes > max_frame) {
        counters_.errors.add(1);
        rte_pktmbuf_free(mbuf);
        return true;
    }
    const bool in_place = headroom_is_ours(mbuf) && mbuf->data_len != 0;
    const auto span = static_cast<std::uint16_t>(segments + (in_place ? 0 : 1));
    if (!make_room(span))
        return false;

    const auto slot = static_cast<std::uint16_t>(head_ & ring_.mask());
    post_descriptors(mbuf, in_place);
    irregular_ = irregular_ || span > 1;
    if (irregular_)
        ring_.set_avail(avail_ & ring_.mask(), slot);
    if (span == 1 && mbuf->nb_segs == 1) {
        if (mbuf->pool != pool_)
            adopt_pool(mbuf->pool);
    } else {
        for (std::uint16_t i = 0; i < span; ++i) {
            const unsigned used = (slot + i) & ring_.mask();
            slots_[used] = nullptr;
            mark(used);
        }
        spans_[slot] = span;
    }
    slots_[slot] = mbuf;
    head_ = static_cast<std::uint16_t>(head_ + span);
    ++avail_;
    counters_.bytes.add(bytes);
    return true;
}

/// Fills consecutive descriptors from `head_` on: the header, unless it lies in front of the data, and every
/// segment that is not empty (a device may take an empty buffer for an error).
void TxQueue::post_descriptors(rte_mbuf* mbuf, bool header_in_place) noexcept {
    Desc* const descs = ring_.descs();
    unsigned slot = head_ & ring_.mask();
    Desc* last = nullptr;
    const auto append = [&](std::uint64_t iova, std::uint32_t length) {
        if (last != nullptr) {
            last->flags = Desc::flag_next;
            last->next = static_cast<std::uint16_t>(slot);
        }
        last = &descs[slot];
        *last = {iova, length, std::uint16_t{0}, std::uint16_t{0}};
        slot = (slot + 1) & ring_.mask();
    };
    std::uint32_t header = header_bytes;
    if (header_in_place) {
        write_header(rte_pktmbuf_mtod_offset(mbuf, std::byte*, -int{header_bytes}));
    } else {
        append(headers_.iova(slot * header_stride).value, header_bytes);
        header = 0;
    }
    const rte_mbuf* segment = mbuf;
    for (unsigned left = mbuf->nb_segs; left != 0 && segment != nullptr; --left, segment = segment->next) {
        if (segment->data_len == 0)
            continue;
        append(rte_pktmbuf_iova(segment) + iova_offset_ - header, segment->data_len + header);
        header = 0;
    }
}

/// Frames come from another pool now: those in the same lump go back one by one.
void TxQueue::adopt_pool(rte_mempool* pool) noexcept {
    const unsigned slot = head_ & ring_.mask();
    exceptions_[slot / lump] |= (std::uint32_t{1} << slot % lump) - 1;
    pool_ = pool;
}

} // namespace sluice::inline v1::virtio
