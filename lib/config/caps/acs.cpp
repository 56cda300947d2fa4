// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.7.8
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto acs_rows =
    table(0x8, {
                   extended_header_row,
                   {"ACS Capability", 0x04, 2, 0, 0, hardware_only},
                   {"ACS Control", 0x06, 2, 0, 0, "isolation between functions is the kernel's"},
               });

} // namespace

const Capability acs_table{"Access Control Services",
                           "PCI Express Base §7.7.8",
                           0xd,
                           true,
                           true,
                           0x0,
                           "8, and the egress control vector if there is one",
                           ReadKind::direct,
                           WriteKind::none,
                           acs_rows,
                           4};

} // namespace sluice::inline v1::config
