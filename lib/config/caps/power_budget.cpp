// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.8.1
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto power_budget_rows = table(
    0x10, {
              extended_header_row,
              Row{"Data Select", 0x04, 1, 0, 0, "selects which entry of the budget Data shows"}.strict(
                  Rule::power_budget_select, 0, byte_mask),
              Row{"Data", 0x08, 1, 0, byte_mask, "the kernel's table names this byte in place of Data Select"}
                  .strict(Rule::power_budget_select, 0, 0),
              {"Data (bits 15:8)", 0x09, 1, 0, 0, hardware_only},
              {"Data (bits 31:16)", 0x0a, 2, 0, 0, hardware_only},
              {"Power Budget Capability", 0x0c, 1, 0, 0, hardware_only},
          });

} // namespace

const Capability power_budget_table{
    "Power Budgeting", "PCI Express Base §7.8.1", 0x4, true, true, 0x10, "", ReadKind::merge,
    WriteKind::merge,  power_budget_rows,         4};

} // namespace sluice::inline v1::config
