// SPDX-License-Identifier: BSD-3-Clause
// Capabilities that the user does not see. The length, where the specification fixes it, says how far
// Rule::hidden_read_zero reaches; 0 means up to the next capability.
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr Capability hide(std::string_view name, std::string_view specification, std::uint16_t id,
                          bool extended, std::uint16_t length) {
    return {name, specification, id, extended, false, length, "", ReadKind::zero, WriteKind::none, {}, 0};
}

constexpr std::string_view local_bus = "PCI Local Bus 3.0 §H";
constexpr std::string_view express = "PCI Express Base §7.9";

constexpr Capability tables[] = {
    hide("Slot Identification", "PCI-to-PCI Bridge 1.2 §13", 0x04, false, 4),
    hide("CompactPCI Hot Swap", local_bus, 0x06, false, 4),
    hide("Debug Port", local_bus, 0x0a, false, 4),
    hide("CompactPCI Resource Control", local_bus, 0x0b, false, 0),
    hide("Standard Hot-Plug Controller", local_bus, 0x0c, false, 8),
    hide("Bridge Subsystem Vendor ID", "PCI-to-PCI Bridge 1.2 §13.4", 0x0d, false, 8),
    hide("AGP 8x", local_bus, 0x0e, false, 0),
    hide("Secure Device", local_bus, 0x0f, false, 0),
    hide("Enhanced Allocation", "PCI Express Base §7.8.5", 0x14, false, 0),
    hide("Flattening Portal Bridge", "PCI Express Base §7.8.11", 0x15, false, 0x24),
    hide("Root Complex Link Declaration", express, 0x05, true, 0),
    hide("Root Complex Internal Link Control", express, 0x06, true, 0x0c),
    hide("Root Complex Event Collector Endpoint Association", express, 0x07, true, 0),
    hide("RCRB Header", express, 0x0a, true, 0x14),
    hide("Configuration Access Correlation", express, 0x0c, true, 8),
    hide("Multi-Root I/O Virtualization", "MR-IOV 1.0", 0x11, true, 0),
    hide("Reserved for AMD", express, 0x14, true, 0),
    hide("Secondary PCI Express", "PCI Express Base §7.7.3", 0x19, true, 0),
    hide("Protocol Multiplexing", express, 0x1a, true, 0),
    hide("Process Address Space ID", "PCI Express Base §7.8.9", 0x1b, true, 8),
    hide("LN Requester", express, 0x1c, true, 8),
    hide("Downstream Port Containment", "PCI Express Base §7.9.14", 0x1d, true, 0),
    hide("L1 PM Substates", "PCI Express Base §7.8.3", 0x1e, true, 0x14),
    hide("Precision Time Measurement", "PCI Express Base §7.9.15", 0x1f, true, 0x0c),
    hide("M-PCIe", express, 0x20, true, 0),
    hide("FRS Queueing", "PCI Express Base §7.8.10", 0x21, true, 0x10),
    hide("Readiness Time Reporting", "PCI Express Base §7.9.16", 0x22, true, 0x0c),
    hide("VF Resizable BAR", "PCI Express Base §9.3.7.5", 0x24, true, 0),
    hide("Data Link Feature", "PCI Express Base §7.7.4", 0x25, true, 0x0c),
    hide("Physical Layer 16.0 GT/s", "PCI Express Base §7.7.5", 0x26, true, 0),
    hide("Lane Margining at the Receiver", "PCI Express Base §7.7.7", 0x27, true, 0),
    hide("Hierarchy ID", "PCI Express Base §7.9.17", 0x28, true, 0),
    hide("Native PCIe Enclosure Management", "PCI Express Base §7.9.19", 0x29, true, 0x10),
    hide("Physical Layer 32.0 GT/s", "PCI Express Base §7.7.6", 0x2a, true, 0),
    hide("Alternate Protocol", "PCI Express Base §7.9.21", 0x2b, true, 0),
    hide("System Firmware Intermediary", "PCI Express Base §7.9.23", 0x2c, true, 0),
    hide("Shadow Functions", "PCI Express Base §7.9.25", 0x2d, true, 0),
    hide("Data Object Exchange", "PCI Express Base §7.9.24", 0x2e, true, 0x18),
};

} // namespace

std::span<const Capability> hidden_tables() noexcept {
    return tables;
}

} // namespace sluice::inline v1::config
