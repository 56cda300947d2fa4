// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "images.hpp"

using namespace sluice;
using config::Policy;
using config::Resource;
using sluice::testing::every_policy;
using sluice::testing::Function;

namespace {

std::uint32_t size_bar(config::Space& space, std::uint32_t offset) {
    EXPECT_TRUE(space.write32(offset, 0xffffffff));
    return *space.read32(offset);
}

TEST(Header, ids_of_a_virtual_function_come_from_the_system) {
    Function function(4096);
    function.bytes(0, {0xff, 0xff, 0xff, 0xff}).bytes(0x3d, {1});
    function.facts.is_vf = true;
    function.facts.vendor = 0x8086;
    function.facts.device = 0x10ca;
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(*space.read32(0), 0x10ca8086U);
        EXPECT_EQ(*space.read8(0x3d), 0U);
        ASSERT_EQ(space.diagnostics().size(), 1U);
        EXPECT_EQ(space.diagnostics()[0].kind, config::DiagnosticKind::bogus_vf_pin);
    }
    function.facts.device = 0x270c; // known to report a pin
    EXPECT_TRUE(function.open().diagnostics().empty());
}

TEST(Header, memory_bit_of_a_virtual_function_is_remembered) {
    Function function(4096);
    function.facts.is_vf = true;
    function.read_only(4, 2);
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(*space.read16(4) & 2, 2);
        EXPECT_TRUE(space.write16(4, 0));
        EXPECT_EQ(*space.read16(4) & 2, 0);
        EXPECT_EQ(*space.read32(4) & 2, 0U);
        EXPECT_TRUE(space.memory_enabled()) << "not gated by a bit that hardware does not have";
        EXPECT_TRUE(space.write16(4, 6));
        EXPECT_EQ(*space.read16(4), 2);
    }
}

TEST(Header, pin_reads_zero_where_intx_cannot_come) {
    for (unsigned reason = 0; reason < 4; ++reason) {
        Function function;
        function.bytes(0x3d, {1});
        if (reason == 1)
            function.facts.intx_supported = false;
        if (reason == 2)
            function.facts.nointx = true;
        if (reason == 3)
            function.facts.irq = config::irq_not_connected;
        for (const Policy policy : every_policy)
            EXPECT_EQ(*function.open(policy).read8(0x3d), reason == 0 ? 1 : 0) << reason;
    }
}

TEST(Header, bars_answer_sizing_from_the_resources) {
    Function function;
    function.facts.resources[0] = {0xf0000000, 0x4000, Resource::memory};
    function.facts.resources[1] = {0xe000, 0x20, Resource::io};
    function.facts.resources[2] = {0x3800000000, 0x100000000,
                                   Resource::memory | Resource::memory64 | Resource::prefetch};
    function.facts.resources[6] = {0xf0200000, 0x10000, Resource::memory};
    function.set_hardware(0x10, 4, 0xf0000000);
    function.set_hardware(0x30, 4, 0xf0200001);
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(*space.read32(0x10), 0xf0000000U);
        EXPECT_EQ(size_bar(space, 0x10), 0xffffc000U);
        EXPECT_EQ(size_bar(space, 0x14), 0xffffffe1U);
        EXPECT_EQ(size_bar(space, 0x18), 0x0000000cU);
        EXPECT_EQ(size_bar(space, 0x1c), 0xffffffffU);
        EXPECT_EQ(size_bar(space, 0x20), 0U);
        EXPECT_EQ(size_bar(space, 0x30), 0xffff0001U);
        EXPECT_EQ(function.hardware(0x10, 4), 0xf0000000U) << "the real BAR stays";
    }
}

TEST(Header, a_bar_that_is_smaller_than_its_flags_keeps_them_under_strict) {
    Function function;
    function.facts.resources[0] = {0xf0000000, 4, Resource::memory};
    for (const Policy policy : every_policy)
        EXPECT_EQ(size_bar(function.open(policy), 0x10),
                  policy == Policy::strict ? 0xfffffff0U : 0xfffffffcU);
}

TEST(Header, the_upper_half_of_a_wide_bar_is_sized_too) {
    Function function;
    function.facts.resources[2] = {0x3800000000, 0x400000000, Resource::memory | Resource::memory64};
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(size_bar(space, 0x18), 0x00000004U);
        EXPECT_EQ(size_bar(space, 0x1c), 0xfffffffcU);
    }
}

