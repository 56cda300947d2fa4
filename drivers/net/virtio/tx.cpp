// SPDX-License-Identifier: BSD-3-Clause
// Split rings. While the ring is regular the available ring is never written. Once a frame has taken a chain,
// slots and entries differ: the queue is irregular until it has run empty.
#include "tx.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "tx_ring.hpp"

namespace sluice::inline v1::virtio {

namespace {

/// Two elements of the used ring.
using UsedPair [[gnu::vector_size(16), gnu::aligned(8), gnu::may_alias]] = std::uint64_t;
static_assert(std::endian::native == std::endian::little);

class SplitTx final : public TxRing<SplitTx, SplitRing> {
  public:
    using TxRing::TxRing;
    net::BurstFunction burst_function() const noexcept override {
        return in_order_ ? burst<true> : burst<false>;
    }
    net::ReclaimFunction reclaim_function() const noexcept override {
        return [](void* queue) noexcept -> std::uint32_t {
            return static_cast<SplitTx*>(queue)->complete_all();
        };
    }

    void posted(std::uint16_t slot, std::uint16_t span) noexcept {
        irregular_ = irregular_ || span > 1;
        if (irregular_)
            ring_.set_avail(avail_ & ring_.mask(), slot);
    }
    unsigned complete_all() noexcept;

  private:
    template <bool InOrder>
    static std::uint16_t burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
    unsigned completed() noexcept;
    void complete_lumps(unsigned completions) noexcept;
    bool complete_lump() noexcept;
    unsigned complete_frames(unsigned completions) noexcept;
    void see_done() noexcept;
    bool is_lump_in_order() const noexcept;
    unsigned frames_between(std::uint16_t first, std::uint16_t end) const noexcept;
    void realign() noexcept;
    unsigned post_run(rte_mbuf** packets, unsigned count) noexcept;
};

template <bool InOrder>
std::uint16_t SplitTx::burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    auto& q = *static_cast<SplitTx*>(queue);
    if constexpr (InOrder) {
        q.see_done();
        q.free_done(false);
    } else if (const unsigned completions = q.completed(); completions >= lump) {
        q.complete_lumps(completions);
    }
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
        q.kick(q.ring_);
    }
    return static_cast<std::uint16_t>(sent);
}

/// Elements of the used ring that were not looked at. None when the device lies about their number.
unsigned SplitTx::completed() noexcept {
    const unsigned completions = static_cast<std::uint16_t>(ring_.used_idx() - next_);
    if (completions > static_cast<std::uint16_t>(avail_ - next_)) [[unlikely]] {
        break_queue("the used index jumped");
        return 0;
    }
    return completions;
}

void SplitTx::complete_lumps(unsigned completions) noexcept {
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

/// Puts 32 mbufs back at once, if 32 completions stand for the next 32 slots in their order, and each slot
/// holds one mbuf that is as the pool wants it. False, and nothing done, if not.
bool SplitTx::complete_lump() noexcept {
    if (irregular_ || clean_ != next_ || next_ % lump != 0)
        return false;
    const unsigned first = next_ & ring_.mask();
    if (exceptions_[first / lump] != 0 || !is_lump_in_order()) [[unlikely]]
        return false;
    put_lump(slots_[first]->pool, slots_.get() + first);
    clean_ = static_cast<std::uint16_t>(clean_ + lump);
    next_ = clean_;
    return true;
}

/// Looks at `completions` elements of the used ring, one by one. How many mbufs went back.
unsigned SplitTx::complete_frames(unsigned completions) noexcept {
    unsigned freed = 0;
    for (; completions != 0; --completions) {
        const std::uint32_t id = ring_.claim(next_).id;
        if (!outstanding(id, clean_)) {
            break_queue("it gave back a buffer that it does not have");
            return freed;
        }
        ++next_;
        freed += release(id);
        while (clean_ != head_ && slots_[clean_ & ring_.mask()] == nullptr)
            ++clean_;
    }
    realign();
    return freed;
}

/// In order: an element may say for all frames up to its own, and then as many elements behind it say nothing
/// as there are other frames. §2.7.9.
void SplitTx::see_done() noexcept {
    const std::uint16_t idx = ring_.used_idx();
    if (static_cast<std::uint16_t>(idx - next_) > static_cast<std::uint16_t>(avail_ - next_)) {
        break_queue("the used index jumped");
        return;
    }
    while (next_ != idx) {
        const unsigned left = static_cast<std::uint16_t>(idx - next_);
        if (left >= lump && !irregular_ && is_lump_in_order()) {
            next_ = static_cast<std::uint16_t>(next_ + lump);
            done_ = next_;
            continue;
        }
        const std::uint16_t before = done_;
        if (!advance_done(ring_.claim(next_).id))
            return;
        const unsigned frames = frames_between(before, done_);
        if (frames > left) {
            break_queue("it gave back more buffers than it had");
            return;
        }
        next_ = static_cast<std::uint16_t>(next_ + frames);
    }
}

/// Whether the next 32 elements stand for the next 32 slots in their order.
bool SplitTx::is_lump_in_order() const noexcept {
    const unsigned first = next_ & ring_.mask();
    if (next_ % lump != 0)
        return false;
    const auto* const used = reinterpret_cast<const UsedPair*>(ring_.used() + first);
    UsedPair expected{first, first + 1};
    UsedPair difference{0, 0};
#pragma GCC unroll 8
    for (unsigned i = 0; i < lump / 2; ++i) {
        difference |= used[i] ^ expected;
        expected += 2;
    }
    return static_cast<std::uint32_t>(difference[0] | difference[1]) == 0;
}

unsigned SplitTx::frames_between(std::uint16_t first, std::uint16_t end) const noexcept {
    if (!irregular_)
        return static_cast<std::uint16_t>(end - first);
    unsigned frames = 0;
    for (; first != end; first = static_cast<std::uint16_t>(first + spans_[first & ring_.mask()]))
        ++frames;
    return frames;
}

unsigned SplitTx::complete_all() noexcept {
    if (!in_order_)
        return complete_frames(completed());
    see_done();
    const unsigned freed = free_done(true);
    realign();
    return freed;
}

/// An empty ring becomes regular again: its next slot is the next entry of the available ring.
void SplitTx::realign() noexcept {
    if (!irregular_ || clean_ != head_)
        return;
    for (std::uint16_t i = 0; i < ring_.size(); ++i)
        ring_.set_avail(i, i);
    head_ = clean_ = done_ = avail_;
    irregular_ = false;
}

/// Frames of one mbuf each, up to the end of the ring, as long as they need no look.
unsigned SplitTx::post_run(rte_mbuf** packets, unsigned count) noexcept {
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

} // namespace

Result<std::unique_ptr<TxQueue>> TxQueue::create(const TxSetup& setup, const dma::EalMemory& memory,
                                                 std::string name, const EventFd& alarm) {
    const auto make = setup.format.packed ? make_packed_tx : make_tx<SplitTx, SplitRing>;
    return make(setup, memory, std::move(name), alarm);
}

} // namespace sluice::inline v1::virtio
