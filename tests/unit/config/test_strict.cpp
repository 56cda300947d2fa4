// SPDX-License-Identifier: BSD-3-Clause
// Each rule of the strict policy beside what the kernel does in its place.
#include <algorithm>

#include <gtest/gtest.h>

#include "images.hpp"

using namespace sluice;
using config::DiagnosticKind;
using config::Policy;
using config::Resource;
using sluice::testing::Function;

namespace {

bool found(const config::Space& space, DiagnosticKind kind) {
    return std::any_of(space.diagnostics().begin(), space.diagnostics().end(),
                       [kind](const config::Diagnostic& diagnostic) { return diagnostic.kind == kind; });
}

void add_express(Function& function) {
    function.capability(0x40, 0x10, {0x02, 0x00});
}

TEST(Strict, mask_pointers) {
    Function function;
    function.capability(0x40, 0x11).capability(0x50, 0x03);
    function.image.bytes()[0x34] = 0x43;
    function.image.bytes()[0x41] = 0x20; // into the header, where the interrupt line is not
    auto& strict = function.open();
    EXPECT_EQ(*strict.read8(0x34), 0x40);
    EXPECT_EQ(*strict.read8(0x41), 0x00);
    EXPECT_EQ(strict.owners()[0x20], 0);
    EXPECT_TRUE(found(strict, DiagnosticKind::bad_pointer));
    function.image.bytes()[0x34] = 0x40;
    function.image.bytes()[0x20] = 0x01;
    EXPECT_EQ(function.open(Policy::kernel_6_1).owners()[0x20], 0x01);

    Function wide(4096);
    add_express(wide);
    wide.extended(0x100, 0x03).extended(0x140, 0x0e);
    wide.set_hardware(0x100, 4, 0x14310003); // reserved bits of the pointers are set
    wide.set_hardware(0x140, 4, 0x0031000e);
    EXPECT_EQ(*wide.open().read32(0x100) >> 20, 0x140U);
    EXPECT_EQ(*wide.open().read32(0x140) >> 20, 0U);
    EXPECT_EQ(*wide.open(Policy::kernel_6_1).read32(0x140) >> 20, 3U);
}

TEST(Strict, stop_at_repeat) {
    Function function(4096);
    add_express(function);
    function.capability(0x80, 0x11).capability(0x90, 0x03);
    function.image.bytes()[0x91] = 0x80;
    function.extended(0x100, 0x03).extended(0x140, 0x0e);
    function.set_hardware(0x140, 4, 0x1001000e);
    auto& strict = function.open();
    EXPECT_EQ(*strict.read8(0x91), 0);
    EXPECT_EQ(*strict.read32(0x140) >> 20, 0U);
    EXPECT_TRUE(found(strict, DiagnosticKind::loop));
    EXPECT_FALSE(found(strict, DiagnosticKind::overlap));
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_EQ(*kernel.read8(0x91), 0x80);
    EXPECT_TRUE(found(kernel, DiagnosticKind::overlap));
}

TEST(Strict, clamp_overrun) {
    Function function;
    function.capability(0xf0, 0x09, {0xff});
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        auto& space = function.open(policy);
        EXPECT_EQ(space.owners()[0xff], 0x09);
        EXPECT_TRUE(found(space, DiagnosticKind::overrun));
    }
    Function large(4096);
    large.capability(0xf0, 0x08);
    EXPECT_EQ(large.open().owners()[0x100], config::owner_none) << "standard capabilities end at ffh";
}

TEST(Strict, cut_at_next) {
    Function function;
    function.capability(0x50, 0x09, {0xff}).capability(0x60, 0x01, {0x03, 0x00}).capability(0x80, 0x11);
    auto& strict = function.open();
    EXPECT_EQ(strict.owners()[0x5f], 0x09);
    EXPECT_EQ(strict.owners()[0x60], 0x01);
    EXPECT_EQ(strict.owners()[0x68], config::owner_none);
    EXPECT_EQ(strict.find_capability(0x11), 0x80U);
    EXPECT_TRUE(found(strict, DiagnosticKind::cut));
    auto& kernel = function.open(Policy::kernel_6_12);
    EXPECT_EQ(kernel.owners()[0x68], 0x09);
}