TEST(Header, the_last_bar_has_no_upper_half_under_strict) {
    Function function;
    function.facts.resources[5] = {0x3800000000, 0x400000000, Resource::memory | Resource::memory64};
    function.set_hardware(0x28, 4, 0xffffffff);
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(size_bar(space, 0x24), 0x00000004U);
        EXPECT_EQ(space.shadow()[0x28], policy == Policy::strict ? 0xff : 0xfc);
        EXPECT_EQ(*space.read32(0x28), 0xffffffffU) << "not seen: this register is hardware's";
    }
}

TEST(Header, a_shadow_rom_has_a_size_of_its_own) {
    Function function;
    function.facts.resources[6].flags = Resource::shadow_rom;
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(size_bar(space, 0x30), 0xfffe0001U);
    }
}

TEST(Header, a_write_to_a_bar_by_bytes_is_seen_at_once) {
    Function function;
    function.facts.resources[0] = {0xf0000000, 0x1000, Resource::memory};
    auto& space = function.open();
    EXPECT_TRUE(space.write8(0x13, 0xab));
    EXPECT_TRUE(space.status().bars_dirty);
    EXPECT_EQ(*space.read8(0x13), 0xab);
    EXPECT_FALSE(space.status().bars_dirty);
}

TEST(Command, passes_all_but_interrupt_disable) {
    Function function;
    for (const Policy policy : every_policy) {
        function.set_hardware(4, 2, 0);
        function.facts.pci_2_3 = false;
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(4, 0xffff));
        EXPECT_EQ(function.hardware(4, 2), 0xfbffU);
        EXPECT_EQ(*space.read16(4), 0xffffU);
        EXPECT_TRUE(space.status().intx_disabled);
    }
}

TEST(Command, clears_mappings_before_memory_goes_off) {
    Function function;
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_TRUE(space.set_memory_decoding(true));
        EXPECT_TRUE(space.memory_enabled());
        function.log.take();
        EXPECT_TRUE(space.set_memory_decoding(false));
        EXPECT_FALSE(space.memory_enabled());
        EXPECT_EQ(function.log.take(), (std::vector<std::string>{"zap", "004 2 0000"}));
    }
}

TEST(Command, follows_interrupt_disable_in_hardware_that_has_it) {
    Function function;
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_TRUE(space.set_intx_disabled(true));
        EXPECT_EQ(function.hardware(4, 2), 0x400U);
        EXPECT_TRUE(space.write8(5, 0));
        EXPECT_EQ(function.hardware(4, 2), 0U);
        EXPECT_FALSE(space.status().intx_disabled);
    }
}

TEST(Command, bus_master_is_written_only_when_it_changes) {
    Function function;
    auto& space = function.open();
    EXPECT_TRUE(space.set_bus_master(true));
    EXPECT_EQ(function.hardware(4, 2), 4U);
    function.log.take();
    EXPECT_TRUE(space.set_bus_master(true));
    EXPECT_TRUE(function.log.take().empty());
}

TEST(Command, restores_bars_lost_behind_its_back) {
    Function function;
    function.set_hardware(0x10, 4, 0xf0000000);
    function.set_hardware(0x14, 4, 0xe001);
    for (const Policy policy : every_policy) {
        function.set_hardware(0x10, 4, 0xf0000000);
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(4, 6));
        function.set_hardware(4, 2, 0);
        function.set_hardware(0x10, 4, 0);
        EXPECT_TRUE(space.write16(4, 6));
        EXPECT_EQ(function.hardware(0x10, 4), 0xf0000000U);
        ASSERT_FALSE(space.diagnostics().empty());
        EXPECT_EQ(space.diagnostics().back().kind, config::DiagnosticKind::bars_restored);
        EXPECT_EQ(space.saved_bars()[1], 0xe001U);
    }
}

TEST(Command, restores_with_interrupt_disable_where_intx_is_broken) {
    Function function;
    function.facts.nointx = true;
    function.facts.pci_2_3 = false;
    function.set_hardware(0x10, 4, 0xf0000000);
    auto& space = function.open();
    EXPECT_TRUE(space.write16(4, 2));
    function.set_hardware(4, 2, 0);
    function.set_hardware(0x10, 4, 0);
    EXPECT_TRUE(space.write16(4, 2));
    EXPECT_EQ(function.hardware(4, 2), 0x402U);
}

TEST(Command, never_restores_bars_of_a_virtual_function) {
    Function function(4096);
    function.facts.is_vf = true;
    function.set_hardware(0x10, 4, 0xf0000000);
    auto& space = function.open();
    function.set_hardware(0x10, 4, 0);
    EXPECT_TRUE(space.write16(4, 2));
    EXPECT_EQ(function.hardware(0x10, 4), 0U);
}

