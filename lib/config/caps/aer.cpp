// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.8.4
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto aer_rows = table(
    0x2c, {
              extended_header_row,
              Row{"Uncorrectable Error Status", 0x04, 4, 0, 0x3fff031, "errors of the user's own function"}
                  .write_one_clears(0xffffffff),
              {"Uncorrectable Error Mask", 0x08, 4, 0, 0x3fff031, "errors of the user's own function"},
              {"Uncorrectable Error Severity", 0x0c, 4, 0, 0x3fff031, "errors of the user's own function"},
              Row{"Correctable Error Status", 0x10, 4, 0, 0xf1c1, "errors of the user's own function"}
                  .write_one_clears(0xffffffff),
              {"Correctable Error Mask", 0x14, 4, 0, 0xf1c1, "errors of the user's own function"},
              {"Advanced Error Capabilities and Control", 0x18, 4, 0, 0x140, "ECRC generation and checking"},
              {"Header Log 1", 0x1c, 4, 0, 0, hardware_only},
              {"Header Log 2", 0x20, 4, 0, 0, hardware_only},
              {"Header Log 3", 0x24, 4, 0, 0, hardware_only},
              {"Header Log 4", 0x28, 4, 0, 0, hardware_only},
          });

} // namespace

const Capability aer_table{"Advanced Error Reporting",
                           "PCI Express Base §7.8.4",
                           0x1,
                           true,
                           true,
                           0x2c,
                           "",
                           ReadKind::merge,
                           WriteKind::merge,
                           aer_rows,
                           4};

} // namespace sluice::inline v1::config
