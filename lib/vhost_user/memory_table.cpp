// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/memory_table.hpp>

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace sluice::inline v1::vhost_user {

namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t largest_page = 1 << 30;

bool wraps(std::uint64_t first, std::uint64_t size) noexcept {
    return first + (size - 1) < first;
}

bool overlap(std::uint64_t a, std::uint64_t b, std::uint64_t a_size, std::uint64_t b_size) noexcept {
    return a <= b ? b - a < a_size : a - b < b_size;
}

/// Whether this file holds the region; `align` becomes what its mappings are multiples of.
bool holds(int fd, const MemoryRegion& region, std::uint64_t& align) noexcept {
    struct stat file{};
    if (::fstat(fd, &file) != 0 || file.st_size <= 0)
        return false;
    // A file of hugepages says their size as its block size.
    const auto block = static_cast<std::uint64_t>(file.st_blksize);
    align = std::has_single_bit(block) ? std::clamp(block, page, largest_page) : page;
    const auto size = static_cast<std::uint64_t>(file.st_size);
    return region.offset <= size && region.size <= size - region.offset;
}

} // namespace

Result<MemoryTable> MemoryTable::map(std::span<const MemoryRegion> regions, std::span<const UniqueFd> fds) {
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
        std::uint64_t align = page;
        if (i >= fds.size() || !holds(fds[i].get(), region, align))
            return fail(EINVAL, "cannot map the front-end's memory: its file does not hold the region");
        const std::uint64_t start = region.offset & ~(align - 1);
        const std::uint64_t inside = region.offset - start;
        const std::uint64_t length = (inside + region.size + align - 1) & ~(align - 1);
        auto mapping = Mapping::shared(fds[i].get(), length, start, PROT_READ | PROT_WRITE);
        if (!mapping)
            return propagate(std::move(mapping));
        std::byte* const data = mapping->data() + inside;
        table.mapped_.push_back({region, std::move(*mapping), data});
    }
    return table;
}

MemoryTable::Window MemoryTable::guest(std::uint64_t address) const noexcept {
    for (const Mapped& each : mapped_)
        if (address - each.region.guest < each.region.size)
            return {each.region.guest, each.region.size, each.data};
    return {};
}

std::byte* MemoryTable::user(std::uint64_t address, std::uint64_t size,
                             std::uint64_t alignment) const noexcept {
    for (const Mapped& each : mapped_) {
        const std::uint64_t offset = address - each.region.user;
        if (offset >= each.region.size)
            continue;
        std::byte* const data = each.data + offset;
        const bool aligned = reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
        return size <= each.region.size - offset && aligned ? data : nullptr;
    }
    return nullptr;
}

} // namespace sluice::inline v1::vhost_user
