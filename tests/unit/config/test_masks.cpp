// SPDX-License-Identifier: BSD-3-Clause
// Every bit of every mask, stated once more: as vfio-pci has it, and where strict departs.
#include <map>

#include <gtest/gtest.h>

#include <sluice/config/tables.hpp>

using namespace sluice;

namespace {

/// Bits of one register; bytes that no field names have none.
struct Field {
    std::uint32_t offset;
    unsigned width;
    std::uint32_t virt;
    std::uint32_t write;
};
using Fields = std::vector<Field>;
constexpr std::uint32_t all = 0xffffffff;

struct Expected {
    std::uint16_t id;
    bool extended;
    Fields kernel;
    Fields strict; ///< empty: the same
};

std::map<std::uint32_t, config::ByteMasks> bytes_of(const Fields& fields) {
    std::map<std::uint32_t, config::ByteMasks> bytes;
    for (const Field& field : fields)
        for (unsigned index = 0; index < field.width; ++index)
            bytes[field.offset + index] = {static_cast<std::uint8_t>(field.virt >> (8 * index)),
                                           static_cast<std::uint8_t>(field.write >> (8 * index))};
    return bytes;
}

void compare(const config::Capability& table, const Fields& fields, config::RuleSet rules) {
    auto expected = bytes_of(fields);
    for (std::uint32_t offset = 0; offset < 0x80; ++offset) {
        const config::ByteMasks masks = config::masks_at(table, offset, rules);
        EXPECT_EQ(masks.virt, expected[offset].virt) << table.name << " +" << std::hex << offset;
        EXPECT_EQ(masks.write, expected[offset].write) << table.name << " +" << std::hex << offset;
    }
}

void compare(const config::Capability& table, const Expected& expected) {
    compare(table, expected.kernel, {});
    compare(table, expected.strict.empty() ? expected.kernel : expected.strict, config::RuleSet::all());
}

TEST(Masks, of_the_header_are_these) {
    Fields fields{{0x00, 4, all, 0},    {0x04, 2, 0x0400, 0xffff}, {0x06, 2, 0x0010, 0},
                  {0x0c, 2, 0, 0xffff}, {0x0f, 1, 0, 0xff},        {0x30, 4, all, all},
                  {0x34, 1, 0xff, 0},   {0x3c, 1, 0xff, 0xff},     {0x3d, 1, 0xff, 0}};
    for (std::uint32_t bar = 0x10; bar < 0x28; bar += 4)
        fields.push_back({bar, 4, all, all});
    compare(config::header_table, {0, false, fields, {}});
}

TEST(Masks, of_merged_capabilities_are_these) {
    const Expected expected[] = {
        {0x01, false, {{1, 1, 0xff, 0}, {2, 2, 0xf800, 0}, {4, 4, 0x8100, 0xffff7efc}}, {}},
        {0x03, false, {{1, 1, 0xff, 0}, {2, 2, 0xffff, 0xffff}, {4, 4, all, all}}, {}},
        {0x07, false, {{1, 1, 0xff, 0}, {2, 2, 0, 0xffff}, {8, 4, 0, all}}, {}},
        {0x10, false, {{1, 1, 0xff, 0}, {8, 2, 0xf0e0, 0xfdff}, {0x28, 2, 0, 0xffdf}}, {}},
        {0x13, false, {{1, 1, 0xff, 0}, {4, 1, 0x01, 0x01}}, {}},
        {0x01,
         true,
         {{0, 4, all, 0},
          {4, 4, 0, 0x03fff031},
          {8, 4, 0, 0x03fff031},
          {0xc, 4, 0, 0x03fff031},
          {0x10, 4, 0, 0xf1c1},
          {0x14, 4, 0, 0xf1c1},
          {0x18, 4, 0, 0x140}},
         {}},
        {0x04, true, {{0, 4, all, 0}, {8, 1, 0, 0xff}}, {{0, 4, all, 0}, {4, 1, 0, 0xff}}},
    };
    for (const Expected& one : expected) {
        const config::Capability* table = config::find_table(one.id, one.extended);
        ASSERT_NE(table, nullptr);
        compare(*table, one);
    }
}

TEST(Masks, of_msi_in_its_forms_are_these) {
    for (unsigned form = 0; form < 4; ++form) {
        const bool wide = (form & 1) != 0;
        const bool maskable = (form & 2) != 0;
        const std::uint32_t data = wide ? 0xc : 8;
        Fields fields{{1, 1, 0xff, 0}, {2, 1, 0xff, 0xff}, {4, 4, all, all}, {data, 2, 0xffff, 0xffff}};
        if (wide)
            fields.push_back({8, 4, all, all});
        if (maskable) {
            fields.push_back({data + 4, 4, 0, all});
            fields.push_back({data + 8, 4, 0, all});
        }
        Fields strict = fields;
        strict[1].write = 0x71;
        compare(config::msi_table(wide, maskable), {5, false, fields, strict});
    }
}

TEST(Masks, of_capabilities_that_are_not_merged_let_nothing_through) {
    for (const config::Capability* table : config::all_tables()) {
        if (table->write != config::WriteKind::none && table->write != config::WriteKind::raw)
            continue;
        for (std::uint32_t offset = 0; offset < 0x80; ++offset)
            EXPECT_EQ(config::masks_at(*table, offset, config::RuleSet::all()).write, 0)
                << table->name << " +" << offset;
    }
}

} // namespace
