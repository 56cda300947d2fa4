// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What transmit queues of both formats share: the slots, frames of any kind, and what happens to an mbuf
/// that was sent. The burst loops stand in tx.cpp and tx_packed.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rte_mbuf.h>

#include <sluice/dma/region.hpp>

#include "ring.hpp"
#include "tx.hpp"

namespace sluice::inline v1::virtio {

inline constexpr std::uint16_t header_bytes = sizeof(NetHeader);

static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, refcnt) + 2);

/// Reference count and number of segments as one word.
inline std::uint32_t owners_and_segments(const rte_mbuf* mbuf) noexcept {
    std::uint32_t word;
    std::memcpy(&word, reinterpret_cast<const std::byte*>(mbuf) + offsetof(rte_mbuf, refcnt), sizeof word);
    return word;
}

inline constexpr std::uint32_t one_owner_one_segment = 0x0001'0001;
/// The data lies in another mbuf, or in memory of the application's.
inline bool foreign_buffer(const rte_mbuf* mbuf) noexcept {
    return (mbuf->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) != 0;
}

/// The buffer in front of the data is the sender's to write.
inline bool headroom_is_ours(const rte_mbuf* mbuf) noexcept {
    return rte_mbuf_refcnt_read(mbuf) == 1 && !foreign_buffer(mbuf) && mbuf->data_off >= header_bytes;
}

/// A modern device wants all of it zero where no offload is asked for (§5.1.6.2).
inline void write_header(std::byte* at) noexcept {
    std::memset(at, 0, header_bytes);
}

