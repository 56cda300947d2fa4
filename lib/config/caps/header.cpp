// SPDX-License-Identifier: BSD-3-Clause
// PCI Local Bus 3.0 §6.1: the header of type 0.
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr std::string_view bar_reason =
    "the user sizes and moves a BAR in the shadow; the kernel placed the real one";

constexpr auto header_rows = table(
    0x40,
    {
        {"Vendor ID", 0x00, 2, word_mask, 0,
         "a VF's own register reads ffff: the system's knowledge stands here"},
        {"Device ID", 0x02, 2, word_mask, 0, "as Vendor ID"},
        {"Command", 0x04, 2, 0x0400, word_mask,
         "decoding and bus mastering are the user's; Interrupt Disable goes through the interrupt's owner"},
        Row{"Status", 0x06, 2, 0x0010, 0,
            "Capabilities List follows what is visible; the rest is the device's"}
            .write_one_clears(0xf900),
        {"Revision ID", 0x08, 1, 0, 0, hardware_only},
        {"Programming Interface", 0x09, 1, 0, 0, hardware_only},
        {"Class Code", 0x0a, 2, 0, 0, hardware_only},
        {"Cache Line Size", 0x0c, 1, 0, byte_mask, "harmless tuning"},
        {"Latency Timer", 0x0d, 1, 0, byte_mask, "harmless tuning"},
        {"Header Type", 0x0e, 1, 0, 0, hardware_only},
        {"BIST", 0x0f, 1, 0, byte_mask, "a self-test of the user's own function"},
        {"Base Address 0", 0x10, 4, dword_mask, dword_mask, bar_reason},
        {"Base Address 1", 0x14, 4, dword_mask, dword_mask, bar_reason},
        {"Base Address 2", 0x18, 4, dword_mask, dword_mask, bar_reason},
        {"Base Address 3", 0x1c, 4, dword_mask, dword_mask, bar_reason},
        {"Base Address 4", 0x20, 4, dword_mask, dword_mask, bar_reason},
        {"Base Address 5", 0x24, 4, dword_mask, dword_mask, bar_reason},
        {"Cardbus CIS Pointer", 0x28, 4, 0, 0, hardware_only},
        {"Subsystem Vendor ID", 0x2c, 2, 0, 0, hardware_only},
        {"Subsystem ID", 0x2e, 2, 0, 0, hardware_only},
        {"Expansion ROM Base Address", 0x30, 4, dword_mask, dword_mask, bar_reason},
        {"Capabilities Pointer", 0x34, 1, byte_mask, 0, list_edited},
        {"Reserved", 0x35, 1, 0, 0, hardware_only},
        {"Reserved", 0x36, 2, 0, 0, hardware_only},
        {"Reserved", 0x38, 4, 0, 0, hardware_only},
        {"Interrupt Line", 0x3c, 1, byte_mask, byte_mask, "a note of the user's to itself"},
        {"Interrupt Pin", 0x3d, 1, byte_mask, 0, "0 where INTx cannot be delivered"},
        {"Min_Gnt", 0x3e, 1, 0, 0, hardware_only},
        {"Max_Lat", 0x3f, 1, 0, 0, hardware_only},
    });

} // namespace

const Capability header_table{"Header",         "PCI Local Bus 3.0 §6.1", 0x00,        false, true, 0x40, "",
                              ReadKind::header, WriteKind::header,        header_rows, 0x40};

} // namespace sluice::inline v1::config
