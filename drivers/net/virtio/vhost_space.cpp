// SPDX-License-Identifier: BSD-3-Clause
#include "vhost_space.hpp"

#include <cerrno>
#include <utility>

#include <rte_memory.h>

namespace sluice::inline v1::virtio {

namespace {

constexpr std::uint64_t page = 4096;

using vhost_user::MemoryRegion;

bool continues(const MemoryRegion& next, const MemoryRegion& before) noexcept {
    return next.guest == before.guest + before.size && next.user == before.user + before.size &&
           next.offset == before.offset + before.size;
}

} // namespace

Result<device::SpaceInfo> VhostSpace::info() const {
    device::SpaceInfo info;
    info.ranges = {{Iova{page}, Iova{~std::uint64_t{0}}}};
    info.page_sizes = page;
    info.entries = entries_locked();
    info.address_bits = 64;
    return info;
}

/// EAL holds its memory lock, here and wherever memory comes and goes.
Result<> VhostSpace::do_map(Iova iova, std::span<std::byte> memory, device::DmaAccess) {
    std::map<std::uint64_t, Piece> made;
    for (std::size_t at = 0; at < memory.size();) {
        const rte_memseg* const segment = rte_mem_virt2memseg(memory.data() + at, nullptr);
        std::size_t offset = 0;
        const int fd = segment != nullptr ? rte_memseg_get_fd_thread_unsafe(segment) : -1;
        if (fd < 0 || rte_memseg_get_fd_offset_thread_unsafe(segment, &offset) != 0)
            return fail(EOPNOTSUPP, "cannot share memory with a vhost-user back-end that lies in no file: "
                                    "EAL's own does, without "
                                    "--in-memory and --legacy-mem");
        const auto inside =
            static_cast<std::size_t>(memory.data() + at - static_cast<std::byte*>(segment->addr));
        const std::size_t size = std::min(memory.size() - at, segment->len - inside);
        const MemoryRegion region{iova.value + at, size, reinterpret_cast<std::uintptr_t>(memory.data()) + at,
                                  offset + inside};
        if (!made.empty() && made.rbegin()->second.fd == fd &&
            continues(region, made.rbegin()->second.region))
            made.rbegin()->second.region.size += size;
        else
            made[region.guest] = {region, fd};
        at += size;
    }
    {
        const std::scoped_lock lock(pieces_mutex_);
        pieces_.merge(made);
    }
    tell();
    return {};
}

Result<> VhostSpace::do_unmap(Iova iova, std::uint64_t size) {
    {
        const std::scoped_lock lock(pieces_mutex_);
        pieces_.erase(pieces_.lower_bound(iova.value), pieces_.lower_bound(iova.value + size));
    }
    tell();
    return {};
}

VhostSpace::Shared VhostSpace::shared() const {
    const std::scoped_lock lock(pieces_mutex_);
    Shared shared;
    for (const auto& [guest, piece] : pieces_) {
        if (!shared.fds.empty() && shared.fds.back() == piece.fd &&
            continues(piece.region, shared.regions.back())) {
            shared.regions.back().size += piece.region.size;
            continue;
        }
        shared.regions.push_back(piece.region);
        shared.fds.push_back(piece.fd);
    }
    return shared;
}

void VhostSpace::on_change(std::function<void()> changed) {
    const std::scoped_lock lock(changed_mutex_);
    changed_ = std::move(changed);
}

void VhostSpace::tell() {
    const std::scoped_lock lock(changed_mutex_);
    if (changed_)
        changed_();
}

} // namespace sluice::inline v1::virtio
