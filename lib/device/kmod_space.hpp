// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Spaces and groups of sluice_pci. kmod/sluice_pci_uapi.h.
#pragma once

#include <memory>
#include <string>

#include <sluice/base/unique_fd.hpp>
#include <sluice/device/address_space.hpp>

namespace sluice::inline v1::device {

/// A space fd. Its mappings are its own: they stay when groups come and go.
class KmodSpace final : public AddressSpace {
  public:
    explicit KmodSpace(UniqueFd fd) noexcept
        : fd_(std::move(fd)) {}

    int fd() const noexcept { return fd_.get(); }
    Result<SpaceInfo> info() const override;

  private:
    Result<> do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) override;
    Result<> do_unmap(Iova iova, std::uint64_t size) override;

    UniqueFd fd_;
};

/// An open group, shared by the devices of it that this process has open; closed, and so detached, with the
/// last of them.
class KmodGroup {
  public:
    /// Opens /dev/sluice/`node`. Checks the module's version.
    static Result<std::shared_ptr<KmodGroup>> open(const std::string& node);

    int fd() const noexcept { return fd_.get(); }
    const std::shared_ptr<KmodSpace>& space() const noexcept { return space_; }

    Result<std::shared_ptr<KmodSpace>> new_space() const;

    /// EINVAL: the group's IOMMU cannot take this space.
    Result<> attach(const std::shared_ptr<KmodSpace>& space);

  private:
    KmodGroup(std::string path, UniqueFd fd) noexcept
        : path_(std::move(path))
        , fd_(std::move(fd)) {}

    const std::string path_;
    std::shared_ptr<KmodSpace> space_;
    UniqueFd fd_;
};

} // namespace sluice::inline v1::device
