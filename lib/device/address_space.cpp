// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/address_space.hpp>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

namespace sluice::inline v1::device {

namespace {

std::string describe(Iova iova, std::uint64_t size) {
    char text[64];
    static_cast<void>(std::snprintf(text, sizeof text, "IOVA %#" PRIx64 " size %#" PRIx64, iova.value, size));
    return text;
}

bool wraps(Iova iova, std::uint64_t size) {
    return size != 0 && iova.value + (size - 1) < iova.value;
}

bool inside(const std::vector<IovaRange>& ranges, Iova iova, std::uint64_t size) {
    for (const IovaRange& range : ranges)
        if (iova >= range.first && iova + (size - 1) <= range.last)
            return true;
    return false;
}

bool allows(DmaAccess held, DmaAccess asked) {
    return (static_cast<unsigned>(held) & static_cast<unsigned>(asked)) == static_cast<unsigned>(asked);
}

} // namespace

AddressSpace::Table::const_iterator AddressSpace::holding(std::uint64_t iova) const {
    auto entry = table_.upper_bound(iova);
    if (entry == table_.begin())
        return table_.end();
    --entry;
    return iova - entry->first < entry->second.memory.size() ? entry : table_.end();
}

Result<> AddressSpace::map(Iova iova, std::span<std::byte> memory, DmaAccess access) {
    const std::uint64_t size = memory.size();
    auto facts = info();
    if (!facts)
        return propagate(std::move(facts));
    const std::uint64_t granule = facts->granule();
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    if (size == 0)
        return fail(EINVAL, "cannot map no memory", describe(iova, size));
    if (granule == 0 || ((iova.value | size | address) & (granule - 1)) != 0)
        return fail(EINVAL, "cannot map memory that is not whole pages of the IOMMU", describe(iova, size));
    if (wraps(iova, size) || !inside(facts->ranges, iova, size))
        return fail(EINVAL, "cannot map outside the address ranges of the IOMMU: info().ranges lists them",
                    describe(iova, size));

    const std::lock_guard lock(mutex_);
    const auto next = table_.lower_bound(iova.value);
    if (holding(iova.value) != table_.end() ||
        (next != table_.end() && next->first <= iova.value + (size - 1)))
        return fail(EEXIST, "cannot map over an existing mapping: unmap it first", describe(iova, size));
    const auto entry = table_.emplace_hint(next, iova.value, Entry{memory, access});
    auto mapped = do_map(iova, memory, access);
    if (!mapped)
        table_.erase(entry);
    return mapped;
}

Result<> AddressSpace::unmap(Iova iova, std::uint64_t size) {
    auto facts = info();
    if (!facts)
        return propagate(std::move(facts));
    const std::uint64_t granule = facts->granule();
    if (size == 0 || granule == 0 || ((iova.value | size) & (granule - 1)) != 0 || wraps(iova, size))
        return fail(EINVAL, "cannot unmap a range that is empty, unaligned or wraps", describe(iova, size));
    const std::uint64_t last = iova.value + (size - 1);

    const std::lock_guard lock(mutex_);
    const auto at_first = holding(iova.value);
    const auto at_last = holding(last);
    if ((at_first != table_.end() && at_first->first != iova.value) ||
        (at_last != table_.end() && at_last->first + (at_last->second.memory.size() - 1) != last))
        return fail(EINVAL, "cannot unmap part of a mapping: name whole ones", describe(iova, size));
    auto entry = table_.lower_bound(iova.value);
    if (entry == table_.end() || entry->first > last)
        return fail(ENOENT, "cannot unmap where nothing is mapped", describe(iova, size));
    while (entry != table_.end() && entry->first <= last) {
        auto unmapped = do_unmap(Iova{entry->first}, entry->second.memory.size());
        if (!unmapped)
            return unmapped;
        entry = table_.erase(entry);
    }
    return {};
}

std::uint64_t AddressSpace::entries() const {
    const std::lock_guard lock(mutex_);
    return table_.size();
}

std::optional<std::span<std::byte>> AddressSpace::translate(Iova iova, std::size_t size,
                                                            DmaAccess access) const {
    const std::lock_guard lock(mutex_);
    const auto entry = holding(iova.value);
    if (entry == table_.end() || !allows(entry->second.access, access))
        return std::nullopt;
    const std::uint64_t offset = iova.value - entry->first;
    if (size > entry->second.memory.size() - offset)
        return std::nullopt;
    return entry->second.memory.subspan(offset, size);
}

std::optional<Iova> AddressSpace::find_free(std::uint64_t size) const {
    const auto facts = info();
    if (!facts || size == 0 || facts->granule() == 0)
        return std::nullopt;
    const std::uint64_t granule = facts->granule();
    const std::lock_guard lock(mutex_);
    for (const IovaRange& range : facts->ranges) {
        // Page 0 stays free: drivers and devices take it for "none".
        std::uint64_t at = std::max(range.first.value, granule);
        at = (at + granule - 1) & ~(granule - 1);
        for (auto entry = table_.begin(); entry != table_.end(); ++entry) {
            const std::uint64_t end = entry->first + entry->second.memory.size();
            if (end <= at)
                continue;
            if (entry->first >= at && entry->first - at >= size)
                break;
            at = end;
        }
        if (at <= range.last.value && range.last.value - at >= size - 1)
            return Iova{at};
    }
    return std::nullopt;
}

std::optional<Iova> AddressSpace::iova_of(const void* address) const {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    const std::lock_guard lock(mutex_);
    for (const auto& [iova, entry] : table_) {
        const auto begin = reinterpret_cast<std::uintptr_t>(entry.memory.data());
        if (wanted >= begin && wanted - begin < entry.memory.size())
            return Iova{iova + (wanted - begin)};
    }
    return std::nullopt;
}

} // namespace sluice::inline v1::device
