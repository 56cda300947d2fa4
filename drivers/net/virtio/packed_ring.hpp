// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A packed virtqueue's memory. virtio 1.2 §2.8. Positions are counted without end, modulo 2^16: masked they
/// are descriptors, and the bit above says which lap, and so what the wrap counter is. A descriptor's second
/// half (length, id, flags) is one word, read and written at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include <sluice/base/error.hpp>
#include <sluice/dma/region.hpp>

#include "desc.hpp"
#include "ring.hpp"
#include "transport.hpp"

namespace sluice::inline v1::virtio {

class PackedRing {
  public:
    /// `size` is a power of two.
    static Result<PackedRing> allocate(const dma::EalMemory& memory, std::uint16_t size, int numa_node) {
        const PackedLayout layout = PackedLayout::of(size);
        auto region = dma::DmaRegion::allocate(memory, layout.bytes, {.numa_node = numa_node});
        if (!region)
            return propagate(std::move(region));
        return PackedRing(std::move(*region), layout, size);
    }

    std::uint16_t size() const noexcept { return size_; }
    std::uint16_t mask() const noexcept { return static_cast<std::uint16_t>(size_ - 1); }

    QueueSetup setup(std::uint16_t vector) const noexcept {
        return {size_, memory_.iova(), memory_.iova(layout_.driver), memory_.iova(layout_.device), vector};
    }

    /// As at the birth of a queue, interrupts off. The device does not use the ring.
    void clear() noexcept {
        std::memset(memory_.data(), 0, memory_.size());
        set_interrupts(false);
    }

    PackedDesc* descs() const noexcept { return reinterpret_cast<PackedDesc*>(memory_.data()); }

    /// Flags that make a descriptor available at `position`, and those that say it was used there. §2.8.1.
    std::uint16_t available(std::uint16_t position) const noexcept {
        return odd_lap(position) ? PackedDesc::flag_used : PackedDesc::flag_avail;
    }
    std::uint16_t used(std::uint16_t position) const noexcept {
        return odd_lap(position) ? std::uint16_t{0} : both;
    }

    /// The second half of a descriptor: length low, then id, then flags.
    static constexpr std::uint64_t word(std::uint32_t length, std::uint16_t id,
                                        std::uint16_t flags) noexcept {
        return std::uint64_t{length} | std::uint64_t{id} << 32 | std::uint64_t{flags} << 48;
    }
    /// What of a used descriptor's second half says anything: NEXT and INDIRECT are reserved there, WRITE is
    /// not looked at. §2.8.13.
    static constexpr std::uint64_t telling = 0x8080'ffff'ffff'ffff;

    /// What the device wrote before it is seen with it.
    static std::uint64_t read(const PackedDesc* desc) noexcept {
        return to_little(__atomic_load_n(second_half(desc), __ATOMIC_ACQUIRE));
    }
    /// Gives the device the descriptor: what was written before is seen with it.
    static void write(PackedDesc* desc, std::uint64_t value) noexcept {
        __atomic_store_n(second_half(desc), to_little(value), __ATOMIC_RELEASE);
    }

    bool is_used(std::uint16_t position) const noexcept {
        const std::uint64_t value = read(descs() + (position & mask()));
        return (static_cast<std::uint16_t>(value >> 48) & both) == used(position);
    }
    /// The used descriptor at `position`.
    UsedValue claim(std::uint16_t position) const noexcept {
        const std::uint64_t value = read(descs() + (position & mask()));
        return {static_cast<std::uint16_t>(value >> 32), static_cast<std::uint32_t>(value)};
    }

    /// One buffer at `position`, for the device to write; its id is the descriptor's number.
    void repost(std::uint16_t position, std::uint64_t iova, std::uint32_t length) noexcept {
        PackedDesc* const desc = descs() + (position & mask());
        desc->addr = iova;
        write(desc, word(length, position & mask(),
                         static_cast<std::uint16_t>(available(position) | PackedDesc::flag_write)));
    }
    void offer(std::uint16_t position, std::uint64_t iova, std::uint32_t length) noexcept {
        repost(position, iova, length);
    }
    void replace(std::uint16_t, std::uint64_t) noexcept {}
    void publish(std::uint16_t) noexcept {}

    /// A buffer of these parts in consecutive descriptors from `head` on; its id is the first one's number.
    /// The first becomes available last. `last` are flags of the last one. §2.8.6.
    void write_chain(std::uint16_t head, std::span<const BufferPart> parts, std::uint16_t last = 0) noexcept {
        for (std::size_t i = parts.size(); i-- != 0;) {
            const auto position = static_cast<std::uint16_t>(head + i);
            const auto flags = static_cast<std::uint16_t>(
                available(position) | (i + 1 == parts.size() ? last : PackedDesc::flag_next));
            PackedDesc* const desc = descs() + (position & mask());
            desc->addr = parts[i].iova;
            write(desc, word(parts[i].length, head & mask(), flags));
        }
    }

    /// §2.8.14.
    void set_interrupts(bool on) noexcept {
        __atomic_store_n(flags(layout_.driver), to_little(on ? PackedEvents::on : PackedEvents::off),
                         __ATOMIC_RELAXED);
    }

    /// Whether the device wants to be told of what was published. The full fence is SplitRing's. §2.8.21.3.1.
    bool wants_doorbell() const noexcept {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return (to_little(__atomic_load_n(flags(layout_.device), __ATOMIC_RELAXED)) & 3) != PackedEvents::off;
    }

  private:
    static constexpr std::uint16_t both = PackedDesc::flag_avail | PackedDesc::flag_used;

    PackedRing(dma::DmaRegion memory, const PackedLayout& layout, std::uint16_t size) noexcept
        : memory_(std::move(memory))
        , layout_(layout)
        , size_(size) {}

    bool odd_lap(std::uint16_t position) const noexcept { return (position & size_) != 0; }
    static const std::uint64_t* second_half(const PackedDesc* desc) noexcept {
        return reinterpret_cast<const std::uint64_t*>(&desc->len);
    }
    static std::uint64_t* second_half(PackedDesc* desc) noexcept {
        return reinterpret_cast<std::uint64_t*>(&desc->len);
    }
    std::uint16_t* flags(std::size_t area) const noexcept {
        return reinterpret_cast<std::uint16_t*>(memory_.data() + area + offsetof(PackedEvents, flags));
    }

    dma::DmaRegion memory_;
    PackedLayout layout_;
    std::uint16_t size_;
};

} // namespace sluice::inline v1::virtio
