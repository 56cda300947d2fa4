// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/device.hpp>

#include <unistd.h>

#include <cerrno>

namespace sluice::inline v1::device {

const char* name(Region region) noexcept {
    static constexpr const char* names[] = {"BAR0", "BAR1", "BAR2", "BAR3", "BAR4", "BAR5", "ROM"};
    const auto index = static_cast<std::size_t>(region);
    return index < region_count ? names[index] : "unknown";
}

Result<Mapping> Device::map(Region which) {
    return map(which, 0, region(which).size);
}

Result<MemoryFile> Device::region_file(Region which) const {
    return fail(EOPNOTSUPP, "no file to hand to another process", name() + " " + device::name(which));
}

Result<std::vector<std::uint8_t>> Device::floor(bool) {
    return fail(EOPNOTSUPP, "no floor to read: only sluice_pci tells its own", name());
}

Result<> Device::check_map(Region which, std::uint64_t offset, std::uint64_t size) const {
    const std::string object = name() + " " + device::name(which);
    const RegionInfo& info = region(which);
    if (!info.present())
        return fail(EINVAL, "cannot map a region that the device does not have", object);
    if (info.mappable.empty())
        return fail(EINVAL, "cannot map this region: use read and write", object);
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (size == 0 || offset % page != 0)
        return fail(EINVAL, "cannot map a stretch that is empty or does not begin at a page", object);
    for (const Area& area : info.mappable)
        if (offset >= area.offset && offset - area.offset < area.size &&
            size <= area.size - (offset - area.offset))
            return {};
    return fail(EINVAL, "cannot map a stretch that is not inside one mappable area", object);
}

Result<> Device::check_access(Region which, std::uint64_t offset, std::uint64_t size, bool write) const {
    const RegionInfo& info = region(which);
    if (!(write ? info.writable : info.readable))
        return fail(EINVAL,
                    write ? "cannot write: no such region, or it is read-only"
                          : "cannot read: no such region",
                    name() + " " + device::name(which));
    if (size > info.size || offset > info.size - size)
        return fail(EINVAL, "cannot access bytes beyond the end of a region",
                    name() + " " + device::name(which));
    return {};
}

} // namespace sluice::inline v1::device
