// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §9.3.3
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto sriov_rows = table(0x40, {
                                            extended_header_row,
                                            {"SR-IOV Capabilities", 0x04, 4, 0, 0, hardware_only},
                                            {"SR-IOV Control", 0x08, 2, 0, 0, "VFs are made by the kernel"},
                                            {"SR-IOV Status", 0x0a, 2, 0, 0, hardware_only},
                                            {"InitialVFs", 0x0c, 2, 0, 0, hardware_only},
                                            {"TotalVFs", 0x0e, 2, 0, 0, hardware_only},
                                            {"NumVFs", 0x10, 2, 0, 0, "VFs are made by the kernel"},
                                            {"Function Dependency Link", 0x12, 1, 0, 0, hardware_only},
                                            {"First VF Offset", 0x14, 2, 0, 0, hardware_only},
                                            {"VF Stride", 0x16, 2, 0, 0, hardware_only},
                                            {"VF Device ID", 0x1a, 2, 0, 0, hardware_only},
                                            {"Supported Page Sizes", 0x1c, 4, 0, 0, hardware_only},
                                            {"System Page Size", 0x20, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF BAR0", 0x24, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF BAR1", 0x28, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF BAR2", 0x2c, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF BAR3", 0x30, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF BAR4", 0x34, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF BAR5", 0x38, 4, 0, 0, "VFs are made by the kernel"},
                                            {"VF Migration State Array Offset", 0x3c, 4, 0, 0, hardware_only},
                                        });

} // namespace

const Capability sriov_table{"Single Root I/O Virtualization",
                             "PCI Express Base §9.3.3",
                             0x10,
                             true,
                             true,
                             0x40,
                             "",
                             ReadKind::direct,
                             WriteKind::none,
                             sriov_rows,
                             4};

} // namespace sluice::inline v1::config
