// SPDX-License-Identifier: BSD-3-Clause
// Lengths and masks, capability by capability.
#include <algorithm>

#include <gtest/gtest.h>

#include "images.hpp"

using namespace sluice;
using config::Policy;
using sluice::testing::every_policy;
using sluice::testing::Function;

namespace {

/// How many bytes from `offset` on belong to the capability there.
std::uint32_t owned(const config::Space& space, std::uint32_t offset) {
    const auto owners = space.owners();
    std::uint32_t end = offset;
    while (end < space.size() && owners[end] == owners[offset] && owners[offset] != config::owner_none)
        ++end;
    return end - offset;
}

/// The bits of a dword that a write of all ones changes in what the user reads, from zero.
std::uint32_t writable(config::Space& space, std::uint32_t offset) {
    EXPECT_TRUE(space.write32(offset, 0));
    const std::uint32_t zero = *space.read32(offset);
    EXPECT_TRUE(space.write32(offset, 0xffffffff));
    return *space.read32(offset) & ~zero;
}

struct StandardLength {
    std::uint8_t id;
    std::initializer_list<std::uint8_t> body;
    std::uint32_t length;
};

TEST(StandardCapability, is_as_long_as_its_contents_say) {
    const StandardLength cases[] = {
        {0x01, {}, 8},
        {0x02, {}, 12},
        {0x03, {}, 8},
        {0x05, {0x00, 0x00}, 10},
        {0x05, {0x80, 0x00}, 14},
        {0x05, {0x00, 0x01}, 20},
        {0x05, {0x80, 0x01}, 24},
        {0x07, {0x00, 0x0f}, 8},
        {0x07, {0x00, 0x10}, 24},
        {0x07, {0x00, 0x20}, 24},
        {0x08, {0x00, 0x00}, 28},
        {0x08, {0x00, 0x20}, 24},
        {0x08, {0x00, 0x80}, 24},
        {0x09, {0x10}, 16},
        {0x09, {0x40}, 64},
        {0x11, {}, 12},
        {0x12, {0x00, 0x00, 0x0e}, 8},
        {0x12, {0x00, 0x00, 0xff}, 16},
        {0x13, {}, 6},
    };
    for (const auto& [id, body, length] : cases)
        for (const Policy policy : every_policy) {
            Function function;
            function.capability(0x60, id, body);
            auto& space = function.open(policy);
            EXPECT_EQ(owned(space, 0x60), length) << unsigned{id};
            EXPECT_EQ(space.owners()[0x60], id);
        }
}

TEST(StandardCapability, express_is_as_long_as_version_and_type_say) {
    struct Row {
        std::uint8_t flags;
        std::uint32_t kernel_6_1;
        std::uint32_t other;
    };
    for (const Row& row : {Row{0x01, 20, 20}, Row{0x91, 12, 12}, Row{0x02, 50, 52}, Row{0x92, 44, 44},
                           Row{0x00, 50, 52}, Row{0x13, 50, 52}}) {
        Function function;
        function.capability(0x60, 0x10, {row.flags, 0});
        EXPECT_EQ(owned(function.open(Policy::kernel_6_1), 0x60), row.kernel_6_1);
        EXPECT_EQ(owned(function.open(Policy::kernel_6_12), 0x60), row.other);
        EXPECT_EQ(owned(function.open(Policy::strict), 0x60), row.other);
    }
}

struct ExtendedLength {
    std::uint16_t id;
    std::initializer_list<std::uint32_t> body;
    std::uint32_t length;
};

TEST(ExtendedCapability, is_as_long_as_its_contents_say) {
    const ExtendedLength cases[] = {
        {0x01, {}, 0x2c},
        {0x02, {0, 0}, 0x1c},
        {0x02, {3, 0}, 0x10 + 4 * 12},
        {0x02, {0, 2}, 32 + 16},
        {0x08, {1, 4}, 48 + 32},
        {0x09, {7, 8}, 112 + 64},
        {0x03, {}, 12},
        {0x04, {}, 16},
        {0x0b, {0x02000000}, 0x20},
        {0x0d, {0}, 8},
        {0x0d, {0x2020}, 12},
        {0x0d, {0x2120}, 16},
        {0x0d, {0x0020}, 40},
        {0x0e, {}, 8},
        {0x0f, {}, 8},
        {0x10, {}, 0x40},
        {0x12, {}, 0x28},
        {0x13, {}, 0x10},
        {0x15, {0, 0x20}, 12},
        {0x15, {0, 0xe0}, 60},
        {0x15, {0, 0}, 4},
        {0x16, {0}, 17},
        {0x16, {0x1f}, 48},
        {0x17, {0}, 12},
        {0x17, {0x00030200}, 12 + 6 + 2},
        {0x17, {0x00030400}, 12},
        {0x18, {}, 8},
    };
    for (const auto& [id, body, length] : cases)
        for (const Policy policy : every_policy) {
            Function function(4096);
            function.capability(0x40, 0x10, {0x02, 0x00});
            function.extended(0x100, id, body);
            EXPECT_EQ(owned(function.open(policy), 0x100), length) << id;
        }
}

TEST(ExtendedCapability, designated_vendor_is_shown_from_6_12_on) {
    Function function(4096);
    function.capability(0x40, 0x10, {0x02, 0x00});
    function.extended(0x100, 0x03).extended(0x140, 0x23, {0x01000000});
    EXPECT_EQ(function.open(Policy::kernel_6_1).find_extended_capability(0x23), 0U);
    EXPECT_EQ(function.open(Policy::kernel_6_12).find_extended_capability(0x23), 0x140U);
    EXPECT_EQ(owned(function.open(Policy::strict), 0x140), 0x10U);
}

TEST(StandardCapability, without_a_table_is_left_out_of_the_list) {
    for (const std::uint8_t id : std::initializer_list<std::uint8_t>{0x04, 0x06, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e,
                                                                     0x0f, 0x14, 0x15, 0xff, 0x00}) {
        Function function;
        function.capability(0x40, 0x03).capability(0x50, id).capability(0x60, 0x11);
        for (const Policy policy : every_policy) {
            auto& space = function.open(policy);
            EXPECT_EQ(*space.read8(0x41), 0x60U) << unsigned{id};
            EXPECT_EQ(space.owners()[0x50], config::owner_none);
        }
    }
}

TEST(StandardCapability, list_bit_goes_when_all_are_hidden) {
    Function function;
    function.capability(0x40, 0x0d).capability(0x50, 0x14);
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(*space.read16(6) & 0x10, 0);
        EXPECT_EQ(*space.read8(0x34), 0);
        EXPECT_EQ(space.diagnostics().size(), 2U);
    }
}

