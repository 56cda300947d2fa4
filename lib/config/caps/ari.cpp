// SPDX-License-Identifier: BSD-3-Clause
// PCI Express Base §7.8.7
#include "caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr auto ari_rows =
    table(0x8, {
                   extended_header_row,
                   {"ARI Capability", 0x04, 2, 0, 0, hardware_only},
                   {"ARI Control", 0x06, 2, 0, 0, "function groups belong to the whole device"},
               });

} // namespace

const Capability ari_table{"Alternative Routing-ID", "PCI Express Base §7.8.7", 0xe,      true, true, 0x8, "",
                           ReadKind::direct,         WriteKind::none,           ari_rows, 4};

} // namespace sluice::inline v1::config
