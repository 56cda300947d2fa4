// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The floor of sluice_pci for one function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/pci/sysfs.hpp>

namespace sluice::cfgspace {

struct ModuleFloor {
    std::vector<std::uint8_t> list;      ///< what the module would let through at most
    std::vector<std::uint8_t> effective; ///< what is in force
};

/// Reads the floor by opening the function `name`; empty if sluice-pci does not hold it or `name` is a file.
Result<std::optional<ModuleFloor>> module_floor(const std::string& name, const pci::Sysfs& sysfs);

} // namespace sluice::cfgspace