TEST(Strict, unowned_read_only) {
    Function function(4096);
    function.set_hardware(0x80, 4, 0x11223344);
    auto& strict = function.open();
    EXPECT_TRUE(strict.write32(0x80, 0xffffffff));
    EXPECT_TRUE(strict.write32(0x800, 0xffffffff));
    EXPECT_EQ(*strict.read32(0x80), 0x11223344U);
    EXPECT_TRUE(function.log.lines.empty());
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_TRUE(kernel.write32(0x80, 0xffffffff));
    EXPECT_EQ(function.hardware(0x80, 4), 0xffffffffU);
}

TEST(Strict, hidden_read_zero) {
    Function function(4096);
    add_express(function);
    function.capability(0x90, 0x0d, {0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xbb}).capability(0xa0, 0x11);
    function.extended(0x100, 0x03)
        .extended(0x140, 0x1e, {0x1, 0x2, 0x3, 0x4, 0x5})
        .extended(0x180, 0x7777, {0x9})
        .extended(0x190, 0x0e);
    auto& strict = function.open();
    EXPECT_EQ(*strict.read32(0x90), 0U);
    EXPECT_EQ(*strict.read32(0x94), 0U);
    EXPECT_EQ(*strict.read8(0x98), 0xbbU) << "behind its end";
    EXPECT_EQ(*strict.read32(0x140), 0U);
    EXPECT_EQ(*strict.read32(0x150), 0U);
    EXPECT_EQ(*strict.read32(0x154), 5U) << "behind its end";
    EXPECT_EQ(*strict.read32(0x184), 0U) << "an unknown one reaches to the next";
    EXPECT_TRUE(strict.write32(0x144, 0xffffffff));
    EXPECT_TRUE(function.log.lines.empty());
    EXPECT_EQ(*function.open(Policy::kernel_6_12).read32(0x144), 1U);
}

TEST(Strict, walk_without_express) {
    Function function(4096);
    function.extended(0x100, 0x03, {0x1234});
    auto& strict = function.open();
    EXPECT_EQ(strict.find_extended_capability(0x03), 0x100U);
    EXPECT_TRUE(strict.write32(0x104, 0));
    EXPECT_EQ(*strict.read32(0x104), 0x1234U);
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_FALSE(kernel.extended_capabilities());
    EXPECT_TRUE(kernel.write32(0x104, 0));
    EXPECT_EQ(function.hardware(0x104, 4), 0U);
}

TEST(Strict, absent_extended) {
    Function function(4096);
    add_express(function);
    function.facts.is_vf = true;
    for (std::uint32_t offset = 0x100; offset < 0x1000; ++offset)
        function.image.bytes()[offset] = 0xff;
    auto& strict = function.open();
    EXPECT_FALSE(strict.extended_capabilities());
    EXPECT_EQ(*strict.read32(0x100), 0xffffffffU);
    EXPECT_TRUE(function.open(Policy::kernel_6_1).extended_capabilities());
}

TEST(Strict, separate_abutting) {
    Function function;
    function.capability(0x40, 0x09, {0x08, 0x01}).capability(0x48, 0x09, {0x08, 0x02}).capability(0x50, 0x0d);
    auto& strict = function.open();
    EXPECT_EQ(*strict.read8(0x49), 0) << "the second one's pointer is edited as well";
    EXPECT_TRUE(strict.write16(0x48, 0xffff));
    EXPECT_EQ(function.hardware(0x48, 2), 0x5009U);
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_EQ(*kernel.read8(0x49), 0x50);
}

