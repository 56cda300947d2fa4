// SPDX-License-Identifier: BSD-3-Clause
// HyperTransport 3.10 §7
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto hypertransport_rows = table(0x1c, {
                                                     direct_id_row,
                                                     next_row,
                                                     {"Command", 0x02, 2, 0, 0, kernel_owned},
                                                 });

} // namespace

const Capability hypertransport_table{"HyperTransport",
                                      "HyperTransport 3.10 §7",
                                      0x8,
                                      false,
                                      true,
                                      0x0,
                                      "28, or 24 if any of bits 7:5 of byte 3 is set",
                                      ReadKind::direct,
                                      WriteKind::none,
                                      hypertransport_rows,
                                      2};

} // namespace sluice::inline v1::config
