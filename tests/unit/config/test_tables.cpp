// SPDX-License-Identifier: BSD-3-Clause
#include <map>

#include <gtest/gtest.h>

#include <sluice/config/tables.hpp>

using namespace sluice;

namespace {

TEST(Tables, name_every_visible_register_once) {
    for (const config::Capability* table : config::all_tables()) {
        EXPECT_FALSE(table->name.empty());
        EXPECT_FALSE(table->specification.empty());
        EXPECT_EQ(table->visible, !table->rows.empty()) << table->name;
        if (table->visible && table->id != 0) {
            EXPECT_TRUE(table->length != 0 || !table->length_text.empty()) << table->name;
            EXPECT_GE(table->minimum, table->extended ? 4 : 2) << table->name;
        }
    }
}

TEST(Tables, are_all_listed_once_and_msi_in_its_four_forms) {
    std::map<std::pair<bool, std::uint16_t>, unsigned> seen;
    for (const config::Capability* table : config::all_tables()) {
        ASSERT_NE(table, nullptr);
        ++seen[{table->extended, table->id}];
    }
    EXPECT_EQ((seen[{false, 0}]), 1U) << "the header";
    for (std::uint16_t id = 1; id < 0x40; ++id)
        for (const bool extended : {false, true}) {
            const bool there = config::find_table(id, extended) != nullptr;
            const unsigned expected = !there ? 0 : id == 5 && !extended ? 4 : 1;
            EXPECT_EQ((seen[{extended, id}]), expected) << extended << ' ' << id;
        }
}

TEST(Tables, are_found_by_id) {
    EXPECT_EQ(config::find_table(0x10, false)->name, "PCI Express");
    EXPECT_EQ(config::find_table(0x10, true)->name, "Single Root I/O Virtualization");
    EXPECT_EQ(config::find_table(0x1b, true)->visible, false);
    EXPECT_EQ(config::find_table(0x00, false), nullptr);
    EXPECT_EQ(config::find_table(0x16, false), nullptr);
    EXPECT_EQ(config::find_table(0x2f, true), nullptr);
    EXPECT_EQ(config::find_table(0xffff, true), nullptr);
    EXPECT_EQ(config::find_table(0x05, false), &config::msi_table(true, true));
}

TEST(Tables, masks_of_a_byte_come_from_its_row) {
    const auto kernel = config::RuleSet();
    const auto strict = config::RuleSet::all();
    const config::Capability& express = *config::find_table(0x10, false);
    EXPECT_EQ(config::masks_at(express, 8, kernel).virt, 0xe0);
    EXPECT_EQ(config::masks_at(express, 9, kernel).virt, 0xf0);
    EXPECT_EQ(config::masks_at(express, 9, kernel).write, 0xfd);
    EXPECT_EQ(config::masks_at(express, 0x0a, kernel).clears, 0x0f);
    const config::Capability& budget = *config::find_table(0x04, true);
    EXPECT_EQ(config::masks_at(budget, 4, kernel).write, 0);
    EXPECT_EQ(config::masks_at(budget, 4, strict).write, 0xff);
    EXPECT_EQ(config::masks_at(budget, 8, kernel).write, 0xff);
    EXPECT_EQ(config::masks_at(budget, 8, strict).write, 0);
    EXPECT_EQ(config::masks_at(budget, 0x40, strict).write, 0) << "behind the table";
}

TEST(Tables, the_kernels_masks_of_the_header_are_these) {
    // permission masks of the header, virt and write, as one string each
    const std::uint8_t virt[0x40] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x04, 0x10, 0x00};
    const std::uint8_t write[0x40] = {0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00};
    for (std::uint32_t offset = 0; offset < 8; ++offset) {
        const config::ByteMasks masks = config::masks_at(config::header_table, offset, {});
        EXPECT_EQ(masks.virt, virt[offset]) << offset;
        EXPECT_EQ(masks.write, write[offset]) << offset;
    }
    for (std::uint32_t offset = 0x10; offset < 0x28; ++offset)
        EXPECT_EQ(config::masks_at(config::header_table, offset, {}).virt, 0xff);
}

} // namespace
