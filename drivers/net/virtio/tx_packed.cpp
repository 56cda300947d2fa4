// SPDX-License-Identifier: BSD-3-Clause
// Transmit bursts of packed rings. A frame's id is its first slot, so that slots are descriptors and whatever
// came back is found without a table.
#include <algorithm>
#include <cstddef>

#include "packed_ring.hpp"
#include "tx_ring.hpp"

namespace sluice::inline v1::virtio {

namespace {

class PackedTx final : public TxRing<PackedTx, PackedRing> {
  public:
    using TxRing::TxRing;
    net::BurstFunction burst_function() const noexcept override {
        return in_order_ ? burst<true> : burst<false>;
    }
    net::ReclaimFunction reclaim_function() const noexcept override {
        return [](void* queue) noexcept -> std::uint32_t {
            return static_cast<PackedTx*>(queue)->complete_all();
        };
    }

    void posted(std::uint16_t, std::uint16_t) noexcept {}
    unsigned complete_all() noexcept;

  private:
    template <bool InOrder>
    static std::uint16_t burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
    void complete_lumps() noexcept;
    bool complete_lump() noexcept;
    unsigned complete_frames(unsigned most) noexcept;
    void see_done() noexcept;
    void see_lumps() noexcept;
    unsigned post_run(rte_mbuf** packets, unsigned count) noexcept;
};

template <bool InOrder>
std::uint16_t PackedTx::burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept {
    auto& q = *static_cast<PackedTx*>(queue);
    if constexpr (InOrder) {
        q.see_lumps();
    } else {
        q.complete_lumps();
    }
    const std::uint16_t before = q.avail_;
    unsigned sent = 0;
    while (sent < count && !q.broken()) {
        const unsigned wanted = std::min<unsigned>(count - sent, q.ring_.size());
        if (q.room() < wanted) [[unlikely]]
            q.make_room(wanted);
        const unsigned run = q.post_run(packets + sent, wanted);
        sent += run;
        if (run != 0)
            continue;
        if (!q.post_frame(packets[sent]))
            break;
        ++sent;
    }
    if (q.avail_ != before) {
        q.counters_.packets.add(static_cast<std::uint16_t>(q.avail_ - before));
        q.kick(q.ring_);
    }
    return static_cast<std::uint16_t>(sent);
}

/// Completions are looked at when the last descriptor of a lump was used.
void PackedTx::complete_lumps() noexcept {
    while (static_cast<std::uint16_t>(head_ - done_) >= lump) {
        const auto last = static_cast<std::uint16_t>(done_ | (lump - 1));
        if (!ring_.is_used(last))
            return;
        if (complete_lump()) [[likely]]
            continue;
        if (complete_frames(lump - done_ % lump) == 0 || broken())
            return;
    }
}

/// Puts 32 mbufs back at once, if the next 32 descriptors were used, each for its own slot, and each slot
/// holds one mbuf that is as the pool wants it. False, and nothing done, if not.
bool PackedTx::complete_lump() noexcept {
    if (clean_ != done_ || done_ % lump != 0)
        return false;
    const std::uint16_t first = done_ & ring_.mask();
    if (exceptions_[first / lump] != 0)
        return false;
    const PackedDesc* const descs = ring_.descs() + first;
    std::uint64_t expected = PackedRing::word(0, first, ring_.used(done_));
    constexpr std::uint64_t next_id = std::uint64_t{1} << 32;
    std::uint64_t difference = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < lump; ++i) {
        difference |= PackedRing::read(descs + i) ^ expected;
        expected += next_id;
    }
    constexpr std::uint64_t no_length = ~std::uint64_t{0xffffffff};
    if ((difference & PackedRing::telling & no_length) != 0) [[unlikely]]
        return false;
    put_lump(slots_[first]->pool, slots_.get() + first);
    clean_ = static_cast<std::uint16_t>(clean_ + lump);
    done_ = clean_;
    return true;
}

/// Looks at `most` used descriptors, one by one. How many mbufs went back.
unsigned PackedTx::complete_frames(unsigned most) noexcept {
    unsigned freed = 0;
    for (; most != 0 && done_ != head_ && ring_.is_used(done_); --most) {
        const std::uint32_t id = ring_.claim(done_).id;
        if (!outstanding(id, clean_)) {
            break_queue("it gave back a buffer that it does not have");
            return freed;
        }
        // §2.8.6: the device goes on behind as many descriptors as the buffer had.
        done_ = static_cast<std::uint16_t>(done_ + spans_[id]);
        freed += release(id);
        while (clean_ != head_ && slots_[clean_ & ring_.mask()] == nullptr)
            ++clean_;
    }
    return freed;
}

/// In order: one used descriptor may say for all before its buffer. §2.8.7.
void PackedTx::see_done() noexcept {
    while (done_ != head_ && ring_.is_used(done_))
        if (!advance_done(ring_.claim(done_).id))
            return;
}

/// The same for a burst: a device that answers for each buffer is looked at by lumps.
void PackedTx::see_lumps() noexcept {
    while (done_ != head_ && ring_.is_used(done_)) {
        const bool lump_used = ring_.is_used(static_cast<std::uint16_t>(done_ | (lump - 1)));
        if (lump_used && complete_lump()) [[likely]]
            continue;
        const std::uint32_t id = ring_.claim(done_).id;
        if (!lump_used && id == (done_ & ring_.mask()))
            break;
        if (!advance_done(id))
            return;
    }
    free_done(false);
}

unsigned PackedTx::complete_all() noexcept {
    if (!in_order_)
        return complete_frames(ring_.size());
    see_done();
    return free_done(true);
}

/// Frames of one mbuf each, up to the end of the ring, as long as they need no look.
unsigned PackedTx::post_run(rte_mbuf** packets, unsigned count) noexcept {
    const std::uint16_t first = head_ & ring_.mask();
    count = std::min({count, room(), static_cast<unsigned>(ring_.size()) - first});
    PackedDesc* const descs = ring_.descs() + first;
    rte_mbuf** const slots = slots_.get() + first;
    const rte_mempool* const pool = pool_;
    const std::uint64_t offset = iova_offset_ - header_bytes;
    std::uint64_t offer = PackedRing::word(header_bytes, first, ring_.available(head_));
    constexpr std::uint64_t next_id = std::uint64_t{1} << 32;
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
        PackedDesc* const desc = advance(descs, 2 * at);
        desc->addr = mbuf->buf_iova + data_off + offset;
        PackedRing::write(desc, offer + length);
        *advance(slots, at) = mbuf;
        bytes += length;
        offer += next_id;
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

Result<std::unique_ptr<TxQueue>> make_packed_tx(const TxSetup& setup, const dma::EalMemory& memory,
                                                std::string name, const EventFd& alarm) {
    return make_tx<PackedTx, PackedRing>(setup, memory, std::move(name), alarm);
}

} // namespace sluice::inline v1::virtio
