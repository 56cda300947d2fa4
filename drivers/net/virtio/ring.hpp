// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A split virtqueue's memory. virtio 1.2 §2.7. What the device can write is read once into a local; whatever
/// decides about memory is kept elsewhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <sluice/base/error.hpp>
#include <sluice/dma/region.hpp>

#include "desc.hpp"
#include "transport.hpp"

namespace sluice::inline v1::virtio {

/// `base` moved on by bytes: loops over several arrays share one counter.
template <typename T>
inline T* advance(T* base, std::size_t bytes) noexcept {
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(base) + bytes);
}

/// An element of the used ring, read from memory exactly once.
struct UsedValue {
    std::uint32_t id;
    std::uint32_t len;
};

/// A piece of a buffer that the device reads.
struct BufferPart {
    std::uint64_t iova = 0;
    std::uint32_t length = 0;
};

class SplitRing {
  public:
    /// `size` is a power of two.
    static Result<SplitRing> allocate(const dma::EalMemory& memory, std::uint16_t size, int numa_node) {
        const SplitLayout layout = SplitLayout::of(size);
        auto region = dma::DmaRegion::allocate(memory, layout.bytes, {.numa_node = numa_node});
        if (!region)
            return propagate(std::move(region));
        return SplitRing(std::move(*region), layout, size);
    }

    std::uint16_t size() const noexcept { return size_; }
    std::uint16_t mask() const noexcept { return static_cast<std::uint16_t>(size_ - 1); }

    QueueSetup setup(std::uint16_t vector) const noexcept {
        return {size_, memory_.iova(layout_.desc), memory_.iova(layout_.avail), memory_.iova(layout_.used),
                vector};
    }

    /// Slot `id`'s buffer, for the device to write. Before it is published for the first time.
    void offer(std::uint16_t id, std::uint64_t iova, std::uint32_t length) noexcept {
        descs()[id] = {iova, length, Desc::flag_write, std::uint16_t{0}};
    }
    /// Another buffer of the same size in its place; it is published with its entry.
    void replace(std::uint16_t id, std::uint64_t iova) noexcept { descs()[id].addr = iova; }
    void repost(std::uint16_t, std::uint64_t, std::uint32_t) noexcept {}

    /// A buffer of these parts, in consecutive slots from `head` on.
    void write_chain(std::uint16_t head, std::span<const BufferPart> parts) noexcept {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const bool last = i + 1 == parts.size();
            const auto slot = static_cast<std::uint16_t>(head + i);
            descs()[slot & mask()] = {
                parts[i].iova, parts[i].length, last ? std::uint16_t{0} : Desc::flag_next,
                last ? std::uint16_t{0} : static_cast<std::uint16_t>((slot + 1) & mask())};
        }
    }

    /// As at the birth of a queue, with entry i of the available ring naming descriptor i, and interrupts
    /// off. The device does not use the ring.
    void clear() noexcept {
        std::memset(memory_.data(), 0, memory_.size());
        for (std::uint16_t i = 0; i < size_; ++i)
            set_avail(i, i);
        set_interrupts(false);
    }

    Desc* descs() const noexcept { return reinterpret_cast<Desc*>(memory_.data() + layout_.desc); }

    void set_avail(std::uint16_t entry, std::uint16_t id) noexcept {
        reinterpret_cast<le16*>(memory_.data() + layout_.avail + sizeof(Avail))[entry] = id;
    }

    /// Gives the device all entries before `idx`: descriptors written earlier are seen first. §2.7.13.3.
    void publish(std::uint16_t idx) noexcept {
        __atomic_store_n(word(layout_.avail + offsetof(Avail, idx)), to_little(idx), __ATOMIC_RELEASE);
    }

    /// §2.7.7. The device looks at the flag between two completions.
    void set_interrupts(bool on) noexcept {
        __atomic_store_n(word(layout_.avail + offsetof(Avail, flags)),
                         to_little(on ? std::uint16_t{0} : Avail::no_interrupt), __ATOMIC_RELAXED);
    }

    /// Elements before it were written before. §2.7.14.
    std::uint16_t used_idx() const noexcept {
        return to_little(__atomic_load_n(word(layout_.used + offsetof(Used, idx)), __ATOMIC_ACQUIRE));
    }

    /// Elements of the used ring, each as one word: the id low, the length high.
    const std::uint64_t* used() const noexcept {
        return reinterpret_cast<const std::uint64_t*>(memory_.data() + layout_.used + sizeof(Used));
    }
    static std::uint64_t read(const std::uint64_t* element) noexcept {
        return to_little(__atomic_load_n(element, __ATOMIC_RELAXED));
    }
    /// The element that is read as number `count`.
    UsedValue claim(std::uint16_t count) const noexcept {
        const std::uint64_t value = read(used() + (count & mask()));
        return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
    }

    /// Whether the device wants to be told of what was published. The full fence puts the store of the index
    /// before this load: otherwise a device that goes to sleep in between is never woken. §2.7.13.4.1.
    bool wants_doorbell() const noexcept {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        const auto* const flags = word(layout_.used + offsetof(Used, flags));
        return (to_little(__atomic_load_n(flags, __ATOMIC_RELAXED)) & Used::no_notify) == 0;
    }

  private:
    SplitRing(dma::DmaRegion memory, const SplitLayout& layout, std::uint16_t size) noexcept
        : memory_(std::move(memory))
        , layout_(layout)
        , size_(size) {}

    std::uint16_t* word(std::size_t offset) const noexcept {
        return reinterpret_cast<std::uint16_t*>(memory_.data() + offset);
    }

    dma::DmaRegion memory_;
    SplitLayout layout_;
    std::uint16_t size_;
};

} // namespace sluice::inline v1::virtio