TEST(Strict, clean_placeholder) {
    for (const std::uint16_t id :
         std::initializer_list<std::uint16_t>{0x0019, 0x0100, 0x01ff, 0x00fe, 0x0101, 0x010b, 0x0040}) {
        Function function(4096);
        add_express(function);
        function.extended(0x100, id, {0xdeadbeef}).extended(0x140, 0x26).extended(0x180, 0x0e);
        auto& strict = function.open();
        EXPECT_EQ(*strict.read32(0x100), 0x18000000U) << id;
        EXPECT_EQ(*strict.read32(0x104), 0U) << id;
        EXPECT_TRUE(strict.write32(0x100, 0xffffffff));
        EXPECT_EQ(*strict.read32(0x100), 0x18000000U) << id;
        EXPECT_EQ(function.hardware(0x100, 4) & 0xffff, id);
        EXPECT_EQ(strict.find_extended_capability(0x0e), 0x180U);
    }
    Function function(4096);
    add_express(function);
    function.extended(0x100, 0x0100);
    EXPECT_NE(*function.open(Policy::kernel_6_1).read32(0x100), 0U) << "the raw header shows through";
    Function all(4096);
    add_express(all);
    all.extended(0x100, 0x19).extended(0x140, 0x1e);
    EXPECT_EQ(*all.open().read32(0x100), 0U);
}

TEST(Strict, short_capability) {
    Function function(4096);
    add_express(function);
    function.capability(0x90, 0x09, {0x01, 0x55}).capability(0xa0, 0x0d);
    function.extended(0x100, 0x03).extended(0x140, 0x0b, {0x00200001}).extended(0x180, 0x19);
    auto& strict = function.open();
    EXPECT_EQ(*strict.read8(0x91), 0);
    EXPECT_EQ(*strict.read32(0x140) >> 20, 0U);
    EXPECT_EQ(strict.owners()[0x92], 0x09);
    EXPECT_EQ(strict.owners()[0x147], 0x0b);
    EXPECT_EQ(*function.open(Policy::kernel_6_1).read8(0x91), 0xa0);
}

TEST(Strict, express_length) {
    Function function;
    add_express(function);
    auto& strict = function.open();
    EXPECT_EQ(strict.owners()[0x73], 0x10);
    EXPECT_TRUE(strict.write16(0x72, 0xffff));
    EXPECT_EQ(function.hardware(0x72, 2), 0U);
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_TRUE(kernel.write16(0x72, 0xffff));
    EXPECT_EQ(function.hardware(0x72, 2), 0xffffU);
}

TEST(Strict, express_own_flags) {
    Function function;
    add_express(function);
    function.capability(0x80, 0x10, {0x91, 0x00});
    EXPECT_EQ(function.open().owners()[0x8c], config::owner_none);
    EXPECT_EQ(function.open(Policy::kernel_6_12).owners()[0x8c], 0x10);
}

TEST(Strict, msi_flags) {
    Function function;
    function.capability(0x50, 0x05, {0x8a, 0x01}); // 64 bits, maskable, 32 vectors
    auto& strict = function.open();
    EXPECT_EQ(*strict.read16(0x52), 0x018aU) << "what the device has, until vectors are set";
    strict.set_irq_type(config::IrqType::msi);
    strict.set_msi_vectors(4);
    EXPECT_EQ(*strict.read16(0x52), 0x0184U);
    EXPECT_EQ(*strict.read8(0x52), 0x84U);
    EXPECT_EQ(*strict.read32(0x50), 0x01840005U);
    EXPECT_TRUE(strict.write16(0x52, 0xff7f));
    EXPECT_EQ(*strict.read16(0x52), 0x01a5U);
    strict.set_msi_vectors(32);
    EXPECT_TRUE(strict.write16(0x52, 0x0071));
    EXPECT_EQ(*strict.read16(0x52), 0x01dbU) << "no more than the device is capable of";
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_TRUE(kernel.write16(0x52, 0x0000));
    EXPECT_EQ(*kernel.read16(0x52), 0x0100U) << "capability bits can be cleared";
}

