// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the kernel tells about one PCI function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/pci/address.hpp>

namespace sluice::inline v1::pci {

/// One line of a function's `resource` file. Linux, include/linux/ioport.h, names the flags.
struct Resource {
    static constexpr std::uint64_t flag_io = 0x100;
    static constexpr std::uint64_t flag_memory = 0x200;
    static constexpr std::uint64_t flag_prefetch = 0x2000;
    static constexpr std::uint64_t flag_memory_64 = 0x100000;

    std::uint64_t start = 0;
    std::uint64_t end = 0; ///< the last byte, inclusive
    std::uint64_t flags = 0;

    /// Bytes; 0 when the resource is not implemented.
    std::uint64_t size() const noexcept { return flags == 0 || end < start ? 0 : end - start + 1; }
    bool is_io() const noexcept { return (flags & flag_io) != 0; }
    bool is_memory() const noexcept { return (flags & flag_memory) != 0; }
    bool is_prefetchable() const noexcept { return (flags & flag_prefetch) != 0; }
    bool is_64bit() const noexcept { return (flags & flag_memory_64) != 0; }

    friend bool operator==(const Resource&, const Resource&) = default;
};

/// A snapshot of one function, read from sysfs at one moment. A plain value.
struct Function {
    static constexpr std::size_t rom_index = 6;

    Address address;
    std::uint16_t vendor = 0;
    std::uint16_t device = 0;
    std::uint16_t subsystem_vendor = 0;
    std::uint16_t subsystem_device = 0;
    std::uint32_t class_code = 0; ///< 24 bits: base class, subclass, interface
    std::uint8_t revision = 0;
    /// Header type without the multi-function bit; empty when config space could not be read.
    std::optional<std::uint8_t> header_type;

    std::string driver;          ///< the kernel driver bound, empty when there is none
    std::string driver_override; ///< empty when none is set
    std::string modalias;        ///< what modules.alias is matched with (ModuleIndex)

    int numa_node = -1;            ///< −1 when the platform does not say
    std::optional<unsigned> group; ///< IOMMU group number; empty when there is no IOMMU
    /// Every PCI function of the IOMMU group, this one included, in bus order.
    std::vector<Address> group_members;

    std::array<Resource, 7> resources{}; ///< BAR 0–5 and the expansion ROM
    std::size_t config_size = 0;         ///< bytes: 256 or 4,096

    std::optional<Address> physical_function; ///< set on a virtual function
    std::vector<Address> virtual_functions;   ///< the live ones, by VF number
    unsigned total_vfs = 0;                   ///< the most that the function can have

    std::vector<std::string> interfaces; ///< network interfaces, by name
    /// The name N of the function's `/sys/class/sluice/N` and `/dev/sluice/N`, from its `sluice` link;
    /// empty when sluice_pci does not hold it.
    std::string sluice;

    bool is_virtual() const noexcept { return physical_function.has_value(); }
    std::uint8_t base_class() const noexcept { return static_cast<std::uint8_t>(class_code >> 16); }
    bool is_network() const noexcept { return base_class() == 0x02; }
};

/// Names of the kernel drivers that hand a function to userspace, as they stand in sysfs.
inline constexpr std::string_view driver_sluice = "sluice-pci";
inline constexpr std::string_view driver_vfio = "vfio-pci";

/// `name` as sysfs spells it: sluice_pci and vfio_pci become sluice-pci and vfio-pci, all else is kept.
std::string canonical_driver(std::string_view name);

/// True for a driver that leaves the function to userspace and matches no id by itself: sluice-pci,
/// vfio-pci and its variants, uio_pci_generic, igb_uio, pci-stub.
bool is_userspace_driver(std::string_view driver) noexcept;

/// True when the kernel lets userspace own an IOMMU group beside a function that `driver` holds: the
/// driver does no DMA through the kernel's API (`driver_managed_dma`). No driver (empty) qualifies too.
bool shares_group(std::string_view driver) noexcept;

} // namespace sluice::inline v1::pci
