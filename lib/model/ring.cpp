// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/ring.hpp>

namespace sluice::inline v1::model {

namespace {

/// A descriptor's 16 bytes as they were at one moment each half.
struct Words {
    std::uint64_t addr;
    std::uint64_t rest;
};

Words read_desc(const std::byte* at) noexcept {
    const auto* const words = reinterpret_cast<const std::uint64_t*>(at);
    return {to_little(__atomic_load_n(words, __ATOMIC_RELAXED)),
            to_little(__atomic_load_n(words + 1, __ATOMIC_RELAXED))};
}

constexpr const char* too_long = "a chain of descriptors is longer than its queue, or than this device takes";
constexpr const char* indirect = "an indirect descriptor, which was not negotiated";

} // namespace

bool RingBase::add_buffers(Memory& memory, Buffers& buffers, const Chain& chain, std::uint64_t address,
                           std::uint32_t length, bool write) noexcept {
    // §2.7.4.2: what the device reads stands in front of what it writes.
    if (!write && buffers.size() > chain.first && buffers.from(buffers.size() - 1, 1)[0].writable) {
        lie("a buffer to be read behind one to be written");
        return false;
    }
    while (length != 0) {
        const auto piece = memory.translate(address, length, write);
        if (piece.empty()) {
            lie("a buffer that is not mapped for the device");
            return false;
        }
        if (buffers.size() - chain.first == Buffers::max_chain) {
            lie(too_long);
            return false;
        }
        const auto size = static_cast<std::uint32_t>(piece.size());
        if (!buffers.add({piece.data(), size, write}))
            return false;
        address += size;
        length -= size;
    }
    return true;
}

Take RingBase::give_up(Buffers& buffers, const Chain& chain) noexcept {
    buffers.cut(chain.first);
    return broken() ? Take::broken : Take::no_room;
}

void SplitRing::start(const RingMemory& memory, std::uint32_t base) noexcept {
    memory_ = memory;
    fault_ = nullptr;
    next_ = seen_ = used_ = static_cast<std::uint16_t>(base);
}

Take SplitRing::take(Memory& memory, Buffers& buffers, Chain& chain) noexcept {
    if (broken())
        return Take::broken;
    if (next_ == seen_) {
        seen_ = load_acquire<std::uint16_t>(memory_.driver + 2);
        if (next_ == seen_)
            return Take::empty;
        if (static_cast<std::uint16_t>(seen_ - next_) > memory_.size) {
            seen_ = next_;
            return lie("the available index jumped");
        }
    }
    chain.first = static_cast<std::uint32_t>(buffers.size());
    chain.id = load<std::uint16_t>(memory_.driver + 4 + std::size_t{2} * (next_ & (memory_.size - 1U)));
    std::uint16_t at = chain.id;
    for (chain.descriptors = 1;; ++chain.descriptors) {
        if (at >= memory_.size)
            return lie("a descriptor that the queue does not have");
        if (chain.descriptors > memory_.size)
            return lie(too_long);
        const Words words = read_desc(memory_.desc + sizeof(SplitDesc) * at);
        const auto length = static_cast<std::uint32_t>(words.rest);
        const auto flags = static_cast<std::uint16_t>(words.rest >> 32);
        if ((flags & desc::indirect) != 0)
            return lie(indirect);
        if (!add_buffers(memory, buffers, chain, words.addr, length, (flags & desc::write) != 0))
            return give_up(buffers, chain);
        if ((flags & desc::next) == 0)
            break;
        at = static_cast<std::uint16_t>(words.rest >> 48);
    }
    chain.count = static_cast<std::uint32_t>(buffers.size()) - chain.first;
    ++next_;
    return Take::taken;
}

void PackedRing::start(const RingMemory& memory, std::uint32_t base) noexcept {
    memory_ = memory;
    fault_ = nullptr;
    held_ = nullptr;
    next_ = {static_cast<std::uint16_t>(base & 0x7fff), (base & 0x8000) != 0};
    if (next_.index >= memory.size)
        next_.index = 0;
    used_ = next_;
}

Take PackedRing::take(Memory& memory, Buffers& buffers, Chain& chain) noexcept {
    if (broken())
        return Take::broken;
    if (!available(next_))
        return Take::empty;
    chain.first = static_cast<std::uint32_t>(buffers.size());
    Position position = next_;
    for (chain.descriptors = 1;; ++chain.descriptors) {
        if (chain.descriptors > memory_.size)
            return lie(too_long);
        const Words words = read_desc(at(position.index));
        const auto length = static_cast<std::uint32_t>(words.rest);
        const auto flags = static_cast<std::uint16_t>(words.rest >> 48);
        if ((flags & desc::indirect) != 0)
            return lie(indirect);
        if (!add_buffers(memory, buffers, chain, words.addr, length, (flags & desc::write) != 0))
            return give_up(buffers, chain);
        advance(position, 1);
        chain.id = static_cast<std::uint16_t>(words.rest >> 32); // of the last one: §2.8.6
        if ((flags & desc::next) == 0)
            break;
    }
    chain.count = static_cast<std::uint32_t>(buffers.size()) - chain.first;
    next_ = position;
    return Take::taken;
}

} // namespace sluice::inline v1::model
