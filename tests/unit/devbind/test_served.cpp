// SPDX-License-Identifier: BSD-3-Clause
// sluice-devbind links no driver, so that its table of what they serve is held against theirs here.
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "served.hpp"
#include "tables.hpp"

TEST(Served, is_what_the_drivers_list) {
    using Row = std::tuple<std::uint16_t, std::uint16_t>;
    std::set<Row> drivers;
    for (const auto* description : sluice::drivers::pci_drivers()) {
        for (const auto& id : description->ids)
            drivers.emplace(id.vendor, id.device);
    }
    std::set<Row> ours;
    for (const auto& row : sluice::devbind::served_devices)
        ours.emplace(row.vendor, row.device);
    EXPECT_EQ(ours, drivers);
}

TEST(Served, names_nothing_for_other_devices) {
    EXPECT_EQ(sluice::devbind::served_by(0x8086, 0x10d3), "e1000");
    EXPECT_EQ(sluice::devbind::served_by(0x8086, 0x1572), "");
    EXPECT_EQ(sluice::devbind::served_by(0x1af4, 0x10d3), "");
}
