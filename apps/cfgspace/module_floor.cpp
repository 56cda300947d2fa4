// SPDX-License-Identifier: BSD-3-Clause
#include "module_floor.hpp"

#include <sluice/pci/address.hpp>

namespace sluice::cfgspace {

Result<std::optional<ModuleFloor>> module_floor(const std::string&, const pci::Sysfs&) {
    return std::optional<ModuleFloor>();
}

} // namespace sluice::cfgspace
