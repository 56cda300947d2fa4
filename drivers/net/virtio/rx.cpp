// SPDX-License-Identifier: BSD-3-Clause
#include "rx.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <rte_prefetch.h>

namespace sluice::inline v1::virtio {

namespace {

/// Sixteen bytes that are stored at once.
using Pair [[gnu::vector_size(16), gnu::aligned(8), gnu::may_alias]] = std::uint64_t;

std::byte* field(rte_mbuf* mbuf, std::size_t offset) noexcept {
    return reinterpret_cast<std::byte*>(mbuf) + offset;
}

static_assert(offsetof(rte_mbuf, ol_flags) == offsetof(rte_mbuf, data_off) + 8);
static_assert(offsetof(rte_mbuf, pkt_len) == offsetof(rte_mbuf, packet_type) + 4);
static_assert(offsetof(rte_mbuf, data_len) == offsetof(rte_mbuf, packet_type) + 8);
static_assert(offsetof(rte_mbuf, vlan_tci) == offsetof(rte_mbuf, data_len) + 2);

/// data_off, refcnt, nb_segs and port as one word. The order of the fields is rte_mbuf's.
std::uint64_t rearm_word(std::uint16_t data_off, std::uint16_t port) noexcept {
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
inline void describe(rte_mbuf* mbuf, Pair rearm, std::uint64_t length) noexcept {
    *reinterpret_cast<Pair*>(field(mbuf, offsetof(rte_mbuf, data_off))) = rearm;
    const std::uint64_t type_and_length = length << 32;
    std::memcpy(field(mbuf, offsetof(rte_mbuf, packet_type)), &type_and_length, sizeof length);
    std::memcpy(field(mbuf, offsetof(rte_mbuf, data_len)), &length, sizeof length);
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
    auto ring = SplitRing::allocate(memory, setup.descriptors, setup.numa_node);
    if (!ring)
        return propagate(std::move(ring));
    return std::unique_ptr<RxQueue>(
        new RxQueue(std::move(*ring), setup, *addressing, std::move(*cache), std::move(name), alarm));
}

RxQueue::RxQueue(SplitRing ring, const RxSetup& setup, const net::PoolAddressing& addressing,
                 net::OwnCache cache, std::string name, const EventFd& alarm)
    : Queue(std::move(ring), std::move(name), setup.index, alarm)
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
    , withheld_(ring_.size())
    , claims_(ring_.size())
    , fresh_(ring_.size()) {}

Result<> RxQueue::fill(bool mergeable) {
    drain();
    ring_.clear();
    const std::uint16_t size = ring_.size();
    if (rte_mempool_get_bulk(pool_, fresh_.data(), size) != 0)
        return fail(ENOMEM, "the pool has too few mbufs to fill a receive ring: enlarge it",
                    std::string(pool_->name) + ": " + std::to_string(size) + " descriptors, " +
                        std::to_string(rte_mempool_avail_count(pool_)) + " mbufs");
    mergeable_ = mergeable;
    posted_bytes_ = room_ + sizeof(NetHeader);
    // With mergeable buffers a full one may have a successor, any other one has not: §5.1.6.3.2 wants all but
    // the last of a frame's buffers full.
    fast_range_ = room_ - (mergeable ? 1U : 0U) - min_frame;
    for (std::uint16_t i = 0; i < size; ++i) {
        slots_[i] = static_cast<rte_mbuf*>(fresh_[i]);
        ring_.descs()[i] = {header_iova(slots_[i]), posted_bytes_, Desc::flag_write, std::uint16_t{0}};
    }
    next_ = 0;
    posted_ = size;
    withheld_count_ = 0;
    std::fill(withheld_.begin(), withheld_.end(), false);
    return {};
}

void RxQueue::drain() noexcept {
    for (std::uint16_t i = 0; i < ring_.size(); ++i)
        if (rte_mbuf* const mbuf = std::exchange(slots_[i], nullptr))
            rte_mempool_put(pool_, mbuf);
}

void RxQueue::begin() noexcept {
    ring_.publish(posted_);
    kick();
}

net::BurstFunction RxQueue::burst_function() const noexcept {
    return linear_ ? burst<true> : burst<false>;
}

template <bool Linear>
std::uint16_t RxQueue::burst(void* queue, rte_mbuf** out, std::uint16_t count) noexcept {
    auto& q = *static_cast<RxQueue*>(queue);
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
        if (q.withheld_count_ == 0) [[likely]] {
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
        q.kick();
    }
    return static_cast<std::uint16_t>(got);
}

/// Frames of one buffer each that lie in the order of the slots up to the end of the ring, as long as nothing
/// about them is remarkable. One test covers id and length: the id is the expected one, the length at least
/// the header's and the shortest frame's, and at most what needs no look.
template <bool Linear>
unsigned RxQueue::take_run(rte_mbuf** out, unsigned count) noexcept {
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
    const Pair rearm{rearm_, 0};
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

/// One frame of any kind. How many elements of the used ring it took: 0 when the queue broke or the pool is
/// empty. `out` stays null when the frame is dropped.
unsigned RxQueue::take_frame(rte_mbuf*& out, unsigned ready) noexcept {
    claims_[0] = ring_.read_used(next_ & ring_.mask());
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
bool RxQueue::take_fresh(unsigned count) noexcept {
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

/// How many buffers the frame claims that begins with `first`; 0: it lies.
unsigned RxQueue::frame_buffers(const UsedValue& first, unsigned ready) noexcept {
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
    if (buffers == 0 || buffers > ready || (buffers - 1) * posted_bytes_ > max_frame) {
        break_queue("a frame claims more buffers than it can have");
        return 0;
    }
    return buffers;
}

/// Reads what the device says of a frame's buffers, each once, and takes them out of its hands; the first
/// claim was read. False: it lies.
bool RxQueue::collect(unsigned buffers) noexcept {
    for (unsigned i = 0; i < buffers; ++i) {
        if (i != 0)
            claims_[i] = ring_.read_used(static_cast<std::uint16_t>((next_ + i) & ring_.mask()));
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
        withheld_[claim.id] = true;
    }
    return true;
}

/// The frame's mbufs as a chain, with those of `fresh_` in their slots.
rte_mbuf* RxQueue::assemble(unsigned buffers) noexcept {
    rte_mbuf* head = nullptr;
    rte_mbuf* tail = nullptr;
    for (unsigned i = 0; i < buffers; ++i) {
        const UsedValue claim = claims_[i];
        rte_mbuf* const mbuf = slots_[claim.id];
        slots_[claim.id] = static_cast<rte_mbuf*>(fresh_[i]);
        ring_.descs()[claim.id].addr = header_iova(slots_[claim.id]);
        if (head == nullptr) {
            describe(mbuf, Pair{rearm_, 0}, claim.len - sizeof(NetHeader));
            head = mbuf;
        } else {
            // Later buffers have no header: the frame goes on where the header would be.
            describe(mbuf, Pair{rearm_, 0}, claim.len);
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
void RxQueue::give_back(unsigned buffers) noexcept {
    next_ = static_cast<std::uint16_t>(next_ + buffers);
    withheld_count_ = static_cast<std::uint16_t>(withheld_count_ + buffers);
    while (withheld_count_ != 0 && withheld_[posted_ & ring_.mask()]) {
        withheld_[posted_ & ring_.mask()] = false;
        ++posted_;
        --withheld_count_;
    }
}

template std::uint16_t RxQueue::burst<true>(void*, rte_mbuf**, std::uint16_t) noexcept;
template std::uint16_t RxQueue::burst<false>(void*, rte_mbuf**, std::uint16_t) noexcept;

} // namespace sluice::inline v1::virtio
