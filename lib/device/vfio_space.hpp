// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A kernel VFIO container and its groups. Linux, include/uapi/linux/vfio.h.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <sluice/base/unique_fd.hpp>
#include <sluice/device/address_space.hpp>

namespace sluice::inline v1::device {

/// One container with the groups attached to it. The kernel drops a container's mappings when its last group
/// leaves, so the last group stays until the space ends; others leave when their last device closes.
class VfioSpace final : public AddressSpace {
  public:
    /// One use of a group by an open device.
    class Use {
      public:
        Use(std::shared_ptr<VfioSpace> space, unsigned group) noexcept
            : space_(std::move(space))
            , group_(group) {}
        Use(Use&& other) noexcept = default;
        Use& operator=(Use&&) = delete;
        ~Use();

        const std::shared_ptr<VfioSpace>& space() const noexcept { return space_; }
        int group_fd() const;

      private:
        std::shared_ptr<VfioSpace> space_;
        unsigned group_;
    };

    /// A container with no group yet; it can map nothing before the first attach().
    static Result<std::shared_ptr<VfioSpace>> create();

    /// Attaches the open group `fd`. EINVAL: its IOMMU cannot take this container's mappings.
    /// Takes `fd` over if it succeeds.
    static Result<Use> attach(const std::shared_ptr<VfioSpace>& space, unsigned group, UniqueFd& fd);

    /// A further use of a group, if it is attached here.
    static std::optional<Use> share(const std::shared_ptr<VfioSpace>& space, unsigned group);

    Result<SpaceInfo> info() const override;

  private:
    struct Group {
        UniqueFd fd;
        unsigned uses = 0;
    };

    explicit VfioSpace(UniqueFd container) noexcept
        : container_(std::move(container)) {}

    Result<> do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) override;
    Result<> do_unmap(Iova iova, std::uint64_t size) override;
    void release(unsigned group);

    UniqueFd container_;
    mutable std::mutex groups_mutex_;
    std::map<unsigned, Group> groups_;
};

} // namespace sluice::inline v1::device
