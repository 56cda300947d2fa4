// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The memory that is shared with a vhost-user back-end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include <sluice/device/address_space.hpp>
#include <sluice/vhost_user/messages.hpp>

namespace sluice::inline v1::virtio {

/// Guest addresses are EAL's plus iova_offset(), so that none passes for a pointer. Memory is shared through
/// EAL's files.
class VhostSpace final : public device::AddressSpace {
  public:
    VhostSpace() noexcept
        : AddressSpace(std::uint64_t{1} << 47) {}

    Result<device::SpaceInfo> info() const override;

    struct Shared {
        std::vector<vhost_user::MemoryRegion> regions;
        std::vector<int> fds; ///< borrowed, one a region
    };
    /// All that is mapped, joined where it lies together in one file.
    Shared shared() const;

    /// Called after each change from now on, by whoever made it; empty: no more.
    void on_change(std::function<void()> changed);

  private:
    struct Piece {
        vhost_user::MemoryRegion region;
        int fd = -1;
    };

    Result<> do_map(Iova iova, std::span<std::byte> memory, device::DmaAccess access) override;
    Result<> do_unmap(Iova iova, std::uint64_t size) override;
    void tell();

    mutable std::mutex pieces_mutex_;
    std::map<std::uint64_t, Piece> pieces_; ///< by guest address
    std::mutex changed_mutex_;
    std::function<void()> changed_;
};

} // namespace sluice::inline v1::virtio
