// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What sluice-devbind prints.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <sluice/pci/hugepages.hpp>
#include <sluice/pci/sysfs.hpp>

#include "inventory.hpp"

namespace sluice::devbind {

/// One change that was made, or would be.
struct Step {
    pci::Address address;
    std::string from; ///< driver, empty for none
    std::string to;
};

/// What --json shall hold.
struct JsonParts {
    std::string_view only;       ///< a category, or empty for all
    std::span<const Step> steps; ///< when there are any, their devices alone
    bool devices = true;         ///< else their list stays empty
    bool groups = false;
    bool hugepages = false;
    bool dry_run = false;
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

/// "Node 0: 256 MiB in 2048 kB pages, 256 MiB free", a line a pool.
std::string hugepages_text(std::span<const pci::HugepagePool> pools);

/// The object of --json: devices of the status, and what else is asked for.
std::string json_text(const pci::Sysfs& sysfs, std::span<const Device> devices, const JsonParts& parts);

} // namespace sluice::devbind
