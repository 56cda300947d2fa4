// SPDX-License-Identifier: BSD-3-Clause
// PCI Local Bus 3.0 §I
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto vpd_rows =
    table(0x8, {
                   id_row,
                   next_row,
                   {"VPD Address", 0x02, 2, word_mask, word_mask,
                    "an access is made by the kernel, one at a time, when bit 15 is written"},
                   {"VPD Data", 0x04, 4, dword_mask, dword_mask,
                    "holds what the last access returned, or what the next one writes"},
               });

} // namespace

const Capability vpd_table{"Vital Product Data", "PCI Local Bus 3.0 §I", 0x3,      false, true, 0x8, "",
                           ReadKind::merge,      WriteKind::vpd,         vpd_rows, 2};

} // namespace sluice::inline v1::config
