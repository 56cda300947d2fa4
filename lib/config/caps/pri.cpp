// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §10.5.2
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto pri_rows =
    table(0x10, {
                    extended_header_row,
                    {"Page Request Control", 0x04, 2, 0, 0, kernel_owned},
                    Row{"Page Request Status", 0x06, 2, 0, 0, hardware_only}.write_one_clears(0x3),
                    {"Outstanding Page Request Capacity", 0x08, 4, 0, 0, hardware_only},
                    {"Outstanding Page Request Allocation", 0x0c, 4, 0, 0, kernel_owned},
                });

} // namespace

const Capability pri_table{"Page Request Interface",
                           "PCI Express Base §10.5.2",
                           0x13,
                           true,
                           true,
                           0x10,
                           "",
                           ReadKind::direct,
                           WriteKind::none,
                           pri_rows,
                           4};

} // namespace sluice::inline v1::config
