// SPDX-License-Identifier: BSD-3-Clause
#include "client_memory.hpp"

#include <cerrno>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::serve {

namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint32_t access_flags = vfio_user::DmaMap::read | vfio_user::DmaMap::write;
constexpr std::uint32_t unmap_everything = 2;

} // namespace

bool ClientMemory::overlaps(std::uint64_t address, std::uint64_t size) const {
    const auto next = entries_.lower_bound(address);
    if (next != entries_.end() && next->first - address < size)
        return true;
    return next != entries_.begin() && address - std::prev(next)->first < std::prev(next)->second.size;
}

int ClientMemory::map(const vfio_user::DmaMap& request, std::span<const UniqueFd> fds) {
    if (request.flags == 0 || (request.flags & ~access_flags) != 0 || request.size == 0 ||
        ((request.address | request.size) & (page - 1)) != 0 ||
        request.address + (request.size - 1) < request.address)
        return EINVAL;
    if (overlaps(request.address, request.size))
        return EEXIST;
    if (entries_.size() >= limit_)
        return ENOSPC;
    Entry entry;
    entry.size = request.size;
    if (!fds.empty()) {
        const bool writable = (request.flags & vfio_user::DmaMap::write) != 0;
        auto memory = SharedMemory::map(fds[0].get(), request.offset, request.size, writable, wake_);
        if (memory)
            entry.memory = std::move(*memory);
        else if (memory.error().code() != ENOTSUP)
            return memory.error().code();
    }
    if (const int code = place(request.address, entry, static_cast<device::DmaAccess>(request.flags));
        code != 0)
        return code;
    entries_.emplace(request.address, std::move(entry));
    return 0;
}

/// Into the device's space. One that takes no remote memory, a physical device's, does without: its owner
/// maps ROMs and other devices' BARs like that, and lets no device reach them.
int ClientMemory::place(std::uint64_t address, Entry& entry, device::DmaAccess access) {
    auto placed = entry.memory ? space_.map(Iova{address}, entry.memory.span(), access)
                               : space_.map_remote(Iova{address}, entry.size, access, remote_);
    entry.in_space = placed.has_value();
    if (placed || (!entry.memory && placed.error().code() == EOPNOTSUPP))
        return 0;
    return placed.error().code();
}

ClientMemory::Entries::iterator ClientMemory::remove(Entries::iterator entry) {
    if (entry->second.in_space)
        if (auto done = space_.unmap(Iova{entry->first}, entry->second.size); !done)
            log(LogLevel::warning, done.error().message());
    return entries_.erase(entry);
}

int ClientMemory::unmap(vfio_user::DmaUnmap& request) {
    if (request.flags == unmap_everything && request.address == 0 && request.size == 0) {
        unmap_all();
        return 0;
    }
    if (request.flags != 0 || request.size == 0 || request.address + (request.size - 1) < request.address)
        return EINVAL;
    const auto entry = entries_.find(request.address);
    if (entry != entries_.end() && entry->second.size == request.size) {
        remove(entry);
        return 0;
    }
    return overlaps(request.address, request.size) ? EINVAL : ENOENT;
}

void ClientMemory::unmap_all() {
    for (auto entry = entries_.begin(); entry != entries_.end();)
        entry = remove(entry);
}

bool ClientMemory::is_gone() {
    const std::uint64_t losses = SharedMemory::losses();
    if (losses == losses_)
        return false;
    losses_ = losses;
    for (const auto& [address, entry] : entries_)
        if (entry.memory.is_gone())
            return true;
    return false;
}

} // namespace sluice::inline v1::serve
