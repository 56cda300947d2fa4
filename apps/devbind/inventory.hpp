// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Functions with what an operator wants to know about them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sluice/pci/sysfs.hpp>

namespace sluice::devbind {

struct Device {
    pci::Function function;
    std::string name;                ///< from pci.ids; "Device" when it is not in there
    bool active = false;             ///< an interface of it carries a route
    std::vector<std::string> unused; ///< drivers that could hold it and do not
    std::string_view sluice_driver;  ///< of this tree; empty when there is none

    bool in_userspace() const noexcept { return pci::is_userspace_driver(function.driver); }
    /// The driver that `--bind auto` has in mind for it.
    std::string_view proposed() const noexcept;
};

/// Every PCI function.
Result<std::vector<Device>> take_inventory(const pci::Sysfs& sysfs);

/// `name` with every '-' as '_': modules and drivers of one name differ in these.
std::string folded(std::string_view name);

} // namespace sluice::devbind
