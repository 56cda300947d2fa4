// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.11
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto multicast_rows =
    table(0x28, {
                    extended_header_row,
                    {"MC_Capability", 0x04, 2, 0, 0, hardware_only},
                    {"MC_Control", 0x06, 2, 0, 0, kernel_owned},
                    {"MC_Base_Address (Lower DW)", 0x08, 4, 0, 0, hardware_only},
                    {"MC_Base_Address (Upper DW)", 0x0c, 4, 0, 0, hardware_only},
                    {"MC_Receive (Lower DW)", 0x10, 4, 0, 0, hardware_only},
                    {"MC_Receive (Upper DW)", 0x14, 4, 0, 0, hardware_only},
                    {"MC_Block_All (Lower DW)", 0x18, 4, 0, 0, hardware_only},
                    {"MC_Block_All (Upper DW)", 0x1c, 4, 0, 0, hardware_only},
                    {"MC_Block_Untranslated (Lower DW)", 0x20, 4, 0, 0, hardware_only},
                    {"MC_Block_Untranslated (Upper DW)", 0x24, 4, 0, 0, hardware_only},
                });

} // namespace

const Capability multicast_table{"Multicast",
                                 "PCI Express Base §7.9.11",
                                 0x12,
                                 true,
                                 true,
                                 0x28,
                                 "",
                                 ReadKind::direct,
                                 WriteKind::none,
                                 multicast_rows,
                                 4};

} // namespace sluice::inline v1::config
