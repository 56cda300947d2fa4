// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.3
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto serial_number_rows = table(0xc, {
                                                   extended_header_row,
                                                   {"Serial Number (Lower DW)", 0x04, 4, 0, 0, hardware_only},
                                                   {"Serial Number (Upper DW)", 0x08, 4, 0, 0, hardware_only},
                                               });

} // namespace

const Capability serial_number_table{
    "Device Serial Number", "PCI Express Base §7.9.3", 0x3, true, true, 0xc, "", ReadKind::direct,
    WriteKind::none,        serial_number_rows,        4};

} // namespace sluice::inline v1::config
