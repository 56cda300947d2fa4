// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The groups of devices that `--status` lists, under the names that DPDK's users know.
#pragma once

#include <span>
#include <string_view>

#include <sluice/pci/function.hpp>

namespace sluice::devbind {

struct Category {
    std::string_view option;  ///< as --status-dev takes it
    std::string_view heading; ///< as the status prints it
};

/// In the order of the status.
std::span<const Category> categories() noexcept;

/// A function may stand in several categories.
bool is_in(const pci::Function& function, std::string_view option) noexcept;

/// The first category of a function, by option name; empty when the status does not list it.
std::string_view category_of(const pci::Function& function) noexcept;

} // namespace sluice::devbind
