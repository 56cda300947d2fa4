// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The memory and port ranges of a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::inline v1::device {

/// A BAR or the expansion ROM. The numbers are those of kernel VFIO and of sluice_pci. Config space is not
/// among them: it is reached through Device::config() alone.
enum class Region : std::uint8_t { bar0 = 0, bar1, bar2, bar3, bar4, bar5, rom = 6 };

inline constexpr std::size_t region_count = 7;

/// BAR `index`, 0 to 5.
constexpr Region bar(unsigned index) noexcept {
    return static_cast<Region>(index);
}

/// "BAR0" to "BAR5", "ROM".
const char* name(Region region) noexcept;

/// A stretch of a region, in bytes from the region's start.
struct Area {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// What a region is and allows. All false and size 0 when the device has no such region.
struct RegionInfo {
    std::uint64_t size = 0;     ///< bytes
    bool readable = false;      ///< through Device::read
    bool writable = false;      ///< through Device::write
    bool port_io = false;       ///< I/O ports: read and write only, never mapped
    std::vector<Area> mappable; ///< ascending, page-aligned, disjoint; empty when it cannot be mapped

    bool present() const noexcept { return size != 0; }
};

} // namespace sluice::inline v1::device
