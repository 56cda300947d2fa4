// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The device's side of virtqueues, split and packed (virtio 1.2 §2.7, §2.8). All that lies in the rings was
/// written by a driver that is not trusted: each word is read once, bounded, and then used. A ring that is
/// caught lying is broken: it gives nothing more until it is started again. Event indices and indirect
/// descriptors are not offered, so that they are lies too.
///
/// Both kinds have the same members, and who uses them is a template. One thread at a time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <sluice/model/memory.hpp>
#include <sluice/model/virtio.hpp>

namespace sluice::inline v1::model {

/// Where the three areas of a queue lie in this process. Whoever gives it has checked that each area is there
/// as a whole (RingSizes), writable, and as aligned as RingSizes says.
struct RingMemory {
    std::uint16_t size = 0; ///< descriptors: of a split ring a power of two, at most 32,768
    std::byte* desc = nullptr;
    std::byte* driver = nullptr; ///< the available ring; packed: the driver's event suppression
    std::byte* device = nullptr; ///< the used ring; packed: the device's event suppression
};

/// Bytes of the areas, and what their addresses are multiples of. §2.7, §2.8.
struct RingSizes {
    std::size_t desc = 0;
    std::size_t driver = 0;
    std::size_t device = 0;
    static constexpr std::size_t desc_alignment = 16;
    static constexpr std::size_t driver_alignment = 2; ///< packed: 4
    static constexpr std::size_t device_alignment = 4;

    static constexpr RingSizes of(std::size_t size, bool packed) noexcept {
        if (packed)
            return {size * sizeof(PackedDesc), 4, 4};
        return {size * sizeof(SplitDesc), 4 + 2 * size, 4 + 8 * size};
    }
};

/// A piece of a chain, in this process's memory.
struct Buffer {
    std::byte* data;
    std::uint32_t size;
    bool writable; ///< the device writes it; otherwise it reads it
};

/// Buffers of the chains of one burst.
class Buffers {
  public:
    static constexpr std::size_t capacity = 2048;
    static constexpr std::size_t max_chain = 1024; ///< of one chain

    void clear() noexcept { used_ = 0; }
    std::size_t size() const noexcept { return used_; }
    bool add(const Buffer& buffer) noexcept {
        if (used_ == capacity)
            return false;
        all_[used_++] = buffer;
        return true;
    }
    void cut(std::size_t size) noexcept { used_ = size; }
    std::span<Buffer> from(std::size_t first, std::size_t count) noexcept {
        return std::span(all_).subspan(first, count);
    }

  private:
    std::array<Buffer, capacity> all_;
    std::size_t used_ = 0;
};

/// A chain of buffers that the driver made available.
struct Chain {
    std::uint32_t first = 0; ///< in Buffers
    std::uint32_t count = 0;
    std::uint16_t id = 0;
    std::uint16_t descriptors = 0;
};

enum class Take : std::uint8_t {
    taken,
    empty,   ///< the driver has made nothing available
    no_room, ///< Buffers is full: use what was taken first
    broken,  ///< the driver lies: fault() says how
};

/// Fetches the line of `at` so that a store finds it here alone. The compiler's own prefetch is one for loads
/// where the processor's least is assumed, and costs a second trip to the processor that has the line.
inline void prefetch_for_store(const void* at) noexcept {
#ifdef __x86_64__
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
#else
    __builtin_prefetch(at, 1);
#endif
}

/// What both kinds of ring share.
class RingBase {
  public:
    bool running() const noexcept { return memory_.size != 0; }
    bool broken() const noexcept { return fault_ != nullptr; }
    /// What the driver was caught at; null when it was not.
    const char* fault() const noexcept { return fault_; }
    void stop() noexcept { memory_ = {}; }
    /// What was taken cannot be what a driver makes available.
    void reject(const char* fault) noexcept { fault_ = fault; }
    /// The same areas at other addresses of this process.
    void move(const RingMemory& memory) noexcept { memory_ = memory; }
    std::uint16_t size() const noexcept { return memory_.size; }

  protected:
    RingBase() = default;

    Take lie(const char* fault) noexcept {
        fault_ = fault;
        return Take::broken;
    }
    /// Adds what one descriptor names, in as many pieces as mappings hold it. False: a lie, or no room.
    bool add_buffers(Memory& memory, Buffers& buffers, const Chain& chain, std::uint64_t address,
                     std::uint32_t length, bool write) noexcept;
    /// A chain that was not finished: take it back. `no_room` when that is why, and others were taken before.
    Take give_up(Buffers& buffers, const Chain& chain) noexcept;

