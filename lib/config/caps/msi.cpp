// SPDX-License-Identifier: BSD-3-Clause
// PCI Local Bus 3.0 §6.8.1: four forms, by 64-bit address and per-vector masking.
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr std::string_view shadow_reason =
    "the kernel programs the vector when it is set through the transport";
constexpr std::string_view mask_reason = "masking a vector of the user's own function";
constexpr std::string_view pending_reason = "passed as vfio-pci passes it; hardware ignores writes";

constexpr Row control_row = Row{"Message Control (bits 7:0)",
                                2,
                                1,
                                byte_mask,
                                byte_mask,
                                "enable and vector count are the user's wish, granted by the transport"}
                                .strict(Rule::msi_flags, byte_mask, 0x71);
constexpr Row control_high_row{"Message Control (bits 15:8)", 3, 1, 0, 0, hardware_only};
constexpr Row address_row{"Message Address", 4, 4, dword_mask, dword_mask, shadow_reason};
constexpr Row upper_row{"Message Upper Address", 8, 4, dword_mask, dword_mask, shadow_reason};

constexpr auto rows_32 = table(12, {id_row,
                                    next_row,
                                    control_row,
                                    control_high_row,
                                    address_row,
                                    {"Message Data", 8, 2, word_mask, word_mask, shadow_reason}});
constexpr auto rows_64 = table(16, {id_row,
                                    next_row,
                                    control_row,
                                    control_high_row,
                                    address_row,
                                    upper_row,
                                    {"Message Data", 0xc, 2, word_mask, word_mask, shadow_reason}});
constexpr auto rows_32_mask = table(20, {id_row,
                                         next_row,
                                         control_row,
                                         control_high_row,
                                         address_row,
                                         {"Message Data", 8, 2, word_mask, word_mask, shadow_reason},
                                         {"Mask Bits", 0xc, 4, 0, dword_mask, mask_reason},
                                         {"Pending Bits", 0x10, 4, 0, dword_mask, pending_reason}});
constexpr auto rows_64_mask = table(24, {id_row,
                                         next_row,
                                         control_row,
                                         control_high_row,
                                         address_row,
                                         upper_row,
                                         {"Message Data", 0xc, 2, word_mask, word_mask, shadow_reason},
                                         {"Mask Bits", 0x10, 4, 0, dword_mask, mask_reason},
                                         {"Pending Bits", 0x14, 4, 0, dword_mask, pending_reason}});

constexpr std::string_view specification = "PCI Local Bus 3.0 §6.8.1";

constexpr Capability forms[] = {
    {"MSI (32-bit)", specification, 0x05, false, true, 10, "", ReadKind::msi, WriteKind::msi, rows_32, 4},
    {"MSI (64-bit)", specification, 0x05, false, true, 14, "", ReadKind::msi, WriteKind::msi, rows_64, 4},
    {"MSI (32-bit, maskable)", specification, 0x05, false, true, 20, "", ReadKind::msi, WriteKind::msi,
     rows_32_mask, 4},
    {"MSI (64-bit, maskable)", specification, 0x05, false, true, 24, "", ReadKind::msi, WriteKind::msi,
     rows_64_mask, 4},
};

} // namespace

const Capability& msi_table(bool address_64bit, bool per_vector_mask) noexcept {
    return forms[(address_64bit ? 1U : 0U) + (per_vector_mask ? 2U : 0U)];
}

} // namespace sluice::inline v1::config
