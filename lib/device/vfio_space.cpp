// SPDX-License-Identifier: BSD-3-Clause
#include "vfio_space.hpp"

#include <fcntl.h>

#include <bit>

#include "info_chain.hpp"
#include "locked_memory.hpp"

namespace sluice::inline v1::device {

namespace {

constexpr const char* container_path = "/dev/vfio/vfio";

unsigned bits_of(const std::vector<IovaRange>& ranges) {
    return ranges.empty() ? 0 : static_cast<unsigned>(std::bit_width(ranges.back().last.value));
}

} // namespace

VfioSpace::Use::~Use() {
    if (space_)
        space_->release(group_);
}

int VfioSpace::Use::group_fd() const {
    const std::lock_guard lock(space_->groups_mutex_);
    return space_->groups_.at(group_).fd.get();
}

Result<std::shared_ptr<VfioSpace>> VfioSpace::create() {
    auto container = open_file(container_path, O_RDWR);
    if (!container)
        return fail(container.error().code(),
                    "cannot open VFIO's container: load the module vfio-pci, and allow this user the node",
                    container_path);
    if (::ioctl(container->get(), VFIO_GET_API_VERSION) != VFIO_API_VERSION)
        return fail(EPROTO, "cannot use kernel VFIO: its API version is not 0", container_path);
    if (::ioctl(container->get(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
        return fail(EOPNOTSUPP, "cannot use kernel VFIO without a type 1 IOMMU: load vfio_iommu_type1",
                    container_path);
    return std::shared_ptr<VfioSpace>(new VfioSpace(std::move(*container)));
}

Result<VfioSpace::Use> VfioSpace::attach(const std::shared_ptr<VfioSpace>& space, unsigned number,
                                         UniqueFd& fd) {
    const std::string object = "IOMMU group " + std::to_string(number);
    const std::lock_guard lock(space->groups_mutex_);
    int container = space->container_.get();
    if (::ioctl(fd.get(), VFIO_GROUP_SET_CONTAINER, &container) != 0)
        return fail_errno("cannot attach a group to this address space", object);
    if (space->groups_.empty() && ::ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
        const int code = errno;
        ::ioctl(fd.get(), VFIO_GROUP_UNSET_CONTAINER);
        return fail(code,
                    code == EPERM
                        ? "cannot give a group an IOMMU domain, its interrupts are not isolated: turn "
                          "interrupt remapping on, or accept the risk with vfio_iommu_type1's "
                          "allow_unsafe_interrupts=1"
                        : "cannot give a group an IOMMU domain: the kernel's log says why",
                    object);
    }
    Group& group = space->groups_[number];
    group.fd = std::move(fd);
    group.uses = 1;
    return Use(space, number);
}

std::optional<VfioSpace::Use> VfioSpace::share(const std::shared_ptr<VfioSpace>& space, unsigned number) {
    const std::lock_guard lock(space->groups_mutex_);
    const auto group = space->groups_.find(number);
    if (group == space->groups_.end())
        return std::nullopt;
    ++group->second.uses;
    return Use(space, number);
}

void VfioSpace::release(unsigned number) {
    const std::lock_guard lock(groups_mutex_);
    if (--groups_.at(number).uses > 0)
        return;
    for (auto group = groups_.begin(); group != groups_.end();)
        group = group->second.uses == 0 && groups_.size() > 1 ? groups_.erase(group) : std::next(group);
}

Result<SpaceInfo> VfioSpace::info() const {
    SpaceInfo facts;
    {
        const std::lock_guard lock(groups_mutex_);
        if (groups_.empty())
            return fail(ENODEV, "cannot ask an address space about its IOMMU before a device is in it");
    }
    auto answer = InfoChain<vfio_iommu_type1_info>::ask(container_.get(), VFIO_IOMMU_GET_INFO, {},
                                                        "cannot ask VFIO about the IOMMU");
    if (!answer)
        return propagate(std::move(answer));
    const vfio_iommu_type1_info head = answer->head();
    facts.page_sizes = (head.flags & VFIO_IOMMU_INFO_PGSIZES) != 0 ? head.iova_pgsizes : 4096;
    facts.entries = entries();
    if (const auto at = answer->find(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
                                     sizeof(vfio_iommu_type1_info_cap_iova_range))) {
        const auto cap = answer->read<vfio_iommu_type1_info_cap_iova_range>(*at);
        for (const auto& range : answer->list<vfio_iova_range>(*at + sizeof cap, cap.nr_iovas))
            facts.ranges.push_back({Iova{range.start}, Iova{range.end}});
    } else {
        facts.ranges.push_back({Iova{0}, Iova{~std::uint64_t{0}}});
    }
    if (const auto at =
            answer->find(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, sizeof(vfio_iommu_type1_info_dma_avail)))
        facts.entry_limit = facts.entries + answer->read<vfio_iommu_type1_info_dma_avail>(*at).avail;
    facts.address_bits = bits_of(facts.ranges);
    return facts;
}

Result<> VfioSpace::do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) {
    const auto wanted = static_cast<unsigned>(access);
    vfio_iommu_type1_dma_map map{};
    map.argsz = sizeof map;
    map.flags = ((wanted & 1U) != 0 ? VFIO_DMA_MAP_FLAG_READ : 0U) |
                ((wanted & 2U) != 0 ? VFIO_DMA_MAP_FLAG_WRITE : 0U);
    map.vaddr = reinterpret_cast<std::uintptr_t>(memory.data());
    map.iova = iova.value;
    map.size = memory.size();
    const LockedMemory before = LockedMemory::of_this_process();
    if (::ioctl(container_.get(), VFIO_IOMMU_MAP_DMA, &map) != 0)
        return tl::unexpected<Error>(map_error(errno, iova, memory.size(), before));
    return {};
}

Result<> VfioSpace::do_unmap(Iova iova, std::uint64_t size) {
    vfio_iommu_type1_dma_unmap unmap{};
    unmap.argsz = sizeof unmap;
    unmap.iova = iova.value;
    unmap.size = size;
    if (::ioctl(container_.get(), VFIO_IOMMU_UNMAP_DMA, &unmap) != 0)
        return fail_errno("cannot unmap memory from the IOMMU");
    return {};
}

} // namespace sluice::inline v1::device
