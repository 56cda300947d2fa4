// SPDX-License-Identifier: BSD-3-Clause
#include "inventory.hpp"

#include <algorithm>

#include <sluice/pci/modules.hpp>
#include <sluice/pci/use.hpp>

#include "categories.hpp"
#include "served.hpp"

// Last: it defines macros with common names. It is written for C alone.
extern "C" {
#include <pci/pci.h>
}

namespace sluice::devbind {

namespace {

// Drivers that take any device, in the order in which the status names them.
constexpr std::string_view userspace_drivers[] = {"igb_uio", pci::driver_vfio, "uio_pci_generic",
                                                  pci::driver_sluice};

void say_nothing(char*, ...) {}

// Looks names up and nothing else: pci_init, which would also set the callbacks, ends the process where
// there is no bus. The list of names lives as long as the program.
pci_access* names() {
    static pci_access* const access = [] {
        pci_access* made = ::pci_alloc();
        made->warning = say_nothing;
        made->debug = say_nothing;
        return made;
    }();
    return access;
}

// The name in pci.ids.
std::string device_name(const pci::Function& function) {
    char buffer[256];
    const char* name =
        ::pci_lookup_name(names(), buffer, sizeof buffer, PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS,
                          int{function.vendor}, int{function.device});
    return name != nullptr ? name : "Device";
}

std::vector<std::string> unused_drivers(const pci::Function& function, const pci::ModuleIndex& modules,
                                        const pci::Sysfs& sysfs) {
    std::vector<std::string> names = modules.candidates(function.modalias);
    for (auto driver : userspace_drivers) {
        bool listed =
            std::ranges::any_of(names, [&](const auto& name) { return folded(name) == folded(driver); });
        if (!listed && sysfs.has_driver(driver))
            names.emplace_back(driver);
    }
    std::erase_if(names, [&](const auto& name) { return folded(name) == folded(function.driver); });
    return names;
}

} // namespace

std::string folded(std::string_view name) {
    std::string text(name);
    std::ranges::replace(text, '-', '_');
    return text;
}

std::string_view Device::proposed() const noexcept {
    return sluice_driver.empty() ? pci::driver_vfio : pci::driver_sluice;
}

Result<std::vector<Device>> take_inventory(const pci::Sysfs& sysfs) {
    auto functions = sysfs.scan();
    if (!functions)
        return propagate(std::move(functions));
    pci::ModuleIndex modules(sysfs.roots());
    std::vector<Device> devices;
    for (auto& function : *functions) {
        Device device;
        device.name = device_name(function);
        device.active = pci::carries_route(sysfs, function);
        if (!category_of(function).empty())
            device.unused = unused_drivers(function, modules, sysfs);
        device.sluice_driver = served_by(function.vendor, function.device);
        device.function = std::move(function);
        devices.push_back(std::move(device));
    }
    return devices;
}

} // namespace sluice::devbind
