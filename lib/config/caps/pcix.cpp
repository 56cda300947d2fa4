// SPDX-License-Identifier: BSD-3-Clause
// PCI-X Protocol Addendum 2.0 §7.2
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto pcix_rows =
    table(0x18, {
                    id_row,
                    next_row,
                    {"PCI-X Command", 0x02, 2, 0, word_mask,
                     "memory read and split transaction limits of the user's own function"},
                    Row{"PCI-X Status", 0x04, 4, 0, 0, hardware_only}.write_one_clears(0x200c0000),
                    {"ECC Control and Status", 0x08, 4, 0, dword_mask,
                     "error injection and reporting of the user's own function"},
                    {"ECC First Address", 0x0c, 4, 0, 0, hardware_only},
                    {"ECC Second Address", 0x10, 4, 0, 0, hardware_only},
                    {"ECC Attribute", 0x14, 4, 0, 0, hardware_only},
                });

} // namespace

const Capability pcix_table{"PCI-X",
                            "PCI-X Protocol Addendum 2.0 §7.2",
                            0x7,
                            false,
                            true,
                            0x0,
                            "8, or 24 from version 1 of the command register on",
                            ReadKind::merge,
                            WriteKind::merge,
                            pcix_rows,
                            2};

} // namespace sluice::inline v1::config
