// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a client has mapped for the device.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include <sluice/base/shared_memory.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/address_space.hpp>
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::serve {

/// A client's DMA table, kept in the device's space. Ends with all of it unmapped. Functions that change it
/// return 0 or the errno to refuse with.
class ClientMemory {
  public:
    /// All outlive it. `wake` is signalled when memory is found gone.
    ClientMemory(device::AddressSpace& space, device::RemoteMemory& remote, std::uint64_t limit, int wake)
        : space_(space)
        , remote_(remote)
        , limit_(limit)
        , wake_(wake)
        , losses_(SharedMemory::losses()) {}
    ClientMemory(const ClientMemory&) = delete;
    ClientMemory& operator=(const ClientMemory&) = delete;
    ~ClientMemory() { unmap_all(); }

    /// EINVAL: flags, no whole pages, wraps, not inside the file. EEXIST: overlaps. ENOSPC: one too many.
    int map(const vfio_user::DmaMap& request, std::span<const UniqueFd> fds);

    /// EINVAL: flags, or part of a mapping. ENOENT: nothing is mapped there.
    int unmap(vfio_user::DmaUnmap& request);
    void unmap_all();

    /// The client took some of it back.
    bool is_gone();

  private:
    struct Entry {
        std::uint64_t size = 0;
        SharedMemory memory;
        bool in_space = false;
    };
    using Entries = std::map<std::uint64_t, Entry>;

    bool overlaps(std::uint64_t address, std::uint64_t size) const;
    int place(std::uint64_t address, Entry& entry, device::DmaAccess access);
    Entries::iterator remove(Entries::iterator entry);

    device::AddressSpace& space_;
    device::RemoteMemory& remote_;
    const std::uint64_t limit_;
    const int wake_;
    Entries entries_;
    std::uint64_t losses_;
};

} // namespace sluice::inline v1::serve
