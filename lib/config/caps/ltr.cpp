// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.8.2
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto ltr_rows = table(0x8, {
                                         extended_header_row,
                                         {"Max Snoop Latency", 0x04, 2, 0, 0, kernel_owned},
                                         {"Max No-Snoop Latency", 0x06, 2, 0, 0, kernel_owned},
                                     });

} // namespace

const Capability ltr_table{"Latency Tolerance Reporting",
                           "PCI Express Base §7.8.2",
                           0x18,
                           true,
                           true,
                           0x8,
                           "",
                           ReadKind::direct,
                           WriteKind::none,
                           ltr_rows,
                           4};

} // namespace sluice::inline v1::config
