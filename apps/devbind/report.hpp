// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What sluice-devbind prints.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <sluice/pci/sysfs.hpp>

#include "inventory.hpp"

namespace sluice::devbind {

/// One change that was made, or would be.
struct Step {
    pci::Address address;
    std::string from; ///< driver, empty for none
    std::string to;
};

/// Headings and lines in the format of dpdk-devbind; `only` is a category, or empty for all.
std::string status_text(std::span<const Device> devices, std::string_view only);

/// One paragraph a group: is it usable, its members, and what stands in the way. `only` limits it to the
/// groups of these functions; empty: all.
std::string groups_text(const pci::Sysfs& sysfs, std::span<const Device> devices,
                        std::span<const pci::Address> only);

/// Functions of the group that keep userspace from owning it: their driver uses the kernel's DMA.
std::vector<const Device*> blockers(const pci::Group& group, std::span<const Device> devices);

/// "0000:01:00.1 (igb, eth2)".
std::string short_text(const Device& device);

/// The object of --json: devices of the status (or those of `steps`), groups on request.
std::string json_text(const pci::Sysfs& sysfs, std::span<const Device> devices, std::string_view only,
                      std::span<const Step> steps, bool dry_run, bool groups);

} // namespace sluice::devbind