    template <typename T>
    static T load(const std::byte* at) noexcept {
        return to_little(__atomic_load_n(reinterpret_cast<const T*>(at), __ATOMIC_RELAXED));
    }
    template <typename T>
    static T load_acquire(const std::byte* at) noexcept {
        return to_little(__atomic_load_n(reinterpret_cast<const T*>(at), __ATOMIC_ACQUIRE));
    }
    template <typename T>
    static void store(std::byte* at, T value) noexcept {
        __atomic_store_n(reinterpret_cast<T*>(at), to_little(value), __ATOMIC_RELAXED);
    }
    template <typename T>
    static void store_release(std::byte* at, T value) noexcept {
        __atomic_store_n(reinterpret_cast<T*>(at), to_little(value), __ATOMIC_RELEASE);
    }

    RingMemory memory_;
    const char* fault_ = nullptr;
};

class SplitRing : public RingBase {
  public:
    static constexpr bool packed = false;

    /// Begins at available and used index `base`, 0 at a queue's birth.
    void start(const RingMemory& memory, std::uint32_t base = 0) noexcept;
    /// Where it stands: what start() takes to go on.
    std::uint32_t base() const noexcept { return next_; }

    /// Whether there may be something to take.
    bool ready() const noexcept {
        return !broken() && (next_ != seen_ || load_acquire<std::uint16_t>(memory_.driver + 2) != next_);
    }
    /// Takes the next chain; its pieces go behind `buffers`, readable ones first, empty ones left out.
    Take take(Memory& memory, Buffers& buffers, Chain& chain) noexcept;
    /// Calls `look` with the address that the first descriptor of each of the next `most` chains names. For
    /// prefetching alone: nothing is checked, and take() reads all of it again.
    template <typename F>
    void peek(std::size_t most, F&& look) noexcept {
        if (static_cast<std::uint16_t>(seen_ - next_) < most)
            if (const auto index = load_acquire<std::uint16_t>(memory_.driver + 2);
                static_cast<std::uint16_t>(index - next_) <= memory_.size)
                seen_ = index;
        const std::size_t there = std::min<std::size_t>(most, static_cast<std::uint16_t>(seen_ - next_));
        const std::uint32_t mask = memory_.size - 1U;
        for (std::size_t i = 0; i < there; ++i) {
            const std::uint32_t id = load<std::uint16_t>(memory_.driver + 4 + 2U * ((next_ + i) & mask));
            look(load<std::uint64_t>(memory_.desc + sizeof(SplitDesc) * (id & mask)));
        }
    }

    struct Position {
        std::uint16_t next;
    };
    Position position() const noexcept { return {next_}; }
    /// Puts back all chains taken since: none of them was used.
    void rewind(Position position) noexcept { next_ = position.next; }

    /// Gives a chain back, with `length` bytes written. The driver sees it after flush(), and with it all
    /// others since the last one, at once.
    void use(const Chain& chain, std::uint32_t length) noexcept {
        std::byte* const element = memory_.device + 4 + std::size_t{8} * (used_++ & (memory_.size - 1U));
        store<std::uint64_t>(element, std::uint64_t{length} << 32 | chain.id);
    }
    /// Gives back several that were read, in the order in which they were made available, by one element.
    /// For drivers that took IN_ORDER: §2.7.9.
    void use_in_order(std::span<const Chain> chains) noexcept {
        use(chains.back(), 0);
        used_ = static_cast<std::uint16_t>(used_ + chains.size() - 1);
    }
    void flush() noexcept { store_release<std::uint16_t>(memory_.device + 2, used_); }

    /// Whether the driver wants to be told of what was flushed. §2.7.7.
    bool wants_interrupt() const noexcept {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return (load<std::uint16_t>(memory_.driver) & 1) == 0;
    }
    /// Asks the driver for doorbells, or to leave them out. §2.7.10.
    void want_doorbells(bool wanted) noexcept {
        store<std::uint16_t>(memory_.device, wanted ? std::uint16_t{0} : std::uint16_t{1});
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }

