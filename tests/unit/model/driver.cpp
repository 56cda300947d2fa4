// SPDX-License-Identifier: BSD-3-Clause
#include "driver.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace model_test {

namespace {

template <typename T>
T& field(std::byte* at) {
    return *reinterpret_cast<T*>(at);
}

Areas areas_for(Block& block, std::uint16_t size, bool packed) {
    const auto sizes = model::RingSizes::of(size, packed);
    return {block.take(sizes.desc), block.take(sizes.driver), block.take(sizes.device)};
}

} // namespace

Block::Block()
    : owner_(size + 4096) {
    const auto address = reinterpret_cast<std::uintptr_t>(owner_.data());
    bytes_ = std::span(owner_).subspan((4096 - address % 4096) % 4096, size);
}

std::uint64_t Block::take(std::size_t bytes) {
    const std::uint64_t address = base + taken_;
    taken_ += (bytes + 4095) / 4096 * 4096;
    EXPECT_LE(taken_, size);
    return address;
}

model::Memory::Window Block::find(std::uint64_t address) noexcept {
    if (gone || address < base || address - base >= size)
        return {};
    const std::uint64_t half = size / 2;
    const std::uint64_t first = address - base < half ? 0 : half;
    return {base + first, half, bytes_.data() + first, true, true};
}

RingDriver::RingDriver(Block& block, std::uint16_t size, bool packed)
    : block_(block)
    , areas_(areas_for(block, size, packed))
    , size_(size)
    , flags_(packed ? 2 : 0) {
    // ids of a packed ring are not indices
    for (std::uint16_t i = 0; i < size; ++i)
        free_.push_back(packed ? static_cast<std::uint16_t>((i * 5 + 3) % size) : i);
}

void RingDriver::want_interrupts(bool wanted) {
    field<le16>(block_.at(areas_.driver + flags_)) = wanted ? std::uint16_t{0} : std::uint16_t{1};
}
bool RingDriver::doorbells_wanted() {
    return field<le16>(block_.at(areas_.device + flags_)) == 0;
}
model::RingMemory RingDriver::memory() {
    return {size_, block_.at(areas_.desc), block_.at(areas_.driver), block_.at(areas_.device)};
}

SplitDriver::SplitDriver(Block& block, std::uint16_t size)
    : RingDriver(block, size, packed)
    , chains_(size) {}

model::SplitDesc& SplitDriver::desc(std::uint16_t index) {
    return field<model::SplitDesc>(block_.at(areas_.desc + 16ULL * index));
}
void SplitDriver::set_avail(std::uint16_t entry, std::uint16_t id) {
    field<le16>(block_.at(areas_.driver + 4 + 2ULL * (entry % size_))) = id;
}
void SplitDriver::set_idx(std::uint16_t idx) {
    __atomic_store_n(reinterpret_cast<std::uint16_t*>(block_.at(areas_.driver + 2)), idx, __ATOMIC_RELEASE);
}

std::uint16_t SplitDriver::post(std::span<const Part> parts) {
    std::vector<std::uint16_t> chain;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        chain.push_back(free_.front());
        free_.pop_front();
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool last = i + 1 == parts.size();
        desc(chain[i]) = {parts[i].address, parts[i].size,
                          static_cast<std::uint16_t>((parts[i].device_writes ? 2 : 0) | (last ? 0 : 1)),
                          last ? std::uint16_t{0} : chain[i + 1]};
    }
    const std::uint16_t id = chain[0];
    chains_[id] = chain;
    set_avail(avail_, id);
    set_idx(++avail_);
    return id;
}

std::optional<UsedChain> SplitDriver::used() {
    const std::byte* const ring = block_.at(areas_.device);
    const auto idx = __atomic_load_n(reinterpret_cast<const std::uint16_t*>(ring + 2), __ATOMIC_ACQUIRE);
    if (idx == next_used_)
        return std::nullopt;
    std::uint32_t element[2];
    std::memcpy(element, ring + 4 + 8ULL * (next_used_++ % size_), sizeof element);
    const auto id = static_cast<std::uint16_t>(element[0]);
    EXPECT_LT(element[0], size_);
    EXPECT_FALSE(chains_[id].empty()) << "used, and not available";
    free_.insert(free_.end(), chains_[id].begin(), chains_[id].end());
    chains_[id].clear();
    return UsedChain{id, element[1]};
}

PackedDriver::PackedDriver(Block& block, std::uint16_t size)
    : RingDriver(block, size, packed)
    , lengths_(size) {}

model::PackedDesc& PackedDriver::desc(std::uint16_t index) {
    return field<model::PackedDesc>(block_.at(areas_.desc + 16ULL * index));
}

std::uint16_t PackedDriver::post(std::span<const Part> parts) {
    const std::uint16_t id = free_.front();
    free_.pop_front();
    const std::uint16_t first = next_;
    std::uint16_t first_flags = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool last = i + 1 == parts.size();
        const auto flags = static_cast<std::uint16_t>((parts[i].device_writes ? 2 : 0) | (last ? 0 : 1) |
                                                      (wrap_ ? 1 << 7 : 1 << 15));
        model::PackedDesc& to = desc(next_);
        to.addr = parts[i].address;
        to.len = parts[i].size;
        to.id = id;
        if (i == 0)
            first_flags = flags;
        else
            to.flags = flags;
        if (++next_ == size_) {
            next_ = 0;
            wrap_ = !wrap_;
        }
    }
    lengths_[id] = static_cast<std::uint16_t>(parts.size());
    __atomic_store_n(reinterpret_cast<std::uint16_t*>(&desc(first).flags), first_flags, __ATOMIC_RELEASE);
    return id;
}

std::optional<UsedChain> PackedDriver::used() {
    const model::PackedDesc& from = desc(used_);
    // Length, id and flags: the device writes them at once.
    const std::uint64_t rest =
        to_little(__atomic_load_n(reinterpret_cast<const std::uint64_t*>(&from.len), __ATOMIC_ACQUIRE));
    const auto flags = static_cast<std::uint16_t>(rest >> 48);
    if (((flags & 1 << 7) != 0) != used_wrap_ || ((flags & 1 << 15) != 0) != used_wrap_)
        return std::nullopt;
    const auto id = static_cast<std::uint16_t>(rest >> 32);
    const auto length = static_cast<std::uint32_t>(rest);
    EXPECT_LT(id, size_);
    EXPECT_NE(lengths_[id], 0) << "used, and not available";
    EXPECT_EQ((flags & 2) != 0, length != 0U);
    const UsedChain found{id, length};
    used_ = static_cast<std::uint16_t>(used_ + lengths_[id]);
    if (used_ >= size_) {
        used_ = static_cast<std::uint16_t>(used_ - size_);
        used_wrap_ = !used_wrap_;
    }
    lengths_[id] = 0;
    free_.push_back(id);
    return found;
}

} // namespace model_test
