// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the server of a vfio-user connection may reach of this process.
#pragma once

#include <memory>

#include <sluice/device/address_space.hpp>

#include "vfio_user_link.hpp"

namespace sluice::inline v1::device {

/// Mappings last as long as the connection; once it has ended, unmap() has nothing left to do.
class VfioUserSpace final : public AddressSpace {
  public:
    VfioUserSpace(std::shared_ptr<VfioUserLink> link, std::uint64_t iova_offset) noexcept
        : AddressSpace(iova_offset)
        , link_(std::move(link)) {}

    Result<SpaceInfo> info() const override;
    bool needs_files() const noexcept override { return true; }
    using AddressSpace::map_again;

  private:
    Result<> do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) override;
    Result<> do_map_file(Iova iova, std::span<std::byte> memory, DmaAccess access, MemoryFile file) override;
    Result<> do_unmap(Iova iova, std::uint64_t size) override;

    const std::shared_ptr<VfioUserLink> link_;
};

} // namespace sluice::inline v1::device
