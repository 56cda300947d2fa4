// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The accesses whose answers are compared: a list that a seed, a share and the device's own bytes determine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::configdiff {

enum class Kind : std::uint8_t { read, write, interrupts };

/// One access, or one change of the interrupts that the user has set up: then `offset` is a device::Irq, and
/// `value` the number of vectors, 0 for off.
struct Operation {
    Kind kind;
    std::uint8_t width; ///< 1, 2 or 4 bytes
    std::uint16_t offset;
    std::uint32_t value;

    bool same_place(const Operation& other) const noexcept {
        return offset == other.offset && width == other.width;
    }
};

struct Plan {
    std::uint64_t seed = 1;
    unsigned percent = 100; ///< of the places (offset and width) this many are visited
};

/// Every offset of the image with every width: read; write ones, each single bit, a random value and zeros,
/// each read back. At intervals, and at the end, all of it is read. Then the same for COMMAND, STATUS, MSI
/// and MSI-X while INTx, MSI and MSI-X are on, with one vector and with several. Zeros come last, so that
/// each place is left with decoding off and in D0.
std::vector<Operation> operations(const Plan& plan, std::span<const std::uint8_t> image);

inline constexpr std::uint32_t command_register = 0x04; ///< PCI Local Bus 3.0 §6.2.2
inline constexpr std::uint8_t express_id = 0x10;

/// Position of a standard capability in the image's list, or 0. PCI Local Bus 3.0 §6.7.
std::uint32_t find_capability(std::span<const std::uint8_t> image, std::uint8_t id);

} // namespace sluice::configdiff
