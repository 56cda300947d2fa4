// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.9.6
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto dvsec_rows =
    table(0xc, {
                   Row{"Extended Capability Header", 0x00, 4, dword_mask, dword_mask, list_edited}.strict(
                       Rule::vendor_header, dword_mask, 0),
                   Row{"Designated Vendor-Specific Header 1", 0x04, 4, 0, dword_mask,
                       "a vendor defines the whole capability"}
                       .strict(Rule::vendor_header, 0, 0),
                   Row{"Designated Vendor-Specific Header 2", 0x08, 2, 0, word_mask,
                       "a vendor defines the whole capability"}
                       .strict(Rule::vendor_header, 0, 0),
               });

} // namespace

const Capability dvsec_table{"Designated Vendor-Specific Extended",
                             "PCI Express Base §7.9.6",
                             0x23,
                             true,
                             true,
                             0x0,
                             "bits 31:20 of the dword at 4; hidden if that is 0, and under kernel-6.1",
                             ReadKind::direct,
                             WriteKind::raw,
                             dvsec_rows,
                             10};

} // namespace sluice::inline v1::config
