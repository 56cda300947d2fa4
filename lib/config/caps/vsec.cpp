// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.5
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto vsec_rows = table(
    0x8,
    {
        Row{"Extended Capability Header", 0x00, 4, dword_mask, dword_mask, list_edited}.strict(
            Rule::vendor_header, dword_mask, 0),
        Row{"Vendor-Specific Header", 0x04, 4, 0, dword_mask, "a vendor defines the whole capability"}.strict(
            Rule::vendor_header, 0, 0),
    });

} // namespace

const Capability vsec_table{"Vendor-Specific Extended",
                            "PCI Express Base §7.9.5",
                            0xb,
                            true,
                            true,
                            0x0,
                            "bits 31:20 of the dword at 4; hidden if that is 0",
                            ReadKind::direct,
                            WriteKind::raw,
                            vsec_rows,
                            8};

} // namespace sluice::inline v1::config
