// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.1
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

// All three capabilities have this layout.
constexpr auto vc_rows = table(0x1c, {
                                         extended_header_row,
                                         {"Port VC Capability 1", 0x04, 4, 0, 0, hardware_only},
                                         {"Port VC Capability 2", 0x08, 4, 0, 0, hardware_only},
                                         {"Port VC Control", 0x0c, 2, 0, 0, kernel_owned},
                                         {"Port VC Status", 0x0e, 2, 0, 0, hardware_only},
                                         {"VC Resource Capability 0", 0x10, 4, 0, 0, hardware_only},
                                         {"VC Resource Control 0", 0x14, 4, 0, 0, kernel_owned},
                                         {"Reserved", 0x18, 2, 0, 0, hardware_only},
                                         {"VC Resource Status 0", 0x1a, 2, 0, 0, hardware_only},
                                     });

} // namespace

const Capability vc_table{
    "Virtual Channel",
    "PCI Express Base §7.9.1",
    0x2,
    true,
    true,
    0x0,
    "28 and 12 for each extended VC; with an arbitration table rounded up to 16 and the table added",
    ReadKind::direct,
    WriteKind::none,
    vc_rows,
    4};
const Capability mfvc_table{
    "Multi-Function Virtual Channel",
    "PCI Express Base §7.9.1",
    0x8,
    true,
    true,
    0x0,
    "28 and 12 for each extended VC; with an arbitration table rounded up to 16 and the table added",
    ReadKind::direct,
    WriteKind::none,
    vc_rows,
    4};
const Capability vc9_table{
    "Virtual Channel (MFVC)",
    "PCI Express Base §7.9.1",
    0x9,
    true,
    true,
    0x0,
    "28 and 12 for each extended VC; with an arbitration table rounded up to 16 and the table added",
    ReadKind::direct,
    WriteKind::none,
    vc_rows,
    4};

} // namespace sluice::inline v1::config
