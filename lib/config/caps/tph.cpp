// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.13
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto tph_rows = table(0xc, {
                                         extended_header_row,
                                         {"TPH Requester Capability", 0x04, 4, 0, 0, hardware_only},
                                         {"TPH Requester Control", 0x08, 4, 0, 0, kernel_owned},
                                     });

} // namespace

const Capability tph_table{"TPH Requester",
                           "PCI Express Base §7.9.13",
                           0x17,
                           true,
                           true,
                           0x0,
                           "12, and 2 for each entry of a steering table in the capability",
                           ReadKind::direct,
                           WriteKind::none,
                           tph_rows,
                           4};

} // namespace sluice::inline v1::config