TEST(Command, an_io_function_that_lost_decoding_is_restored_too) {
    Function function;
    function.set_hardware(0x14, 4, 0xe001);
    for (const Policy policy : every_policy) {
        function.set_hardware(4, 2, 0);
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(4, 1));
        function.set_hardware(4, 2, 0);
        function.set_hardware(0x14, 4, 0);
        EXPECT_TRUE(space.write16(4, 1));
        EXPECT_EQ(function.hardware(0x14, 4), 0xe001U);
    }
}

TEST(Header, ids_class_and_pin_cannot_be_written) {
    Function function;
    function.bytes(0x3d, {1});
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        for (const std::uint32_t offset : {0x00U, 0x08U, 0x28U, 0x2cU, 0x34U, 0x38U}) {
            const std::uint32_t before = *space.read32(offset);
            EXPECT_TRUE(space.write32(offset, ~before));
            EXPECT_EQ(*space.read32(offset), before) << offset;
        }
        EXPECT_TRUE(space.write32(0x3c, 0xffffffff));
        EXPECT_EQ(*space.read32(0x3c), 0x1ffU);
        EXPECT_TRUE(space.write32(0x0c, 0xffffffff));
        EXPECT_EQ(function.hardware(0x0c, 4), 0xff00ffffU);
    }
}

TEST(Facts, scan_finds_express_and_power_management_past_broken_pointers) {
    Function function;
    function.capability(0x40, 0x10, {0x42, 0x01}).capability(0x50, 0x01, {0x03, 0x00});
    function.image.bytes()[0x41] = 0x53; // reserved bits
    config::Facts facts;
    ASSERT_TRUE(facts.scan(function.image));
    EXPECT_EQ(facts.pcie_cap, 0x40);
    EXPECT_EQ(facts.pcie_flags, 0x142);
    EXPECT_EQ(facts.pm_cap, 0x50);
    function.image.bytes()[0x52] = 0x05; // a version that nobody knows
    ASSERT_TRUE(facts.scan(function.image));
    EXPECT_EQ(facts.pm_cap, 0);
    function.image.bytes()[0x41] = 0x40; // a loop
    ASSERT_TRUE(facts.scan(function.image));
    EXPECT_EQ(facts.pm_cap, 0);
    function.image.bytes()[0x06] = 0;
    ASSERT_TRUE(facts.scan(function.image));
    EXPECT_EQ(facts.pcie_cap, 0);
}

TEST(Facts, scan_hands_on_the_error_of_the_backend) {
    for (const std::uint32_t offset : {0x06U, 0x34U, 0x40U, 0x42U, 0x52U}) {
        Function function;
        function.capability(0x40, 0x10, {0x02, 0x00}).capability(0x50, 0x01, {0x03, 0x00});
        function.image.inject_errors(offset, 1, 0x86, true, false);
        config::Facts facts;
        EXPECT_FALSE(facts.scan(function.image)) << offset;
    }
}

TEST(Facts, resources_are_read_from_sysfs_text) {
    config::Facts facts;
    facts.parse_resources("0x00000000f0000000 0x00000000f001ffff 0x0000000000040200\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                          "0x000000000000e000 0x000000000000e01f 0x0000000000040101\n"
                          "0x0000000000000000 0x0000000000000000 0x0000000000000000\n");
    EXPECT_EQ(facts.resources[0].start, 0xf0000000U);
    EXPECT_EQ(facts.resources[0].length, 0x20000U);
    EXPECT_EQ(facts.resources[1].length, 0U);
    EXPECT_EQ(facts.resources[2].length, 0x20U);
    EXPECT_EQ(facts.resources[2].flags, 0x40101U);
    EXPECT_EQ(facts.resources[6].start, 0U);
}

TEST(Facts, names_devices_whose_intx_is_broken) {
    for (const std::uint16_t device : std::initializer_list<std::uint16_t>{
             0x1563, 0x1572, 0x1574, 0x1580, 0x1581, 0x1583, 0x158b, 0x37d0, 0x37d2})
        EXPECT_TRUE(config::has_broken_intx(0x8086, device)) << device;
    for (const std::uint16_t device :
         std::initializer_list<std::uint16_t>{0x1562, 0x1573, 0x1582, 0x158c, 0x37cf, 0x37d3, 0x10d3})
        EXPECT_FALSE(config::has_broken_intx(0x8086, device)) << device;
    EXPECT_FALSE(config::has_broken_intx(0x1af4, 0x1572));
}

} // namespace
