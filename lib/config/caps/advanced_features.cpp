// SPDX-License-Identifier: BSD-3-Clause
// PCI Advanced Capabilities ECN (13 April 2006)
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto advanced_features_rows = table(
    0x8, {
             id_row,
             next_row,
             {"Length", 0x02, 1, 0, 0, hardware_only},
             {"AF Capabilities", 0x03, 1, 0, 0, hardware_only},
             {"AF Control", 0x04, 1, 0x1, 0x1, "Initiate FLR goes through the kernel and reads as zero"},
             {"AF Status", 0x05, 1, 0, 0, hardware_only},
         });

} // namespace

const Capability advanced_features_table{"Advanced Features",
                                         "PCI Advanced Capabilities ECN (13 April 2006)",
                                         0x13,
                                         false,
                                         true,
                                         0x6,
                                         "",
                                         ReadKind::merge,
                                         WriteKind::advanced_features,
                                         advanced_features_rows,
                                         2};

} // namespace sluice::inline v1::config
