// SPDX-License-Identifier: BSD-3-Clause
// PCI Power Management 1.2 §3.2
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto power_management_rows =
    table(0x8, {
                   id_row,
                   next_row,
                   {"Power Management Capabilities", 0x02, 2, 0xf800, 0,
                    "PME_Support reads as none: wake-up is not delivered to the user"},
                   Row{"Power Management Control/Status", 0x04, 2, 0x8100, 0x7efc,
                       "the state goes through the kernel; PME_En and PME_Status read as zero"}
                       .write_one_clears(0x8000),
                   {"Bridge Support Extensions", 0x06, 1, 0, byte_mask, "passed as vfio-pci passes it"},
                   {"Data", 0x07, 1, 0, byte_mask, "passed as vfio-pci passes it"},
               });

} // namespace

const Capability power_management_table{
    "Power Management", "PCI Power Management 1.2 §3.2", 0x1, false, true, 0x8, "", ReadKind::merge,
    WriteKind::power,   power_management_rows,           2};

} // namespace sluice::inline v1::config
