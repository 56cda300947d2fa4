// SPDX-License-Identifier: BSD-3-Clause
// Serial ATA AHCI 1.3.1 §2.4
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto sata_rows = table(0x10, {
                                           direct_id_row,
                                           next_row,
                                           {"Revision", 0x02, 2, 0, 0, hardware_only},
                                           {"BAR Location", 0x04, 4, 0, 0, hardware_only},
                                       });

} // namespace

const Capability sata_table{"SATA",
                            "Serial ATA AHCI 1.3.1 §2.4",
                            0x12,
                            false,
                            true,
                            0x0,
                            "8, or 16 if the low nibble of byte 4 is f",
                            ReadKind::direct,
                            WriteKind::none,
                            sata_rows,
                            2};

} // namespace sluice::inline v1::config
