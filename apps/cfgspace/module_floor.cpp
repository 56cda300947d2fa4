// SPDX-License-Identifier: BSD-3-Clause
#include "module_floor.hpp"

#include <sluice/device/open.hpp>
#include <sluice/pci/address.hpp>

namespace sluice::cfgspace {

Result<std::optional<ModuleFloor>> module_floor(const std::string& name, const pci::Sysfs& sysfs) {
    auto address = pci::Address::parse(name);
    if (!address)
        return std::optional<ModuleFloor>(); // an image
    auto function = sysfs.find(*address);
    if (!function || function->driver != pci::driver_sluice)
        return std::optional<ModuleFloor>();
    auto device = device::open(*address);
    if (!device)
        return propagate(std::move(device));
    auto list = (*device)->floor(true);
    if (!list)
        return propagate(std::move(list));
    auto effective = (*device)->floor(false);
    if (!effective)
        return propagate(std::move(effective));
    return std::optional(ModuleFloor{std::move(*list), std::move(*effective)});
}

} // namespace sluice::cfgspace