/// Puts 32 free mbufs of one pool back, into the lcore's cache where it has room.
inline void put_lump(rte_mempool* pool, rte_mbuf* const* mbufs) noexcept {
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

/// `Self` is the queue on `Ring`. It has posted(slot, span), called for each frame of any kind before it is
/// counted, and complete_all(), which frees what the device has sent.
template <typename Self, typename Ring>
class TxRing : public TxQueue {
  public:
    TxRing(Ring ring, dma::DmaRegion headers, const TxSetup& setup, std::uint64_t iova_offset,
           std::string name, const EventFd& alarm)
        : TxQueue(std::move(name), setup.index, alarm)
        , ring_(std::move(ring))
        , slots_(new rte_mbuf* [ring_.size()] {})
        , exceptions_(new std::uint32_t[ring_.size() / lump]{})
        , iova_offset_(iova_offset)
        , in_order_(setup.format.in_order)
        , spans_(ring_.size())
        , headers_(std::move(headers)) {}
    ~TxRing() override { drain(); }

    QueueSetup setup(std::uint16_t vector) const noexcept final { return ring_.setup(vector); }
    void clear() noexcept final;
    void drain() noexcept final;

  protected:
    /// Shortest and longest frame that can be sent, without offloads.
    static constexpr std::uint32_t min_frame = 14;
    static constexpr std::uint32_t max_frame = 65535 + 14 + 8;
    static constexpr unsigned lump = 32;
    static constexpr std::size_t header_stride = 16;
    using Parts = std::array<BufferPart, max_segments + 1>;

    unsigned room() const noexcept { return ring_.size() - static_cast<std::uint16_t>(head_ - clean_); }
    bool make_room(unsigned descriptors) noexcept;
    bool post_frame(rte_mbuf* mbuf) noexcept;
    void gather(rte_mbuf* mbuf, bool header_in_place, unsigned slot, Parts& parts) noexcept;
    void adopt_pool(rte_mempool* pool) noexcept;

    bool outstanding(std::uint32_t id, std::uint16_t oldest) const noexcept;
    unsigned release(unsigned slot) noexcept;
    bool advance_done(std::uint32_t id) noexcept;
    unsigned free_done(bool all) noexcept;

    bool exceptional(unsigned slot) const noexcept {
        return (exceptions_[slot / lump] >> slot % lump & 1) != 0;
    }
    void mark(unsigned slot) noexcept { exceptions_[slot / lump] |= std::uint32_t{1} << slot % lump; }
    void unmark(unsigned slot) noexcept { exceptions_[slot / lump] &= ~(std::uint32_t{1} << slot % lump); }
    Self& self() noexcept { return static_cast<Self&>(*this); }

    Ring ring_;
    // Counted without end, modulo 2^16; masked they are slots and entries.
    std::uint16_t head_ = 0;  ///< slot of the next frame
    std::uint16_t clean_ = 0; ///< oldest slot in use
    std::uint16_t avail_ = 0; ///< frames given to the device
    std::uint16_t next_ = 0;  ///< used buffer to be looked at next
    bool irregular_ = false;  ///< of a split ring: entry i of the available ring may name another slot than i
    /// First mbuf of each frame in its first slot, null in the other slots of frames that are not sent yet.
    std::unique_ptr<rte_mbuf*[]> slots_;
    /// A bit for each slot whose mbuf cannot go back to the pool as it is, or not with its neighbours.
    std::unique_ptr<std::uint32_t[]> exceptions_;
    rte_mempool* pool_ = nullptr; ///< of the frames posted last
    std::uint64_t iova_offset_;

    std::uint16_t done_ = 0;           ///< in order: all slots before it were sent
    bool in_order_;                    ///< the device promised to
    std::vector<std::uint16_t> spans_; ///< slots of the frame that begins in each slot
    dma::DmaRegion headers_;           ///< a header of zeroes for each slot
};

/// `Queue` on `Ring`, for TxQueue::create.
template <typename Queue, typename Ring>
Result<std::unique_ptr<TxQueue>> make_tx(const TxSetup& setup, const dma::EalMemory& memory, std::string name,
                                         const EventFd& alarm) {
    auto ring = Ring::allocate(memory, setup.descriptors, setup.numa_node);
    if (!ring)
        return propagate(std::move(ring));
    constexpr std::size_t header_stride = 16;
    auto headers =
        dma::DmaRegion::allocate(memory, setup.descriptors * header_stride, {.numa_node = setup.numa_node});
    if (!headers)
        return propagate(std::move(headers));
    return std::unique_ptr<TxQueue>(new Queue(std::move(*ring), std::move(*headers), setup,
                                              memory.iova_offset(), std::move(name), alarm));
}

/// tx_packed.cpp.
Result<std::unique_ptr<TxQueue>> make_packed_tx(const TxSetup& setup, const dma::EalMemory& memory,
                                                std::string name, const EventFd& alarm);

template <typename Self, typename Ring>
void TxRing<Self, Ring>::clear() noexcept {
    drain();
    ring_.clear();
    head_ = clean_ = avail_ = next_ = done_ = 0;
    irregular_ = false;
    pool_ = nullptr;
    std::fill_n(exceptions_.get(), ring_.size() / lump, 0);
    std::fill(spans_.begin(), spans_.end(), std::uint16_t{1});
    for (std::size_t i = 0; i < ring_.size(); ++i)
        write_header(headers_.data() + i * header_stride);
}

template <typename Self, typename Ring>
void TxRing<Self, Ring>::drain() noexcept {
    for (; clean_ != head_; ++clean_)
        if (rte_mbuf* const mbuf = std::exchange(slots_[clean_ & ring_.mask()], nullptr))
            rte_pktmbuf_free(mbuf);
}

/// Whether `id`, which the device says, is the first slot of a frame that it has, none being older than
/// `oldest`.
template <typename Self, typename Ring>
bool TxRing<Self, Ring>::outstanding(std::uint32_t id, std::uint16_t oldest) const noexcept {
    const auto age = static_cast<std::uint16_t>((id - oldest) & ring_.mask());
    return id < ring_.size() && age < static_cast<std::uint16_t>(head_ - oldest) && slots_[id] != nullptr;
}

/// Frees the frame that begins in `slot`. How many mbufs that were.
template <typename Self, typename Ring>
unsigned TxRing<Self, Ring>::release(unsigned slot) noexcept {
    rte_mbuf* const mbuf = std::exchange(slots_[slot], nullptr);
    if (!exceptional(slot)) {
        rte_mbuf_raw_free(mbuf);
        return 1;
    }
    const unsigned freed = mbuf->nb_segs;
    rte_pktmbuf_free(mbuf);
    for (std::uint16_t i = 0; i < spans_[slot]; ++i)
        unmark((slot + i) & ring_.mask());
    spans_[slot] = 1;
    return freed;
}

/// In order: the frame that begins in slot `id`, and all before it, were sent. False: it lies.
template <typename Self, typename Ring>
bool TxRing<Self, Ring>::advance_done(std::uint32_t id) noexcept {
    if (!outstanding(id, done_)) {
        break_queue("it gave back a buffer that it does not have");
        return false;
    }
    done_ = static_cast<std::uint16_t>(done_ + ((id - done_) & ring_.mask()) + spans_[id]);
    return true;
}

/// In order: frees what was sent, in lumps, or all of it.
template <typename Self, typename Ring>
unsigned TxRing<Self, Ring>::free_done(bool all) noexcept {
    unsigned freed = 0;
    while (clean_ != done_) {
        const unsigned first = clean_ & ring_.mask();
        const bool full = static_cast<std::uint16_t>(done_ - clean_) >= lump;
        if (full && first % lump == 0 && exceptions_[first / lump] == 0) {
            put_lump(slots_[first]->pool, slots_.get() + first);
            clean_ = static_cast<std::uint16_t>(clean_ + lump);
            freed += lump;
            continue;
        }
        if (!full && !all)
            break;
        clean_ = static_cast<std::uint16_t>(clean_ + spans_[first]);
        freed += release(first);
    }
    return freed;
}

/// Room for `descriptors`, once completions were looked at that do not make a lump.
template <typename Self, typename Ring>
bool TxRing<Self, Ring>::make_room(unsigned descriptors) noexcept {
    if (room() < descriptors)
        self().complete_all();
    return room() >= descriptors && !broken();
}

/// One frame of any kind. False: the ring has no room for it now. A frame that can never be sent is freed.
template <typename Self, typename Ring>
bool TxRing<Self, Ring>::post_frame(rte_mbuf* mbuf) noexcept {
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
    Parts parts;
    gather(mbuf, in_place, slot, parts);
    ring_.write_chain(head_, std::span(parts).first(span));
    self().posted(slot, span);
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

/// The frame as the device reads it: the header, unless it lies in front of the data, and every segment that
/// is not empty (a device may take an empty buffer for an error). A header of its own is that of `slot`.
template <typename Self, typename Ring>
void TxRing<Self, Ring>::gather(rte_mbuf* mbuf, bool header_in_place, unsigned slot, Parts& parts) noexcept {
    std::size_t count = 0;
    std::uint32_t header = header_bytes;
    if (header_in_place) {
        write_header(rte_pktmbuf_mtod_offset(mbuf, std::byte*, -int{header_bytes}));
    } else {
        parts[count++] = {headers_.iova(slot * header_stride).value, header_bytes};
        header = 0;
    }
    const rte_mbuf* segment = mbuf;
    for (unsigned left = mbuf->nb_segs; left != 0 && segment != nullptr; --left, segment = segment->next) {
        if (segment->data_len == 0)
            continue;
        parts[count++] = {rte_pktmbuf_iova(segment) + iova_offset_ - header, segment->data_len + header};
        header = 0;
    }
}

/// Frames come from another pool now: those in the same lump go back one by one.
template <typename Self, typename Ring>
void TxRing<Self, Ring>::adopt_pool(rte_mempool* pool) noexcept {
    const unsigned slot = head_ & ring_.mask();
    exceptions_[slot / lump] |= (std::uint32_t{1} << slot % lump) - 1;
    pool_ = pool;
}

} // namespace sluice::inline v1::virtio
