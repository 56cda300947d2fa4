// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>

#include "categories.hpp"
#include "report.hpp"

namespace sluice::devbind {

namespace {

std::string line(const Device& device, bool network) {
    const auto& function = device.function;
    std::string text =
        fmt::format("{} '{} {:04x}' ", function.address.to_string(), device.name, function.device);
    std::string unused = fmt::format("unused={}", fmt::join(device.unused, ","));
    if (function.driver.empty())
        return text + unused;
    if (device.in_userspace())
        return text + fmt::format("drv={} {}", function.driver, unused);
    if (network)
        text += fmt::format("if={} ", fmt::join(function.interfaces, ","));
    // A blank stands before the mark even where there is none, as it always has.
    return text +
           fmt::format("drv={} {} {}", function.driver, unused, device.active && network ? "*Active*" : "");
}

std::string section(const std::string& title, std::span<const std::string> lines) {
    return fmt::format("\n{}\n{:=<{}}\n{}\n", title, "", title.size(), fmt::join(lines, "\n"));
}

std::string category_text(std::span<const Device> devices, const Category& category) {
    std::vector<std::string> userspace;
    std::vector<std::string> kernel;
    std::vector<std::string> other;
    for (const auto& device : devices) {
        if (!is_in(device.function, category.option))
            continue;
        auto& list = device.function.driver.empty() ? other : device.in_userspace() ? userspace : kernel;
        list.push_back(line(device, category.option == "net"));
    }
    if (userspace.empty() && kernel.empty() && other.empty()) {
        std::string title = fmt::format("No '{}' devices detected", category.heading);
        return fmt::format("\n{}\n{:=<{}}\n", title, "", title.size());
    }
    std::string text;
    if (!userspace.empty())
        text += section(fmt::format("{} devices using DPDK-compatible driver", category.heading), userspace);
    if (!kernel.empty())
        text += section(fmt::format("{} devices using kernel driver", category.heading), kernel);
    if (!other.empty())
        text += section(fmt::format("Other {} devices", category.heading), other);
    return text;
}

} // namespace

std::string status_text(std::span<const Device> devices, std::string_view only) {
    std::string text;
    for (const auto& category : categories()) {
        if (only.empty() || only == category.option)
            text += category_text(devices, category);
    }
    return text;
}

std::string hugepages_text(std::span<const pci::HugepagePool> pools) {
    std::string text;
    for (const auto& pool : pools) {
        std::string where = pool.node < 0 ? "System" : fmt::format("Node {}", pool.node);
        text += fmt::format("{}: {} MiB in {} kB pages, {} MiB free\n", where, pool.reserved_bytes() >> 20,
                            pool.page_size >> 10, pool.free_bytes() >> 20);
    }
    return text;
}

std::string short_text(const Device& device) {
    std::string inside = device.function.driver.empty() ? "no driver" : device.function.driver;
    for (const auto& interface : device.function.interfaces)
        inside += ", " + interface;
    return fmt::format("{} ({})", device.function.address.to_string(), inside);
}

std::vector<const Device*> blockers(const pci::Group& group, std::span<const Device> devices) {
    std::vector<const Device*> found;
    for (const auto& device : devices) {
        bool member = std::ranges::find(group.members, device.function.address) != group.members.end();
        if (member && !pci::shares_group(device.function.driver))
            found.push_back(&device);
    }
    return found;
}

} // namespace sluice::devbind
