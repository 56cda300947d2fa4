// SPDX-License-Identifier: BSD-3-Clause
// AGP 2.0 §6.1
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto agp_rows = table(0xc, {
                                         direct_id_row,
                                         next_row,
                                         {"AGP Version", 0x02, 2, 0, 0, hardware_only},
                                         {"AGP Status", 0x04, 4, 0, 0, hardware_only},
                                         {"AGP Command", 0x08, 4, 0, 0, kernel_owned},
                                     });

} // namespace

const Capability agp_table{"AGP",           "AGP 2.0 §6.1", 0x2, false, true, 0xc, "", ReadKind::direct,
                           WriteKind::none, agp_rows,       2};

} // namespace sluice::inline v1::config
