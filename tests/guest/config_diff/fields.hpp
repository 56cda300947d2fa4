// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Bits of config space by the names that specifications give them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <sluice/config/policy.hpp>

namespace sluice::configdiff {

/// One line for each register of which a bit is set, "0a8  PCI Express/Device Control  0000f000"; bytes that
/// no register of the tables names are counted, in one line for each run of bytes with one owner.
std::vector<std::string> field_lines(std::span<const std::uint8_t> bits, std::span<const std::uint8_t> image,
                                     config::Policy policy);

/// The policy of the kernel that runs: of the newest known one if it is none of them.
config::Policy running_policy();

} // namespace sluice::configdiff
