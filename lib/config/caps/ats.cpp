// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §10.5.1
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto ats_rows =
    table(0x8, {
                   extended_header_row,
                   {"ATS Capability", 0x04, 2, 0, 0, hardware_only},
                   {"ATS Control", 0x06, 2, 0, 0, "translated requests bypass the IOMMU: the kernel decides"},
               });

} // namespace

const Capability ats_table{"Address Translation Services",
                           "PCI Express Base §10.5.1",
                           0xf,
                           true,
                           true,
                           0x8,
                           "",
                           ReadKind::direct,
                           WriteKind::none,
                           ats_rows,
                           4};

} // namespace sluice::inline v1::config