TEST(Strict, msi_own_masks) {
    Function function;
    function.capability(0x50, 0x05, {0x00, 0x00}).capability(0x70, 0x05, {0x80, 0x01});
    auto& strict = function.open();
    EXPECT_TRUE(strict.write32(0x78, 0x12345678));
    EXPECT_EQ(*strict.read32(0x78), 0x12345678U);
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_TRUE(kernel.write32(0x78, 0x12345678));
    EXPECT_EQ(*kernel.read32(0x78), 0x00005678U);
}

TEST(Strict, msi_no_forward) {
    Function function;
    function.capability(0x50, 0x05, {0x8a, 0x01});
    EXPECT_TRUE(function.open().write16(0x52, 0x31));
    EXPECT_TRUE(function.log.lines.empty());
    EXPECT_TRUE(function.open(Policy::kernel_6_1).write16(0x52, 0x31));
    EXPECT_FALSE(function.log.lines.empty());
}

TEST(Strict, power_budget_select) {
    Function function(4096);
    add_express(function);
    function.extended(0x100, 0x04);
    EXPECT_TRUE(function.open().write32(0x104, 0xffffffff));
    EXPECT_TRUE(function.space->write32(0x108, 0xffffffff));
    EXPECT_EQ(function.hardware(0x104, 4), 0xffU);
    EXPECT_EQ(function.hardware(0x108, 4), 0U);
    auto& kernel = function.open(Policy::kernel_6_1);
    EXPECT_TRUE(kernel.write32(0x104, 0));
    EXPECT_TRUE(kernel.write32(0x108, 0xffffffff));
    EXPECT_EQ(function.hardware(0x104, 4), 0xffU);
    EXPECT_EQ(function.hardware(0x108, 4), 0xffU);
}

TEST(Strict, keep_write_one_to_clear) {
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        const bool strict = policy == Policy::strict;
        Function function(4096);
        add_express(function);
        function.capability(0x80, 0x01, {0x03, 0x00, 0x00, 0x80});
        function.extended(0x100, 0x01, {0x84000001});
        for (const auto& [offset, bits] :
             {std::pair{0x07, 0xf9}, {0x4a, 0x0f}, {0x85, 0x80}, {0x104, 0xff}, {0x107, 0xff}})
            function.clears(static_cast<std::uint32_t>(offset), static_cast<std::uint8_t>(bits));

        function.image.bytes()[0x07] = 0xf9;
        function.image.bytes()[0x4a] = 0x0f;
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write32(0x04, 0x00000006));
        EXPECT_EQ(function.hardware(0x07, 1), strict ? 0xf9U : 0U);
        EXPECT_TRUE(space.write32(0x48, 0));
        EXPECT_EQ(function.hardware(0x4a, 1), strict ? 0x0fU : 0U);
        EXPECT_TRUE(space.write16(0x84, 0));
        EXPECT_EQ(function.hardware(0x85, 1), strict ? 0x80U : 0U);
        EXPECT_TRUE(space.write32(0x104, 0));
        EXPECT_EQ(function.hardware(0x104, 4), strict ? 0x84000001U : 0x00000001U);
        EXPECT_TRUE(space.write32(0x104, 0x80000001));
        EXPECT_EQ(function.hardware(0x104, 1), 0U) << "a one from the caller clears";
    }
}

TEST(Strict, bar_from_resource) {
    Function function;
    function.facts.resources[0] = {0xe000, 0x4, Resource::io};
    function.facts.resources[1] = {0xf0000000, 0x1000, Resource::memory};
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write32(0x10, 0xffffffff));
        EXPECT_TRUE(space.write32(0x14, 0xffffffff));
        EXPECT_EQ(*space.read32(0x14), policy == Policy::strict ? 0xfffff000U : 0xffffffffU);
        EXPECT_EQ(*space.read32(0x10), 0xfffffffdU);
    }
}

