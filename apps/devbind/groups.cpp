// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>

#include "report.hpp"

namespace sluice::devbind {

namespace {

bool wanted(const pci::Group& group, std::span<const pci::Address> only) {
    return only.empty() || std::ranges::any_of(group.members, [&](const auto& member) {
               return std::ranges::find(only, member) != only.end();
           });
}

std::string verdict(const pci::Group& group, std::span<const Device> devices) {
    auto in_the_way = blockers(group, devices);
    bool held = std::ranges::any_of(devices, [&](const auto& device) {
        return device.function.group == group.number && device.in_userspace();
    });
    if (!group.direct.empty())
        return fmt::format("not usable: firmware reserves {} in it (RMRR)", fmt::join(group.direct, ", "));
    if (in_the_way.empty())
        return held ? "viable" : "viable, none of it bound for userspace yet";
    std::vector<std::string> names;
    for (const auto* device : in_the_way)
        names.push_back(short_text(*device));
    if (!held)
        return "in use by the kernel";
    return fmt::format("not viable: {} uses the kernel's DMA; bind it too, or unbind it",
                       fmt::join(names, " and "));
}

std::string member_text(const Device& device) {
    const auto& function = device.function;
    std::string text = fmt::format("  {} '{} {:04x}' drv={}", function.address.to_string(), device.name,
                                   function.device, function.driver);
    if (!function.interfaces.empty())
        text += fmt::format(" if={}", fmt::join(function.interfaces, ","));
    if (function.physical_function)
        text += fmt::format(" vf-of={}", function.physical_function->to_string());
    return text + (device.active ? " *Active*\n" : "\n");
}

} // namespace

std::string groups_text(const pci::Sysfs& sysfs, std::span<const Device> devices,
                        std::span<const pci::Address> only) {
    std::string text;
    auto groups = sysfs.groups();
    for (const auto& group : groups) {
        if (!wanted(group, only))
            continue;
        text += fmt::format("Group {}: {}\n", group.number, verdict(group, devices));
        for (const auto& device : devices) {
            if (device.function.group == group.number)
                text += member_text(device);
        }
        for (const auto& other : group.others)
            text += fmt::format("  {} (no PCI function)\n", other);
    }
    if (groups.empty())
        text = "No IOMMU groups: the IOMMU is off or missing (firmware: VT-d or AMD-Vi; kernel: "
               "intel_iommu=on)\n";
    return text;
}

} // namespace sluice::devbind
