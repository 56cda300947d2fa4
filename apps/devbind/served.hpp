// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Devices that a Sluice driver of this tree serves; all others are DPDK's own drivers' business.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::devbind {

struct Served {
    std::uint16_t vendor;
    std::uint16_t device;
    std::string_view driver;
};

inline constexpr Served served_devices[] = {
    {0x1af4, 0x1000, "virtio"}, // virtio-net, transitional
    {0x1af4, 0x1041, "virtio"}, // virtio-net, modern
    {0x8086, 0x100e, "e1000"},  // 82540EM
    {0x8086, 0x10d3, "e1000"},  // 82574L
};

/// Name of the driver, or empty.
constexpr std::string_view served_by(std::uint16_t vendor, std::uint16_t device) noexcept {
    for (const auto& row : served_devices) {
        if (row.vendor == vendor && row.device == device)
            return row.driver;
    }
    return {};
}

} // namespace sluice::devbind
