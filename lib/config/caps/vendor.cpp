// SPDX-License-Identifier: BSD-3-Clause
// PCI Local Bus 3.0 §6.7
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto vendor_rows = table(
    0x3,
    {
        Row{"Capability ID", 0x00, 1, byte_mask, byte_mask, "a vendor defines the whole capability"}.strict(
            Rule::vendor_header, byte_mask, 0),
        Row{"Next Capability Pointer", 0x01, 1, byte_mask, byte_mask, list_edited}.strict(Rule::vendor_header,
                                                                                          byte_mask, 0),
        Row{"Capability Length", 0x02, 1, 0, byte_mask, "a vendor defines the whole capability"}.strict(
            Rule::vendor_header, 0, 0),
    });

} // namespace

const Capability vendor_table{"Vendor Specific",
                              "PCI Local Bus 3.0 §6.7",
                              0x9,
                              false,
                              true,
                              0x0,
                              "the byte at 2; hidden if that is 0",
                              ReadKind::direct,
                              WriteKind::raw,
                              vendor_rows,
                              3};

} // namespace sluice::inline v1::config
