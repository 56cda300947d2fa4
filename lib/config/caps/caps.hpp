// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The tables by name, for the registry. Each is defined in the file that bears its name.
#pragma once

#include <sluice/config/tables.hpp>

namespace sluice::inline v1::config {

inline constexpr std::uint32_t byte_mask = 0xff;
inline constexpr std::uint32_t word_mask = 0xffff;
inline constexpr std::uint32_t dword_mask = 0xffffffff;

inline constexpr std::string_view hardware_only = "the device's own value";
inline constexpr std::string_view list_edited = "hidden capabilities are taken out of the list";
inline constexpr std::string_view kernel_owned = "set up by the kernel, which owns the resource behind it";

/// The first two bytes of a standard capability whose reads merge by mask.
inline constexpr Row id_row{"Capability ID", 0, 1, 0, 0, hardware_only};
inline constexpr Row next_row{"Next Capability Pointer", 1, 1, byte_mask, 0, list_edited};
/// The same where reads go to hardware except for the header.
inline constexpr Row direct_id_row{"Capability ID", 0, 1,
                                   byte_mask,       0, "read with the pointer, from the shadow"};
/// The header of an extended capability.
inline constexpr Row extended_header_row{"Extended Capability Header", 0, 4, dword_mask, 0, list_edited};

extern const Capability power_management_table;
extern const Capability agp_table;
extern const Capability vpd_table;
extern const Capability pcix_table;
extern const Capability hypertransport_table;
extern const Capability vendor_table;
extern const Capability express_table;
extern const Capability msix_table;
extern const Capability sata_table;
extern const Capability advanced_features_table;
extern const Capability aer_table;
extern const Capability vc_table;
extern const Capability vc9_table;
extern const Capability mfvc_table;
extern const Capability serial_number_table;
extern const Capability power_budget_table;
extern const Capability vsec_table;
extern const Capability acs_table;
extern const Capability ari_table;
extern const Capability ats_table;
extern const Capability sriov_table;
extern const Capability multicast_table;
extern const Capability pri_table;
extern const Capability resizable_bar_table;
extern const Capability dpa_table;
extern const Capability tph_table;
extern const Capability ltr_table;
extern const Capability dvsec_table;
std::span<const Capability> hidden_tables() noexcept;

} // namespace sluice::inline v1::config
