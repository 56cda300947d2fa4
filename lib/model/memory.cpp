// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/memory.hpp>

namespace sluice::inline v1::model {

std::span<std::byte> Memory::translate_other(std::uint64_t address, std::size_t size, bool write) noexcept {
    const Window found = find(address);
    const std::uint64_t offset = address - found.first;
    if (offset >= found.size)
        return {};
    windows_[oldest_] = found;
    oldest_ = (oldest_ + 1) % windows_.size();
    if (!(write ? found.writable : found.readable))
        return {};
    const std::uint64_t rest = found.size - offset;
    return {found.data + offset, size < rest ? size : static_cast<std::size_t>(rest)};
}

std::byte* Memory::contiguous(std::uint64_t address, std::size_t size, bool write) noexcept {
    const auto first = translate(address, size, write);
    std::size_t done = first.size();
    while (done != 0 && done < size) {
        const auto next = translate(address + done, size - done, write);
        if (next.empty() || next.data() != first.data() + done)
            return nullptr;
        done += next.size();
    }
    return done != 0 ? first.data() : nullptr;
}

void SpaceMemory::begin() noexcept {
    hold_ = space_->hold();
    if (const auto now = space_->changes(); now != changes_) {
        forget();
        changes_ = now;
    }
}

Memory::Window SpaceMemory::find(std::uint64_t address) noexcept {
    const auto found = space_->mapping_at(Iova{address});
    if (!found)
        return {};
    const auto access = static_cast<unsigned>(found->access);
    return {found->first.value, found->memory.size(), found->memory.data(),
            (access & static_cast<unsigned>(device::DmaAccess::read)) != 0,
            (access & static_cast<unsigned>(device::DmaAccess::write)) != 0};
}

} // namespace sluice::inline v1::model