TEST(PowerManagement, hides_wake_up_and_passes_the_state_on) {
    Function function;
    function.capability(0x40, 0x01, {0xc3, 0xff, 0x08, 0x81});
    function.read_only(0x44, 2);
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(*space.read16(0x42), 0x07c3U);
        EXPECT_EQ(*space.read16(0x44), 0x0008U);
        EXPECT_TRUE(space.write8(0x45, 0x81));
        EXPECT_EQ(*space.read16(0x44), 0x0008U) << "no event can be enabled or cleared";
    }
}

TEST(PowerManagement, gates_memory_from_d3_on) {
    Function function;
    function.capability(0x40, 0x01, {0x03, 0x00, 0x08, 0x00});
    for (const Policy policy : every_policy) {
        function.system.set_power_now(config::PowerState::d0);
        function.set_hardware(0x44, 2, 8);
        auto& space = function.open(policy);
        EXPECT_TRUE(space.set_memory_decoding(true));
        EXPECT_TRUE(space.write16(0x44, 3));
        EXPECT_EQ(space.power(), config::PowerState::d3hot);
        EXPECT_FALSE(space.memory_enabled());
        EXPECT_TRUE(space.write16(0x44, 0));
        EXPECT_TRUE(space.memory_enabled());
    }
}

TEST(Msi, address_and_data_stay_in_the_shadow) {
    Function function;
    function.capability(0x50, 0x05, {0x8a, 0x01});
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(writable(space, 0x54), 0xffffffffU);
        EXPECT_EQ(writable(space, 0x58), 0xffffffffU);
        EXPECT_EQ(writable(space, 0x5c), 0x0000ffffU);
        EXPECT_EQ(function.hardware(0x54, 4), 0U);
        EXPECT_EQ(function.hardware(0x58, 4), 0U);
        EXPECT_EQ(writable(space, 0x60), 0xffffffffU);
        EXPECT_EQ(function.hardware(0x60, 4), 0xffffffffU) << "masking is the function's own";
    }
}

TEST(Msi, enable_holds_only_once_vectors_are_set) {
    for (const Policy policy : every_policy) {
        Function function;
        function.capability(0x50, 0x05, {0x06, 0x00});

        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(0x52, 0x31));
        EXPECT_EQ(*space.read16(0x52) & 1, 0);
        space.set_irq_type(config::IrqType::msi);
        space.set_msi_vectors(3);
        EXPECT_EQ(space.status().msi_limit, 2U);
        EXPECT_TRUE(space.write16(0x52, 0x31));
        EXPECT_EQ(*space.read16(0x52) & 0x71, 0x21) << "four vectors stand for three";
    }
}

