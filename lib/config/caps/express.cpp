// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.5.3
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto express_rows =
    table(0x34, {
                    id_row,
                    next_row,
                    {"PCI Express Capabilities", 0x02, 2, 0, 0, hardware_only},
                    {"Device Capabilities", 0x04, 4, 0, 0, hardware_only},
                    {"Device Control", 0x08, 2, 0xf0e0, 0xfdff,
                     "reset and read request go through the kernel, payload size stays as the platform set "
                     "it, phantom functions are off limits"},
                    Row{"Device Status", 0x0a, 2, 0, 0, hardware_only}.write_one_clears(0xf),
                    {"Link Capabilities", 0x0c, 4, 0, 0, hardware_only},
                    {"Link Control", 0x10, 2, 0, 0, "the link is shared with the port above"},
                    Row{"Link Status", 0x12, 2, 0, 0, hardware_only}.write_one_clears(0xc000),
                    {"Slot Capabilities", 0x14, 4, 0, 0, hardware_only},
                    {"Slot Control", 0x18, 2, 0, 0, hardware_only},
                    Row{"Slot Status", 0x1a, 2, 0, 0, hardware_only}.write_one_clears(0x11f),
                    {"Root Control", 0x1c, 2, 0, 0, hardware_only},
                    {"Root Capabilities", 0x1e, 2, 0, 0, hardware_only},
                    Row{"Root Status", 0x20, 4, 0, 0, hardware_only}.write_one_clears(0x10000),
                    {"Device Capabilities 2", 0x24, 4, 0, 0, hardware_only},
                    {"Device Control 2", 0x28, 2, 0, 0xffdf,
                     "ARI forwarding is the port's; the rest concerns the user's own function"},
                    {"Device Status 2", 0x2a, 2, 0, 0, hardware_only},
                    {"Link Capabilities 2", 0x2c, 4, 0, 0, hardware_only},
                    {"Link Control 2", 0x30, 2, 0, 0, "the link is shared with the port above"},
                    {"Link Status 2", 0x32, 2, 0, 0, hardware_only},
                });

} // namespace

const Capability express_table{"PCI Express",
                               "PCI Express Base §7.5.3",
                               0x10,
                               false,
                               true,
                               0x0,
                               "version 1: 20, or 12 for a root-complex integrated endpoint; later: 52, or "
                               "44 for a root-complex integrated endpoint (50 under kernel-6.1)",
                               ReadKind::merge,
                               WriteKind::express,
                               express_rows,
                               2};

} // namespace sluice::inline v1::config
