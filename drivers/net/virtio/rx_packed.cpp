// SPDX-License-Identifier: BSD-3-Clause
// Receive bursts of packed rings. A used descriptor is one word: its flags, its id and both ends of its
// length are covered by one comparison, and a descriptor that is not used yet fails it like one that is
// remarkable.
#include <algorithm>

#include <rte_prefetch.h>

#include "packed_ring.hpp"
#include "rx_ring.hpp"

namespace sluice::inline v1::virtio {

namespace {

class PackedRx final : public RxRing<PackedRing> {
  public:
    using RxRing::RxRing;
    net::BurstFunction burst_function() const noexcept override {
        return linear_ ? burst<true> : burst<false>;
    }

  private:
    template <bool Linear>
    static std::uint16_t burst(void* queue, rte_mbuf** out, std::uint16_t count) noexcept;
    template <bool Linear>
    unsigned take_run(rte_mbuf** out, unsigned count) noexcept;
    unsigned count_ready() const noexcept;
};

template <bool Linear>
std::uint16_t PackedRx::burst(void* queue, rte_mbuf** out, std::uint16_t count) noexcept {
    auto& q = *static_cast<PackedRx*>(queue);
    if (!q.ring_.is_used(q.next_) && !q.batched_)
        return 0;
    const std::uint16_t before = q.posted_;
    unsigned got = 0;
    while (got < count) {
        if (q.withheld_count_ == 0 && !q.batched_) [[likely]] {
            const unsigned run = q.take_run<Linear>(out + got, count - got);
            got += run;
            if (run != 0)
                continue;
        }
        const unsigned ready = q.count_ready();
        rte_mbuf* frame = nullptr;
        if (ready == 0 || q.take_frame(frame, ready) == 0)
            break;
        if (frame != nullptr)
            out[got++] = frame;
    }
    if (got != 0)
        q.counters_.packets.add(got);
    if (q.posted_ != before)
        q.kick(q.ring_);
    return static_cast<std::uint16_t>(got);
}

/// Buffers that the device has answered for, as many as a frame may have at most.
unsigned PackedRx::count_ready() const noexcept {
    const unsigned most = std::min<unsigned>(static_cast<std::uint16_t>(posted_ - next_), max_buffers_);
    unsigned ready = batched_ ? static_cast<std::uint16_t>(told_end_ - next_) : 0U;
    while (ready < most) {
        const auto position = static_cast<std::uint16_t>(next_ + ready);
        if (!ring_.is_used(position))
            break;
        ready += spoken_for(position);
    }
    return std::min(ready, most);
}

/// Frames of one buffer each that lie in the order of the slots up to the end of the ring, as long as they
/// are there and nothing about them is remarkable. Every descriptor is the device's at first, so that what is
/// used is new.
template <bool Linear>
unsigned PackedRx::take_run(rte_mbuf** out, unsigned count) noexcept {
    const std::uint16_t first = next_ & ring_.mask();
    count = std::min({count, static_cast<unsigned>(ring_.size()) - first, max_run});
    rte_mempool_cache& cache = net::cache_of(pool_, own_cache_);
    if (cache.len < count) [[unlikely]] {
        net::fill_cache(pool_, cache, count);
        count = std::min(count, cache.len);
        if (count == 0)
            return 0;
    }
    // Fresh mbufs are read where they lie, the last first: how many it takes is not known yet.
    void* const* fresh = cache.objs + cache.len;
    rte_mbuf** const slots = slots_.get() + first;
    PackedDesc* const descs = ring_.descs() + first;
    const MbufHalf rearm{rearm_, 0};
    const std::uint64_t offset = Linear ? linear_offset_ : iova_offset_ + header_offset;
    const std::uint64_t range = fast_range_;
    constexpr std::uint64_t next_id = std::uint64_t{1} << 32;
    std::uint64_t expected = PackedRing::word(sizeof(NetHeader) + min_frame, first, ring_.used(next_));
    std::uint64_t refill = PackedRing::word(
        posted_bytes_, first,
        static_cast<std::uint16_t>(ring_.available(static_cast<std::uint16_t>(next_ + ring_.size())) |
                                   PackedDesc::flag_write));
    std::uint64_t bytes = 0;
    const std::size_t end = count * sizeof(void*);
    std::size_t at = 0;
    do {
        PackedDesc* const desc = advance(descs, 2 * at);
        // Zero from flags and id in the upper half, what the length has beyond the shortest in the lower.
        const std::uint64_t excess = (PackedRing::read(desc) & PackedRing::telling) - expected;
        if (excess > range) [[unlikely]]
            break;
        rte_mbuf* const mbuf = *advance(slots, at);
        rte_prefetch0(advance(slots, at)[prefetch_ahead]);
        auto* const next = static_cast<rte_mbuf*>(*--fresh);
        *advance(slots, at) = next;
        desc->addr = (Linear ? reinterpret_cast<std::uintptr_t>(next) : next->buf_iova) + offset;
        PackedRing::write(desc, refill);
        const std::uint64_t length = excess + min_frame;
        describe(mbuf, rearm, length);
        *advance(out, at) = mbuf;
        bytes += length;
        expected += next_id;
        refill += next_id;
        at += sizeof(void*);
    } while (at != end);
    const auto taken = static_cast<unsigned>(at / sizeof(void*));
    if (taken != 0) {
        cache.len -= taken;
        next_ = static_cast<std::uint16_t>(next_ + taken);
        posted_ = static_cast<std::uint16_t>(posted_ + taken);
        counters_.bytes.add(bytes);
    }
    return taken;
}

} // namespace

Result<std::unique_ptr<RxQueue>> make_packed_rx(const RxSetup& setup, const net::PoolAddressing& addressing,
                                                net::OwnCache cache, const dma::EalMemory& memory,
                                                std::string name, const EventFd& alarm) {
    return make_rx<PackedRx, PackedRing>(setup, addressing, std::move(cache), memory, std::move(name), alarm);
}

} // namespace sluice::inline v1::virtio
