// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.12
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto dpa_rows =
    table(0x10, {
                    extended_header_row,
                    {"DPA Capability", 0x04, 4, 0, 0, hardware_only},
                    {"DPA Latency Indicator", 0x08, 4, 0, 0, hardware_only},
                    Row{"DPA Status", 0x0c, 2, 0, 0, hardware_only}.write_one_clears(0x100),
                    {"DPA Control", 0x0e, 2, 0, 0, kernel_owned},
                });

} // namespace

const Capability dpa_table{"Dynamic Power Allocation",
                           "PCI Express Base §7.9.12",
                           0x16,
                           true,
                           true,
                           0x0,
                           "16 and one for each substate",
                           ReadKind::direct,
                           WriteKind::none,
                           dpa_rows,
                           4};

} // namespace sluice::inline v1::config
