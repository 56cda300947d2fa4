// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A mediated space taken apart into registers.
#pragma once

#include <string>
#include <vector>

#include <sluice/config/space.hpp>
#include <sluice/config/tables.hpp>

namespace sluice::cfgspace {

/// One register with what hardware holds and what the user sees.
struct Register {
    std::string_view capability;
    std::uint16_t start; ///< of the capability
    std::string_view name;
    std::uint16_t offset; ///< in configuration space
    std::uint8_t width;
    std::uint32_t raw;
    std::uint32_t mediated;
    std::uint32_t virt;
    std::uint32_t write;

    bool differs() const noexcept { return raw != mediated; }
    /// "Command", "PCI Express/Device Control": what read and write take.
    std::string path() const;
};

/// A visible capability: its table and where it stands.
struct Placed {
    const config::Capability* table;
    std::uint16_t start;
};

/// The header and the visible capabilities in the order of the lists.
std::vector<Placed> capabilities(config::Space& space);

/// All registers that are named in the tables and lie whole in their capability. Registers that cannot be
/// read are left out.
std::vector<Register> decode(config::Space& space, config::Backend& raw);

/// "Power Management", or "Vendor Specific (hidden)" for one of the table's hidden ones, or the number.
std::string capability_name(std::uint16_t id, bool extended);

} // namespace sluice::cfgspace
