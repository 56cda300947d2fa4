// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/function.hpp>

#include <algorithm>

namespace sluice::inline v1::pci {

std::string canonical_driver(std::string_view name) {
    if (name == "sluice_pci")
        return std::string(driver_sluice);
    if (name == "vfio_pci")
        return std::string(driver_vfio);
    return std::string(name);
}

bool is_userspace_driver(std::string_view driver) noexcept {
    constexpr std::string_view names[] = {driver_sluice, driver_vfio, "uio_pci_generic", "igb_uio",
                                          "pci-stub"};
    return std::ranges::find(names, driver) != std::end(names) || driver.ends_with("-vfio-pci") ||
           driver.ends_with("_vfio_pci");
}

bool shares_group(std::string_view driver) noexcept {
    if (driver.empty() || driver == "pcieport")
        return true;
    return is_userspace_driver(driver) && driver != "uio_pci_generic" && driver != "igb_uio";
}

} // namespace sluice::inline v1::pci