  private:
    std::uint16_t next_ = 0; ///< entry of the available ring
    std::uint16_t seen_ = 0; ///< the available index when it was read last
    std::uint16_t used_ = 0;
};

class PackedRing : public RingBase {
  public:
    static constexpr bool packed = true;

    /// `base`: descriptor index, and bit 15 the wrap counter; 0x8000 at a queue's birth.
    void start(const RingMemory& memory, std::uint32_t base = 0x8000) noexcept;
    std::uint32_t base() const noexcept { return next_.index | std::uint32_t{next_.wrap} << 15; }

    bool ready() const noexcept { return !broken() && available(next_); }
    Take take(Memory& memory, Buffers& buffers, Chain& chain) noexcept;
    /// As SplitRing's, for chains of one descriptor.
    template <typename F>
    void peek(std::size_t most, F&& look) noexcept {
        most = std::min<std::size_t>(most, memory_.size);
        Position position = next_;
        Position last = next_;
        advance(last, static_cast<std::uint16_t>(most - 1));
        if (most > 1 && available(last)) // then the others are: they are used in the same place
            for (std::size_t i = 0; i < most; i += 64 / sizeof(PackedDesc)) {
                Position line = next_;
                advance(line, static_cast<std::uint16_t>(i));
                prefetch_for_store(at(line.index));
            }
        for (std::size_t i = 0; i < most && available(position); ++i) {
            look(load<std::uint64_t>(at(position.index)));
            advance(position, 1);
        }
    }

    struct Position {
        std::uint16_t index;
        bool wrap;
    };
    Position position() const noexcept { return next_; }
    void rewind(Position position) noexcept { next_ = position; }

    void use(const Chain& chain, std::uint32_t length) noexcept { use(chain.id, length, chain.descriptors); }
    /// As SplitRing's: §2.8.9.
    void use_in_order(std::span<const Chain> chains) noexcept {
        std::uint32_t descriptors = 0;
        for (const Chain& chain : chains)
            descriptors += chain.descriptors;
        use(chains.back().id, 0, static_cast<std::uint16_t>(descriptors));
    }
    void flush() noexcept {
        if (held_ == nullptr)
            return;
        store_release<std::uint64_t>(held_, held_rest_);
        held_ = nullptr;
    }

    /// §2.8.14: 1 is off; without event indices all else is on.
    bool wants_interrupt() const noexcept {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return (load<std::uint16_t>(memory_.driver + 2) & 3) != 1;
    }
    void want_doorbells(bool wanted) noexcept {
        store<std::uint16_t>(memory_.device + 2, wanted ? std::uint16_t{0} : std::uint16_t{1});
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }

  private:
    /// A descriptor's other half is written whole: its length, its id, and the flags that make it visible.
    void use(std::uint16_t id, std::uint32_t length, std::uint16_t descriptors) noexcept {
        const auto flags = static_cast<std::uint16_t>((used_.wrap ? desc::avail | desc::used : 0) |
                                                      (length != 0 ? desc::write : 0));
        std::byte* const rest = at(used_.index) + offsetof(PackedDesc, len);
        const std::uint64_t value = std::uint64_t{flags} << 48 | std::uint64_t{id} << 32 | length;
        if (held_ == nullptr) {
            held_ = rest;
            held_rest_ = value;
        } else {
            store_release<std::uint64_t>(rest, value);
        }
        advance(used_, descriptors);
    }
    void advance(Position& position, std::uint16_t by) const noexcept {
        std::uint32_t index = std::uint32_t{position.index} + by;
        if (index >= memory_.size) {
            index -= memory_.size;
            position.wrap = !position.wrap;
        }
        position.index = static_cast<std::uint16_t>(index);
    }
    /// §2.8.1: available when its avail bit is the wrap counter and its used bit is not.
    bool available(Position where) const noexcept {
        const auto flags = load_acquire<std::uint16_t>(at(where.index) + offsetof(PackedDesc, flags));
        return ((flags & desc::avail) != 0) == where.wrap && ((flags & desc::used) != 0) != where.wrap;
    }
    std::byte* at(std::uint16_t index) const noexcept { return memory_.desc + sizeof(PackedDesc) * index; }

    Position next_{0, true};
    Position used_{0, true};
    /// What the first descriptor since the last flush() becomes: its flags make all of them visible. §2.8.
    std::byte* held_ = nullptr;
    std::uint64_t held_rest_ = 0;
};

} // namespace sluice::inline v1::model