TEST(Msix, cannot_be_written) {
    Function function;
    function.capability(0x50, 0x11, {0x07, 0x00, 0x03, 0x00, 0x00, 0x00});
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        const std::uint32_t before = *space.read32(0x50);
        EXPECT_TRUE(space.write32(0x50, 0xffffffff));
        EXPECT_TRUE(space.write32(0x54, 0xffffffff));
        EXPECT_EQ(*space.read32(0x50), before);
        EXPECT_TRUE(function.log.lines.empty());
    }
}

TEST(Express, passes_what_concerns_the_function_alone) {
    Function function;
    function.capability(0x60, 0x10, {0x02, 0x00});
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(writable(space, 0x68) & 0xffffU, policy == Policy::strict ? 0x0dffU : 0x7dffU);
        EXPECT_EQ(writable(space, 0x88), 0x0000ffdfU);
        EXPECT_EQ(writable(space, 0x70), 0U) << "the link is not the function's alone";
        EXPECT_EQ(writable(space, 0x64), 0U);
        EXPECT_EQ(function.hardware(0x68, 2) & 0x82e0, 0) << "payload, phantom functions and reset stay";
    }
}

TEST(Aer, lets_errors_be_masked_and_cleared) {
    Function function(4096);
    function.capability(0x40, 0x10, {0x02, 0x00});
    function.extended(0x100, 0x01);
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(writable(space, 0x108), 0x03fff031U);
        EXPECT_EQ(writable(space, 0x10c), 0x03fff031U);
        EXPECT_EQ(writable(space, 0x114), 0x0000f1c1U);
        EXPECT_EQ(writable(space, 0x118), 0x00000140U);
        EXPECT_EQ(writable(space, 0x11c), 0U);
        EXPECT_EQ(writable(space, 0x100), 0U);
    }
}

TEST(Pcix, command_and_ecc_pass) {
    Function function;
    function.capability(0x40, 0x07, {0x00, 0x10});
    for (const Policy policy : every_policy) {
        auto& space = function.open(policy);
        EXPECT_EQ(writable(space, 0x48), 0xffffffffU);
        EXPECT_EQ(writable(space, 0x44), 0U);
        EXPECT_TRUE(space.write16(0x42, 0x1234));
        EXPECT_EQ(function.hardware(0x42, 2), 0x1234U);
    }
}

TEST(ReadOnlyCapabilities, drop_every_write) {
    for (const std::uint16_t id : std::initializer_list<std::uint16_t>{0x02, 0x03, 0x0d, 0x0e, 0x0f, 0x10,
                                                                       0x12, 0x13, 0x15, 0x16, 0x17, 0x18}) {
        Function function(4096);
        function.capability(0x40, 0x10, {0x02, 0x00});
        function.extended(0x100, id, {0, 0, 0});
        for (const Policy policy : every_policy) {
            auto& space = function.open(policy);
            for (std::uint32_t offset = 0x100; offset < 0x100 + owned(space, 0x100); offset += 4)
                EXPECT_TRUE(space.write(offset, std::vector<std::byte>(4, std::byte{0xff})));
            const bool touched = std::any_of(function.log.lines.begin(), function.log.lines.end(),
                                             [](const std::string& line) { return line.starts_with("10"); });
            EXPECT_FALSE(touched) << id;
        }
    }
}

TEST(Init, hands_on_errors_of_the_backend) {
    for (const Policy policy : every_policy)
        for (const std::uint32_t offset :
             {0x00U,  0x06U,  0x34U,  0x40U,  0x50U,  0x52U,  0x60U,  0x62U,  0x70U,
              0x73U,  0x90U,  0x92U,  0xa0U,  0xa2U,  0xb4U,  0x100U, 0x104U, 0x108U,
              0x144U, 0x145U, 0x184U, 0x1c8U, 0x204U, 0x244U, 0x280U}) {
            Function function(4096);
            function.capability(0x40, 0x01)
                .capability(0x50, 0x05)
                .capability(0x60, 0x07)
                .capability(0x70, 0x08);
            function.capability(0x90, 0x09, {8}).capability(0xa0, 0x10, {0x02, 0x00}).capability(0xe0, 0x12);
            function.extended(0x100, 0x02).extended(0x140, 0x0d, {0x20}).extended(0x180, 0x0b, {0x00800000});
            function.extended(0x1c0, 0x15).extended(0x200, 0x16).extended(0x240, 0x17).extended(0x280, 0x01);
            ASSERT_TRUE(function.facts.scan(function.image));
            function.image.inject_errors(offset, 1, 0x88, true, false);
            auto space = config::Space::create(function.image, function.system, function.facts, policy);

            EXPECT_FALSE(space) << offset;
        }
}

} // namespace
