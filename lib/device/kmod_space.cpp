// SPDX-License-Identifier: BSD-3-Clause
#include "kmod_space.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "kmod_call.hpp"
#include "locked_memory.hpp"

namespace sluice::inline v1::device {

Result<SpaceInfo> KmodSpace::info() const {
    std::vector<sluice_iova_range> ranges(64);
    sluice_space_info answer{};
    for (;;) {
        answer = {};
        answer.num_ranges = static_cast<std::uint32_t>(ranges.size());
        answer.ranges = reinterpret_cast<std::uintptr_t>(ranges.data());
        auto asked = kmod_call(fd(), SLUICE_SPACE_INFO, answer, "cannot ask an address space about itself");
        if (!asked)
            return propagate(std::move(asked));
        if (answer.num_ranges <= ranges.size())
            break;
        ranges.resize(answer.num_ranges);
    }
    SpaceInfo facts;
    for (std::uint32_t i = 0; i < answer.num_ranges; ++i)
        facts.ranges.push_back({Iova{ranges[i].first}, Iova{ranges[i].last}});
    facts.page_sizes = answer.page_sizes;
    facts.entry_limit = answer.entry_limit;
    facts.entries = answer.entries;
    facts.address_bits = answer.address_bits;
    return facts;
}

Result<> KmodSpace::do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) {
    const auto wanted = static_cast<unsigned>(access);
    sluice_space_map map{};
    map.flags = ((wanted & 1U) != 0 ? SLUICE_MAP_READ : 0U) | ((wanted & 2U) != 0 ? SLUICE_MAP_WRITE : 0U);
    map.vaddr = reinterpret_cast<std::uintptr_t>(memory.data());
    map.iova = iova.value;
    map.length = memory.size();
    const LockedMemory before = LockedMemory::of_this_process();
    auto mapped = kmod_call(fd(), SLUICE_SPACE_MAP, map, "");
    if (!mapped)
        return tl::unexpected<Error>(map_error(mapped.error().code(), iova, memory.size(), before));
    return {};
}

Result<> KmodSpace::do_unmap(Iova iova, std::uint64_t size) {
    sluice_space_unmap unmap{};
    unmap.iova = iova.value;
    unmap.length = size;
    return kmod_call(fd(), SLUICE_SPACE_UNMAP, unmap, "cannot unmap memory from the IOMMU");
}

namespace {

const char* group_text(int code) {
    switch (code) {
    case EBUSY:
        return "cannot open the device's group: it is open already, or a member is bound to a driver that "
               "uses "
               "the kernel's DMA";
    case EPERM:
        return "cannot open the device's group: its interrupts are not isolated (turn interrupt remapping "
               "on, "
               "or accept the risk with sluice_pci's allow_unsafe_interrupts=1)";
    case EACCES:
        return "cannot open the device's group: give this user the node";
    case EOPNOTSUPP:
        return "cannot open the device's group: DMA of a member is not cache coherent";
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return "cannot open the device's group: its last device has left sluice-pci";
    default:
        return "cannot open the device's group: the kernel's log says why";
    }
}

} // namespace

Result<std::shared_ptr<KmodGroup>> KmodGroup::open(const std::string& node) {
    const std::string path = "/dev/sluice/" + node;
    auto fd = open_file(path, O_RDWR);
    if (!fd)
        return fail(fd.error().code(), group_text(fd.error().code()), path);
    sluice_version version{};
    auto asked = kmod_call(fd->get(), SLUICE_VERSION, version, "cannot ask sluice_pci for its version", path);
    if (!asked)
        return propagate(std::move(asked));
    if (version.version != SLUICE_API_VERSION)
        return fail(EPROTO,
                    "cannot talk to this version of sluice_pci: install module and library of one release",
                    path);
    return std::shared_ptr<KmodGroup>(new KmodGroup(path, std::move(*fd)));
}

Result<std::shared_ptr<KmodSpace>> KmodGroup::new_space() const {
    sluice_group_new_space request{};
    request.size = sizeof request;
    UniqueFd space(::ioctl(fd(), SLUICE_GROUP_NEW_SPACE, &request));
    if (!space)
        return fail_errno("cannot make an address space for the device's group", path_);
    return std::make_shared<KmodSpace>(std::move(space));
}

Result<> KmodGroup::attach(const std::shared_ptr<KmodSpace>& space) {
    sluice_group_attach request{};
    request.space_fd = space->fd();
    auto attached = kmod_call(fd(), SLUICE_GROUP_ATTACH, request,
                              "cannot attach the device's group to this address space", path_);
    if (attached)
        space_ = space;
    return attached;
}

} // namespace sluice::inline v1::device
