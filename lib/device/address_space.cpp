// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/address_space.hpp>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

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
    return iova - entry->first < entry->second.size ? entry : table_.end();
}

Result<> AddressSpace::add(Iova iova, const Entry& wanted) {
    const std::uint64_t size = wanted.size;
    auto facts = info();
    if (!facts)
        return propagate(std::move(facts));
    const std::uint64_t granule = facts->granule();
    const auto address = reinterpret_cast<std::uintptr_t>(wanted.data);
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
    const auto entry = table_.emplace_hint(next, iova.value, wanted);
    auto mapped = wanted.remote != nullptr
                      ? do_map_remote(iova, size, wanted.access)
                      : do_map_file(iova, {wanted.data, size}, wanted.access, wanted.file);
    if (!mapped)
        table_.erase(entry);
    return mapped;
}

Result<> AddressSpace::map(Iova iova, std::span<std::byte> memory, DmaAccess access, MemoryFile file) {
    return add(iova, {memory.data(), memory.size(), access, file, nullptr});
}

Result<> AddressSpace::map_remote(Iova iova, std::uint64_t size, DmaAccess access, RemoteMemory& remote) {
    return add(iova, {nullptr, size, access, {}, &remote});
}

Result<> AddressSpace::do_map_file(Iova iova, std::span<std::byte> memory, DmaAccess access, MemoryFile) {
    return do_map(iova, memory, access);
}

Result<> AddressSpace::do_map_remote(Iova iova, std::uint64_t size, DmaAccess) {
    return fail(EOPNOTSUPP, "cannot map another process's memory: only a model's DMA can go by messages",
                describe(iova, size));
}

Result<> AddressSpace::map_again() {
    const std::lock_guard lock(mutex_);
    for (const auto& [iova, entry] : table_) {
        auto mapped = do_map_file(Iova{iova}, {entry.data, entry.size}, entry.access, entry.file);
        if (!mapped)
            return mapped;
    }
    return {};
}

Result<> AddressSpace::unmap(Iova iova, std::uint64_t size) {
    auto facts = info();
    if (!facts)
        return propagate(std::move(facts));
    const std::uint64_t granule = facts->granule();
    if (size == 0 || granule == 0 || ((iova.value | size) & (granule - 1)) != 0 || wraps(iova, size))
        return fail(EINVAL, "cannot unmap a range that is empty, unaligned or wraps", describe(iova, size));
    const std::uint64_t last = iova.value + (size - 1);

    const std::unique_lock unused(in_use_);
    const std::lock_guard lock(mutex_);
    const auto at_first = holding(iova.value);
    const auto at_last = holding(last);
    if ((at_first != table_.end() && at_first->first != iova.value) ||
        (at_last != table_.end() && at_last->first + (at_last->second.size - 1) != last))
        return fail(EINVAL, "cannot unmap part of a mapping: name whole ones", describe(iova, size));
    auto entry = table_.lower_bound(iova.value);
    if (entry == table_.end() || entry->first > last)
        return fail(ENOENT, "cannot unmap where nothing is mapped", describe(iova, size));
    while (entry != table_.end() && entry->first <= last) {
        auto unmapped = do_unmap(Iova{entry->first}, entry->second.size);
        if (!unmapped)
            return unmapped;
        entry = table_.erase(entry);
        changes_.fetch_add(1, std::memory_order_release);
    }
    return {};
}

std::uint64_t AddressSpace::entries() const {
    const std::lock_guard lock(mutex_);
    return table_.size();
}

std::optional<std::span<std::byte>> AddressSpace::translate(Iova iova, std::size_t size,
                                                            DmaAccess access) const {
    const auto held = piece(iova, access);
    if (!held || held->data == nullptr || size > held->size)
        return std::nullopt;
    return std::span(held->data, size);
}

/// What is left of the mapping at `iova` from there on, if it allows `access`.
std::optional<AddressSpace::Entry> AddressSpace::piece(Iova iova, DmaAccess access) const {
    const std::lock_guard lock(mutex_);
    const auto entry = holding(iova.value);
    if (entry == table_.end() || !allows(entry->second.access, access))
        return std::nullopt;
    Entry rest = entry->second;
    const std::uint64_t offset = iova.value - entry->first;
    rest.size -= offset;
    if (rest.data != nullptr)
        rest.data += offset;
    return rest;
}

Result<> AddressSpace::read(Iova iova, std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
        const auto held = piece(iova, DmaAccess::read);
        if (!held)
            return fail(EFAULT, "the device cannot read where nothing is mapped for it",
                        describe(iova, bytes.size()));
        const auto part = bytes.first(std::min<std::size_t>(bytes.size(), held->size));
        if (held->data != nullptr)
            std::memcpy(part.data(), held->data, part.size());
        else if (auto done = held->remote->read(iova, part); !done)
            return done;
        bytes = bytes.subspan(part.size());
        iova = iova + part.size();
    }
    return {};
}

Result<> AddressSpace::write(Iova iova, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
        const auto held = piece(iova, DmaAccess::write);
        if (!held)
            return fail(EFAULT, "the device cannot write where nothing is mapped for it",
                        describe(iova, bytes.size()));
        const auto part = bytes.first(std::min<std::size_t>(bytes.size(), held->size));
        if (held->data != nullptr)
            std::memcpy(held->data, part.data(), part.size());
        else if (auto done = held->remote->write(iova, part); !done)
            return done;
        bytes = bytes.subspan(part.size());
        iova = iova + part.size();
    }
    return {};
}

std::optional<AddressSpace::Mapped> AddressSpace::mapping_at(Iova iova) const {
    const std::lock_guard lock(mutex_);
    const auto entry = holding(iova.value);
    if (entry == table_.end() || entry->second.data == nullptr)
        return std::nullopt;
    return Mapped{Iova{entry->first}, {entry->second.data, entry->second.size}, entry->second.access};
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
            const std::uint64_t end = entry->first + entry->second.size;
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
        const auto begin = reinterpret_cast<std::uintptr_t>(entry.data);
        if (entry.data != nullptr && wanted >= begin && wanted - begin < entry.size)
            return Iova{iova + (wanted - begin)};
    }
    return std::nullopt;
}

} // namespace sluice::inline v1::device
