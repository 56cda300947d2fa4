// SPDX-License-Identifier: BSD-3-Clause
#include "rx.hpp"

#include <bit>

#include <rte_prefetch.h>

#include "rx_ring.hpp"

namespace sluice::inline v1::virtio {

namespace {

class SplitRx final : public RxRing<SplitRing> {
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
};

template <bool Linear>
std::uint16_t SplitRx::burst(void* queue, rte_mbuf** out, std::uint16_t count) noexcept {
    auto& q = *static_cast<SplitRx*>(queue);
    unsigned ready = static_cast<std::uint16_t>(q.ring_.used_idx() - q.next_);
    if (ready == 0)
        return 0;
    if (ready > static_cast<std::uint16_t>(q.posted_ - q.next_)) {
        q.break_queue("the used index jumped");
        return 0;
    }
    const std::uint16_t before = q.posted_;
    unsigned got = 0;
    while (got < count && ready != 0) {
        if (q.withheld_count_ == 0 && !q.batched_) [[likely]] {
            const unsigned run = q.take_run<Linear>(out + got, std::min<unsigned>(count - got, ready));
            got += run;
            ready -= run;
            if (run != 0)
                continue;
        }
        rte_mbuf* frame = nullptr;
        const unsigned consumed = q.take_frame(frame, ready);
        if (consumed == 0)
            break;
        ready -= consumed;
        if (frame != nullptr)
            out[got++] = frame;
    }
    if (got != 0)
        q.counters_.packets.add(got);
    if (q.posted_ != before) {
        q.ring_.publish(q.posted_);
        q.kick(q.ring_);
    }
    return static_cast<std::uint16_t>(got);
}

/// Frames of one buffer each that lie in the order of the slots up to the end of the ring, as long as nothing
/// about them is remarkable. One test covers id and length: the id is the expected one, the length at least
/// the header's and the shortest frame's, and at most what needs no look.
template <bool Linear>
unsigned SplitRx::take_run(rte_mbuf** out, unsigned count) noexcept {
    const unsigned first = next_ & ring_.mask();
    count = std::min({count, ring_.size() - first, max_run});
    rte_mempool_cache& cache = net::cache_of(pool_, own_cache_);
    if (cache.len < count) [[unlikely]] {
        net::fill_cache(pool_, cache, count);
        count = std::min(count, cache.len);
        if (count == 0)
            return 0;
    }
    // Fresh mbufs are read where they lie.
    void** const fresh = cache.objs + (cache.len - count);
    const std::uint64_t* const used = ring_.used() + first;
    rte_mbuf** const slots = slots_.get() + first;
    Desc* const descs = ring_.descs() + first;
    const MbufHalf rearm{rearm_, 0};
    const std::uint64_t offset = Linear ? linear_offset_ : iova_offset_ + header_offset;
    const std::uint64_t range = fast_range_;
    std::uint64_t expected = first | std::uint64_t{sizeof(NetHeader) + min_frame} << 32;
    std::uint64_t bytes = 0;
    const std::size_t end = count * sizeof(void*);
    std::size_t at = 0;
    do {
        // Zero from the id in the upper half, what the length has beyond the shortest in the lower.
        const std::uint64_t excess = std::rotl(SplitRing::read(advance(used, at)) - expected, 32);
        if (excess > range) [[unlikely]]
            break;
        rte_mbuf* const mbuf = *advance(slots, at);
        rte_prefetch0(advance(slots, at)[prefetch_ahead]);
        auto* const next = static_cast<rte_mbuf*>(*advance(fresh, at));
        *advance(slots, at) = next;
        advance(descs, 2 * at)->addr =
            (Linear ? reinterpret_cast<std::uintptr_t>(next) : next->buf_iova) + offset;
        const std::uint64_t length = excess + min_frame;
        describe(mbuf, rearm, length);
        *advance(out, at) = mbuf;
        bytes += length;
        ++expected;
        at += sizeof(void*);
    } while (at != end);
    const auto taken = static_cast<unsigned>(at / sizeof(void*));
    cache.len -= taken;
    if (taken != count) [[unlikely]]
        std::memmove(static_cast<void*>(fresh), static_cast<const void*>(fresh + taken),
                     (count - taken) * sizeof(void*));
    if (taken != 0) {
        next_ = static_cast<std::uint16_t>(next_ + taken);
        posted_ = static_cast<std::uint16_t>(posted_ + taken);
        counters_.bytes.add(bytes);
    }
    return taken;
}

} // namespace

Result<std::unique_ptr<RxQueue>> RxQueue::create(const RxSetup& setup, const dma::EalMemory& memory,
                                                 std::string name, const EventFd& alarm) {
    if ((rte_pktmbuf_priv_flags(setup.pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) != 0)
        return fail(EINVAL, "a pool whose mbufs have external buffers cannot receive", setup.pool->name);
    auto addressing = net::pool_addressing(setup.pool, memory.iova_offset());
    if (!addressing)
        return propagate(std::move(addressing));
    auto cache = net::make_cache(setup.pool, setup.numa_node);
    if (!cache)
        return propagate(std::move(cache));
    const auto make = setup.format.packed ? make_packed_rx : make_rx<SplitRx, SplitRing>;
    return make(setup, *addressing, std::move(*cache), memory, std::move(name), alarm);
}

} // namespace sluice::inline v1::virtio