TEST(Strict, restore_when_enabling) {
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        Function function;
        function.set_hardware(0x10, 4, 0xf0000000);
        auto& space = function.open(policy);
        function.set_hardware(0x10, 4, 0);
        EXPECT_TRUE(space.write16(4, 0));
        EXPECT_EQ(function.hardware(0x10, 4), policy == Policy::strict ? 0U : 0xf0000000U);
        EXPECT_TRUE(space.write16(4, 2));
        EXPECT_EQ(function.hardware(0x10, 4), 0xf0000000U);
    }
}

TEST(Strict, command_upper_byte) {
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        Function function;
        function.set_hardware(0x10, 4, 0xf0000000);
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(4, 2));
        function.set_hardware(4, 2, 0);
        function.set_hardware(0x10, 4, 0);
        EXPECT_TRUE(space.write8(5, 1));
        EXPECT_EQ(function.hardware(0x10, 4), policy == Policy::strict ? 0xf0000000U : 0U);
        EXPECT_TRUE(space.memory_enabled()) << "the lower byte is unchanged";
    }
}

TEST(Strict, vendor_header) {
    Function function(4096);
    add_express(function);
    function.capability(0x90, 0x09, {0x10});
    function.extended(0x100, 0x0b, {0x01000000}).extended(0x140, 0x23, {0x01000000, 0x7});
    auto& strict = function.open();
    EXPECT_TRUE(strict.write32(0x90, 0xffffffff));
    EXPECT_TRUE(strict.write32(0x94, 0xffffffff));
    for (const std::uint32_t offset : {0x100U, 0x104U, 0x108U, 0x140U, 0x144U, 0x148U, 0x14cU})
        EXPECT_TRUE(strict.write32(offset, 0xffffffff));
    EXPECT_EQ(function.log.take(), (std::vector<std::string>{"093 1 ff", "094 4 ffffffff", "108 4 ffffffff",
                                                             "14a 2 ffff", "14c 4 ffffffff"}));
    auto& kernel = function.open(Policy::kernel_6_12);
    EXPECT_TRUE(kernel.write32(0x90, 0xffffffff));
    EXPECT_EQ(function.hardware(0x90, 1), 0xffU);
}

TEST(Strict, read_request_limit) {
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        Function function;
        function.capability(0x40, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x28});
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(0x48, 0x7000));
        EXPECT_EQ(*space.read16(0x48) & 0x7000, policy == Policy::strict ? 0x2000 : 0x7000);
        EXPECT_TRUE(space.write16(0x48, 0x5000));
        EXPECT_EQ(*space.read16(0x48) & 0x7000, 0x5000);
    }
}

TEST(Strict, has_a_text_for_every_rule) {
    EXPECT_EQ(config::rules().size(), static_cast<std::size_t>(config::Rule::count_));
    for (const config::RuleText& rule : config::rules()) {
        EXPECT_FALSE(rule.name.empty());
        EXPECT_GT(rule.reason.size(), 20U) << rule.name;
        EXPECT_GT(rule.notice.size(), 20U) << rule.name;
    }
    EXPECT_TRUE(config::rules_of(Policy::strict).has(config::Rule::vendor_header));
    EXPECT_FALSE(config::rules_of(Policy::kernel_6_12).has(config::Rule::vendor_header));
}

TEST(Policy, is_named_as_the_programs_take_it) {
    for (const Policy policy : {Policy::kernel_6_1, Policy::kernel_6_12, Policy::strict})
        EXPECT_EQ(config::parse_policy(config::name(policy)), policy);
    EXPECT_FALSE(config::parse_policy("kernel-5.10"));
}

TEST(Diagnostic, has_a_text_of_one_line) {
    for (unsigned kind = 0; kind <= static_cast<unsigned>(DiagnosticKind::effect_unsupported); ++kind) {
        const std::string text =
            config::Diagnostic{static_cast<DiagnosticKind>(kind), 0x140, 0x19, 0x1}.text();
        EXPECT_GT(text.size(), 20U) << kind;
        EXPECT_EQ(text.find('\n'), std::string::npos);
    }
}

} // namespace
