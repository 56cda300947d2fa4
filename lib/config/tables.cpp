// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/tables.hpp>

#include <algorithm>
#include <iterator>
#include <vector>

#include "caps/caps.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr const Capability* standard[] = {
    nullptr,
    &power_management_table,
    &agp_table,
    &vpd_table,
    nullptr, // MSI has four forms
    nullptr,
    nullptr,
    &pcix_table,
    &hypertransport_table,
    &vendor_table,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    &express_table,
    &msix_table,
    &sata_table,
    &advanced_features_table,
};

constexpr const Capability* extended[] = {
    &aer_table,   &vc_table,        &serial_number_table, &power_budget_table,  &mfvc_table,
    &vc9_table,   &vsec_table,      &acs_table,           &ari_table,           &ats_table,
    &sriov_table, &multicast_table, &pri_table,           &resizable_bar_table, &dpa_table,
    &tph_table,   &ltr_table,       &dvsec_table,
};

/// Tables by id, filled once.
struct Index {
    std::array<const Capability*, 0x16> standard{};
    std::array<const Capability*, 0x2f> extended{};
    std::vector<const Capability*> all;

    Index() {
        all.push_back(&header_table);
        for (const Capability* table : config::standard) {
            if (table != nullptr)
                standard[table->id] = table;
        }
        standard[0x05] = &msi_table(true, true);
        for (const Capability* table : config::extended)
            extended[table->id] = table;
        for (const Capability& table : hidden_tables())
            (table.extended ? extended[table.id] : standard[table.id]) = &table;
        for (std::size_t id = 1; id < standard.size(); ++id) {
            if (id == 0x05) {
                for (unsigned form = 0; form < 4; ++form)
                    all.push_back(&msi_table((form & 1) != 0, (form & 2) != 0));
            } else if (standard[id] != nullptr) {
                all.push_back(standard[id]);
            }
        }
        for (const Capability* table : extended) {
            if (table != nullptr)
                all.push_back(table);
        }
    }
};

const Index& index() {
    static const Index instance;
    return instance;
}

} // namespace

const Capability* find_table(std::uint16_t id, bool is_extended) noexcept {
    const Index& tables = index();
    if (is_extended)
        return id < tables.extended.size() ? tables.extended[id] : nullptr;
    return id < tables.standard.size() ? tables.standard[id] : nullptr;
}

std::span<const Capability* const> all_tables() noexcept {
    return index().all;
}

ByteMasks masks_at(const Capability& table, std::uint32_t offset, RuleSet rules) noexcept {
    const auto behind = std::upper_bound(table.rows.begin(), table.rows.end(), offset,
                                         [](std::uint32_t at, const Row& row) { return at < row.offset; });
    if (behind == table.rows.begin())
        return {};
    const Row& row = *std::prev(behind);
    const unsigned shift = 8 * (offset - row.offset);
    if (shift >= 8U * row.width)
        return {};
    return {static_cast<std::uint8_t>(row.virt_under(rules) >> shift),
            static_cast<std::uint8_t>(row.write_under(rules) >> shift),
            static_cast<std::uint8_t>(row.clears >> shift)};
}

} // namespace sluice::inline v1::config
