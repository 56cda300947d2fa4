// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Two runs over one device, held against each other bit by bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "record.hpp"

namespace sluice::configdiff {

/// What came of it. A difference is explained only for bits that vfio-pci was seen to let through (a write
/// changed them to what was written, or cleared them by a one), that the module's floor denies, and that no
/// write changed on the engine's side.
struct Comparison {
    std::string unequal_start;           ///< not empty: the runs did not begin alike, and nothing else counts
    std::vector<std::uint8_t> explained; ///< one byte of bits for each byte of config space
    std::size_t explained_answers = 0;   ///< answers that differ in such bits alone
    std::vector<std::string> unexplained; ///< one line each, the first few
    std::size_t unexplained_answers = 0;
    std::size_t answers = 0;

    bool good() const noexcept { return unequal_start.empty() && unexplained_answers == 0; }
};

/// `kernel` is vfio-pci's own run. A run on the route `twice` must give the same, with no floor to explain
/// anything.
Comparison compare(const Record& kernel, const Record& other);

} // namespace sluice::configdiff
