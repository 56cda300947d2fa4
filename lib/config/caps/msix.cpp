// SPDX-License-Identifier: BSD-3-Clause
// PCI Local Bus 3.0 §6.8.2
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto msix_rows = table(0xc, {
                                          direct_id_row,
                                          next_row,
                                          {"Message Control", 0x02, 2, 0, 0, kernel_owned},
                                          {"Table Offset/BIR", 0x04, 4, 0, 0, hardware_only},
                                          {"PBA Offset/BIR", 0x08, 4, 0, 0, hardware_only},
                                      });

} // namespace

const Capability msix_table{"MSI-X",
                            "PCI Local Bus 3.0 §6.8.2",
                            0x11,
                            false,
                            true,
                            0xc,
                            "",
                            ReadKind::direct,
                            WriteKind::none,
                            msix_rows,
                            2};

} // namespace sluice::inline v1::config
