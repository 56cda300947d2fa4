// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.8.6
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto resizable_bar_rows = table(
    0xc, {
             extended_header_row,
             {"Resizable BAR Capability 0", 0x04, 4, 0, 0, hardware_only},
             {"Resizable BAR Control 0", 0x08, 4, 0, 0, "the size was fixed when the kernel placed the BARs"},
         });

} // namespace

const Capability resizable_bar_table{"Resizable BAR",
                                     "PCI Express Base §7.8.6",
                                     0x15,
                                     true,
                                     true,
                                     0x0,
                                     "4 and 8 for each BAR",
                                     ReadKind::direct,
                                     WriteKind::none,
                                     resizable_bar_rows,
                                     4};

} // namespace sluice::inline v1::config
