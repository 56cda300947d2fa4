// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <sluice/model/registers.hpp>

namespace {

using namespace sluice;

struct Owner {
    std::uint64_t low = 0x11223344;
    std::uint64_t high = 0x5566;
    unsigned reads = 0;

    std::uint64_t read_low() {
        ++reads;
        return low;
    }
    void write_low(std::uint64_t value) { low = value; }
    std::uint64_t read_high() { return high; }
    void write_high(std::uint64_t value) { high = value; }
};

const std::vector<model::RegisterRow<Owner>> rows = {
    {0, 4, &Owner::read_low, &Owner::write_low},
    {4, 2, &Owner::read_high, &Owner::write_high},
    {8, 4, &Owner::read_low, nullptr},
};

TEST(Registers, are_read_in_any_width) {
    Owner owner;
    const auto read = [&](std::uint64_t offset, unsigned width) {
        return model::read_registers(owner, std::span(rows), offset, width);
    };
    EXPECT_EQ(read(0, 4), 0x11223344U);
    EXPECT_EQ(owner.reads, 1U);
    EXPECT_EQ(read(1, 1), 0x33U);
    EXPECT_EQ(read(2, 2), 0x1122U);
    EXPECT_EQ(read(0, 8), 0x556611223344U);
    EXPECT_EQ(read(4, 4), 0x5566U);
    EXPECT_EQ(read(6, 2), 0U);
    EXPECT_EQ(read(100, 8), 0U);
}

TEST(Registers, are_written_as_a_whole_or_not) {
    Owner owner;
    const auto write = [&](std::uint64_t offset, unsigned width, std::uint64_t value) {
        model::write_registers(owner, std::span(rows), offset, width, value);
    };
    write(0, 2, 0xffff);
    write(8, 4, 0xffff);
    EXPECT_EQ(owner.low, 0x11223344U);
    write(0, 8, 0xaabbccdd01020304);
    EXPECT_EQ(owner.low, 0x01020304U);
    EXPECT_EQ(owner.high, 0xccddU);
    write(4, 2, 7);
    EXPECT_EQ(owner.high, 7U);
}

TEST(Capabilities, stand_in_their_order) {
    device::inproc::ConfigImage image({});
    const model::Capability all[] = {model::msix_capability(3, 1, 0, 0x1000), {0x09, {4, 1}, {}}};
    ASSERT_TRUE(model::add_capabilities(image, all));
    const auto bytes = image.bytes();
    const std::size_t first = bytes[0x34];
    EXPECT_EQ(bytes[first], 0x11);
    EXPECT_EQ(bytes[first + 2], 2) << "one less than the vectors";
    EXPECT_EQ(bytes[first + 4], 1);
    EXPECT_EQ(bytes[first + 9], 0x10);
    EXPECT_EQ(bytes[bytes[first + 1]], 0x09);
    const std::vector<model::Capability> many(40, {0x09, std::vector<std::uint8_t>(14), {}});
    EXPECT_FALSE(model::add_capabilities(image, many));
}

} // namespace
