// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/memory_table.hpp>

#include <algorithm>
#include <cerrno>

namespace sluice::inline v1::vhost_user {

namespace {

bool wraps(std::uint64_t first, std::uint64_t size) noexcept {
    return first + (size - 1) < first;
}

bool overlap(std::uint64_t a, std::uint64_t b, std::uint64_t a_size, std::uint64_t b_size) noexcept {
    return a <= b ? b - a < a_size : a - b < b_size;
}

} // namespace

Result<MemoryTable> MemoryTable::map(std::span<const MemoryRegion> regions, std::span<const UniqueFd> fds,
                                     int wake) {
    MemoryTable table;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        const MemoryRegion& region = regions[i];
        if (region.size == 0 || wraps(region.guest, region.size) || wraps(region.user, region.size) ||
            wraps(region.offset, region.size))
            return fail(EINVAL, "cannot map the front-end's memory: a region is empty, or wraps");
        for (const Mapped& other : table.mapped_)
            if (overlap(region.guest, other.region.guest, region.size, other.region.size) ||
                overlap(region.user, other.region.user, region.size, other.region.size))
                return fail(EINVAL, "cannot map the front-end's memory: regions overlap");
        if (i >= fds.size())
            return fail(EINVAL, "cannot map the front-end's memory: a region comes without its file");
        auto memory = SharedMemory::map(fds[i].get(), region.offset, region.size, true, wake);
        if (!memory)
            return propagate(std::move(memory));
        table.mapped_.push_back({region, std::move(*memory)});
    }
    return table;
}

MemoryTable::Window MemoryTable::guest(std::uint64_t address) const noexcept {
    for (const Mapped& each : mapped_)
        if (address - each.region.guest < each.region.size)
            return {each.region.guest, each.region.size, each.memory.span().data()};
    return {};
}

std::byte* MemoryTable::user(std::uint64_t address, std::uint64_t size,
                             std::uint64_t alignment) const noexcept {
    for (const Mapped& each : mapped_) {
        const std::uint64_t offset = address - each.region.user;
        if (offset >= each.region.size)
            continue;
        std::byte* const data = each.memory.span().data() + offset;
        const bool aligned = reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
        return size <= each.region.size - offset && aligned ? data : nullptr;
    }
    return nullptr;
}

bool MemoryTable::is_gone() const noexcept {
    return std::ranges::any_of(mapped_, [](const Mapped& each) { return each.memory.is_gone(); });
}

} // namespace sluice::inline v1::vhost_user
