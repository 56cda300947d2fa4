// SPDX-License-Identifier: BSD-3-Clause
#include "select.hpp"

#include <algorithm>
#include <cerrno>

#include <fnmatch.h>

#include "categories.hpp"

namespace sluice::devbind {

namespace {

using Addresses = std::vector<pci::Address>;

bool has_interface(const Device& device, const std::string& name) {
    return std::ranges::find(device.function.interfaces, name) != device.function.interfaces.end();
}

Addresses matching(std::span<const Device> devices, const std::string& pattern) {
    Addresses found;
    for (const auto& device : devices) {
        if (!category_of(device.function).empty() &&
            ::fnmatch(pattern.c_str(), device.function.address.to_string().c_str(), 0) == 0)
            found.push_back(device.function.address);
    }
    return found;
}

Addresses named(std::span<const Device> devices, const std::string& word, bool allow_dpdk) {
    Addresses found;
    auto address = pci::Address::parse(word);
    for (const auto& device : devices) {
        if (address ? device.function.address == *address : has_interface(device, word))
            found.push_back(device.function.address);
        else if (allow_dpdk && word == "dpdk" && device.in_userspace())
            found.push_back(device.function.address);
    }
    return found;
}

} // namespace

bool looks_like_device(std::span<const Device> devices, const std::string& word) {
    return pci::Address::parse(word) ||
           std::ranges::any_of(devices, [&](const auto& device) { return has_interface(device, word); });
}

Result<Addresses> select(std::span<const Device> devices, std::span<const std::string> words,
                         bool allow_dpdk) {
    Addresses selected;
    for (const auto& word : words) {
        bool wild = word.find_first_of("*?[") != std::string::npos;
        Addresses found = wild ? matching(devices, word) : named(devices, word, allow_dpdk);
        if (wild && found.empty())
            found = matching(devices, "0000:" + word);
        if (found.empty() && !(allow_dpdk && word == "dpdk"))
            return fail(0,
                        wild ? "no device matches; --status lists them"
                             : "no such device; write 0000:01:00.0, 01:00.0 or an interface's name (--status "
                               "lists them)",
                        word);
        for (const auto& address : found) {
            if (std::ranges::find(selected, address) == selected.end())
                selected.push_back(address);
        }
    }
    return selected;
}

} // namespace sluice::devbind
