// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the operating system knows about a function beside its configuration space.
#pragma once

#include <array>
#include <cstdint>

#include <sluice/base/error.hpp>
#include <sluice/config/backend.hpp>

namespace sluice::inline v1::config {

/// One BAR or the expansion ROM as the operating system assigned it. A start of 0 means none.
struct Resource {
    /// Flag bits as /sys/bus/pci/devices/BDF/resource has them.
    static constexpr std::uint32_t io = 0x100;
    static constexpr std::uint32_t memory = 0x200;
    static constexpr std::uint32_t prefetch = 0x2000;
    static constexpr std::uint32_t memory64 = 0x100000;
    static constexpr std::uint32_t shadow_rom = 0x2;

    std::uint64_t start = 0;
    std::uint64_t length = 0; ///< bytes
    std::uint32_t flags = 0;
};

/// Index of the expansion ROM in `Facts::resources`.
inline constexpr unsigned rom_index = 6;

/// An interrupt number that says that the pin is wired to nothing.
inline constexpr std::uint32_t irq_not_connected = 0x80000000;

/// Facts that the Space takes as given. A default-constructed value describes a plain physical function.
struct Facts {
    bool is_vf = false;
    std::uint16_t vendor = 0xffff; ///< used for a VF, whose own id registers read ffff
    std::uint16_t device = 0xffff;
    bool no_command_memory = false; ///< COMMAND.MEMORY is not implemented; true for every VF
    std::uint32_t irq = 1;
    bool intx_supported = true; ///< the kernel below can deliver INTx at all
    bool nointx = false;        ///< the device's INTx is on the broken list
    bool pci_2_3 = true;        ///< COMMAND's interrupt-disable bit works in hardware
    std::array<Resource, 7> resources{};
    std::uint16_t pcie_cap = 0;   ///< first Express capability, 0 if none
    std::uint16_t pcie_flags = 0; ///< its Capabilities register
    std::uint16_t pm_cap = 0;     ///< first PM capability of a known version, 0 if none

    /// Fills `pcie_cap`, `pcie_flags` and `pm_cap` by a search as the kernel makes it at scan (pointers
    /// masked, at most 48 steps), and `is_vf` none of it. Fails only if the backend does.
    Result<void> scan(Backend& backend);

    /// Fills `resources` from the text of a `resource` file of sysfs (start, end, flags a line).
    void parse_resources(const char* text);
};

/// True for devices whose INTx does not work as the specification says (Intel X550 and the i40e family).
bool has_broken_intx(std::uint16_t vendor, std::uint16_t device) noexcept;

} // namespace sluice::inline v1::config
