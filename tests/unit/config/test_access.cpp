// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <gtest/gtest.h>

#include "images.hpp"

using namespace sluice;
using config::Policy;
using sluice::testing::Function;

namespace {

std::vector<std::uint8_t> read(config::Space& space, std::uint32_t offset, std::size_t length) {
    std::vector<std::uint8_t> data(length);
    EXPECT_TRUE(space.read(offset, std::as_writable_bytes(std::span(data))));
    return data;
}

TEST(Access, fails_as_a_whole_when_it_does_not_lie_inside) {
    Function function;
    auto& space = function.open(Policy::kernel_6_1);
    std::byte data[16] = {};
    for (const std::uint32_t offset : {0xf1U, 0xffU, 0x100U, 0xfffffff8U}) {
        auto got = space.read(offset, data);
        ASSERT_FALSE(got) << offset;
        EXPECT_EQ(got.error().code(), EFAULT);
        EXPECT_FALSE(space.write(offset, data));
    }
    EXPECT_TRUE(function.log.lines.empty());
    EXPECT_TRUE(space.read(0xf0, data));
    EXPECT_FALSE(space.read16(0xff));
    EXPECT_FALSE(space.write32(0xfd, 0));
}

TEST(Access, of_no_bytes_succeeds_anywhere) {
    Function function;
    auto& space = function.open();
    EXPECT_TRUE(space.read(0x1000, {}));
    EXPECT_TRUE(space.write(0x1000, {}));
}

TEST(Access, is_split_at_dwords_and_owners) {
    Function function;
    function.capability(0x40, 0x09, {6, 0xaa, 0xbb, 0xcc}); // bytes 46h and 47h belong to nobody
    auto& space = function.open(Policy::kernel_6_1);
    const std::uint8_t data[] = {1, 2, 3, 4, 5, 6, 7};
    EXPECT_TRUE(space.write(0x43, std::as_bytes(std::span(data))));
    EXPECT_EQ(function.log.take(),
              (std::vector<std::string>{"043 1 01", "044 2 0302", "046 2 0504", "048 2 0706"}));
    EXPECT_EQ(read(space, 0x43, 7), std::vector<std::uint8_t>(std::begin(data), std::end(data)));
}

TEST(Access, of_three_bytes_is_two_pieces_by_alignment) {
    Function function;
    auto& space = function.open(Policy::kernel_6_1);
    const std::uint8_t data[] = {1, 2, 3};
    EXPECT_TRUE(space.write(0x80, std::as_bytes(std::span(data))));
    EXPECT_TRUE(space.write(0x85, std::as_bytes(std::span(data))));
    EXPECT_EQ(function.log.take(),
              (std::vector<std::string>{"080 2 0201", "082 1 03", "085 1 01", "086 2 0302"}));
}

TEST(Access, keeps_the_pieces_before_an_error) {
    Function function;
    function.image.inject_errors(0x84, 4, 0x88, true, true);
    auto& space = function.open(Policy::kernel_6_1);
    const std::vector<std::uint8_t> data(12, 0x5a);
    auto written = space.write(0x80, std::as_bytes(std::span(data)));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), EIO);
    EXPECT_EQ(function.hardware(0x80, 4), 0x5a5a5a5aU);
    EXPECT_EQ(function.hardware(0x88, 4), 0U);
    auto value = space.read32(0x84);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code(), EIO);
}

TEST(Access, of_typed_width_answers_as_bytes_do_across_owners) {
    Function function;
    function.capability(0x40, 0x09, {6, 0x11, 0x22, 0x33});
    for (unsigned offset = 0x46; offset < 0x60; ++offset)
        function.image.bytes()[offset] = static_cast<std::uint8_t>(offset);
    auto& space = function.open();
    for (std::uint32_t offset = 0; offset < 0x60; ++offset) {
        const auto bytes = read(space, offset, 4);
        const auto dword = space.read32(offset);
        const auto word = space.read16(offset);
        ASSERT_TRUE(dword && word);
        EXPECT_EQ(*dword, bytes[0] | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
                              std::uint32_t{bytes[3]} << 24);
        EXPECT_EQ(*word, *dword & 0xffff);
        EXPECT_EQ(*space.read8(offset), *dword & 0xff);
    }
}

TEST(Access, maps_the_bus_status_to_an_errno) {
    const std::pair<int, int> codes[] = {{0x81, ENOENT}, {0x83, ENOTTY}, {0x86, ENODEV}, {0x87, EFAULT},
                                         {0x88, EIO},    {0x89, ENOSPC}, {0x42, ERANGE}, {-5, 5}};
    for (const auto& [status, code] : codes)
        EXPECT_EQ(config::Image::fail_code(status), code) << status;
}

TEST(Access, costs_one_hardware_access_where_one_is_enough) {
    Function function;
    function.capability(0x50, 0x11, {0x07, 0x00});
    auto& space = function.open();
    function.log = {};
    EXPECT_TRUE(space.read32(0x54));
    EXPECT_EQ(function.log.reads, 1U);
    EXPECT_TRUE(space.read32(0x10));
    EXPECT_EQ(function.log.reads, 1U) << "BARs live in the shadow";
    EXPECT_TRUE(space.write32(0x54, 0));
    EXPECT_EQ(function.log.reads, 1U) << "nothing there is writable";
}

TEST(Space, refuses_a_backend_of_another_size) {
    struct Odd final : config::Backend {
        std::uint32_t size() const noexcept override { return 512; }
        Result<std::uint32_t> read(std::uint32_t, unsigned) override { return 0U; }
        Result<void> write(std::uint32_t, unsigned, std::uint32_t) override { return {}; }
    } backend;
    config::Effects effects;
    auto space = config::Space::create(backend, effects, {});
    ASSERT_FALSE(space);
    EXPECT_EQ(space.error().code(), EINVAL);
}

TEST(Space, find_capability_follows_what_the_user_sees) {
    Function function;
    function.capability(0x40, 0x0d)
        .capability(0x50, 0x09, {8})
        .capability(0x60, 0x01)
        .capability(0x70, 0x09, {8});
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        auto& space = function.open(policy);
        EXPECT_EQ(space.find_capability(0x01), 0x60U);
        EXPECT_EQ(space.find_capability(0x0d), 0U) << "hidden";
        EXPECT_EQ(space.find_capability(0x09), 0x50U);
        EXPECT_EQ(space.find_capability(0x09, 0x50), 0x70U);
        EXPECT_EQ(space.find_capability(0x09, 0x70), 0U);
    }
}

TEST(Space, find_extended_capability_follows_what_the_user_sees) {
    Function function(4096);
    function.capability(0x40, 0x10, {0x02, 0x00});
    function.extended(0x100, 0x0001).extended(0x140, 0x0019).extended(0x180, 0x0003).extended(0x1c0, 0x0003);
    for (const Policy policy : {Policy::kernel_6_12, Policy::strict}) {
        auto& space = function.open(policy);
        EXPECT_TRUE(space.extended_capabilities());
        EXPECT_EQ(space.find_extended_capability(0x0001), 0x100U);
        EXPECT_EQ(space.find_extended_capability(0x0019), 0U);
        EXPECT_EQ(space.find_extended_capability(0x0003), 0x180U);
        EXPECT_EQ(space.find_extended_capability(0x0003, 0x180), 0x1c0U);
        EXPECT_EQ(space.find_extended_capability(0x0003, 0x1c0), 0U);
    }
    Function small;
    EXPECT_EQ(small.open().find_extended_capability(0x0001), 0U);
}

TEST(Space, find_capability_ends_on_a_list_that_loops) {
    Function function;
    function.capability(0x40, 0x09, {8}).capability(0x50, 0x09, {8});
    function.image.bytes()[0x51] = 0x40;
    EXPECT_EQ(function.open(Policy::kernel_6_1).find_capability(0x05), 0U);
    EXPECT_EQ(function.open(Policy::strict).find_capability(0x05), 0U);
}

TEST(Space, moves_with_its_state) {
    Function function;
    config::Space first = std::move(function.open());
    EXPECT_EQ(first.size(), 256U);
    EXPECT_EQ(*first.read16(0), 0x1234U);
    EXPECT_EQ(first.policy(), Policy::strict);
}

TEST(Space, assign_keeps_bytes_in_the_shadow) {
    Function function;
    function.set_hardware(0xfc, 4, 0xdeadbeef);
    for (const Policy policy : {Policy::kernel_6_1, Policy::strict}) {
        auto& space = function.open(policy);
        ASSERT_TRUE(space.assign(0xfc, 4, config::owner_virtual));
        EXPECT_EQ(*space.read32(0xfc), 0xdeadbeefU);
        EXPECT_TRUE(space.write32(0xfc, 0x12345678));
        EXPECT_EQ(*space.read32(0xfc), 0x12345678U);
        EXPECT_EQ(function.hardware(0xfc, 4), 0xdeadbeefU);
        EXPECT_EQ(space.compile_floor_mask()[0xfc], 0U);
        EXPECT_FALSE(space.assign(0xfd, 4, config::owner_virtual));
    }
}

TEST(Recorder, tells_of_what_succeeded_only) {
    Function function;
    function.image.inject_errors(0x40, 4, 0x88, true, true);
    EXPECT_FALSE(function.recorder.read(0x40, 4));
    EXPECT_FALSE(function.recorder.write(0x40, 4, 1));
    EXPECT_EQ(function.log.reads, 0U);
    EXPECT_TRUE(function.log.lines.empty());
    EXPECT_EQ(function.recorder.size(), 256U);
}

TEST(Access, of_a_byte_says_how_it_is_treated) {
    Function function(4096);
    function.capability(0x40, 0x10, {0x02, 0x00}).capability(0x90, 0x09, {0x10});
    function.extended(0x100, 0x19).extended(0x140, 0x1e);
    const auto is = [&](std::uint32_t offset, unsigned virt, unsigned write) {
        const config::BitAccess access = function.space->access(offset);
        EXPECT_EQ(access.virt, virt) << std::hex << offset;
        EXPECT_EQ(access.write, write) << std::hex << offset;
    };
    auto& strict = function.open();
    EXPECT_TRUE(strict.assign(0xfc, 4, config::owner_virtual));
    is(0x05, 0x04, 0xff);
    is(0x80, 0, 0);
    is(0x98, 0, 0xff);
    is(0xfc, 0xff, 0xff);
    is(0x100, 0xff, 0);
    is(0x140, 0xff, 0);
    is(0x1000, 0, 0);
    EXPECT_TRUE(function.open(config::Policy::kernel_6_1).assign(0xfc, 4, config::owner_virtual));
    is(0x80, 0, 0xff);
    is(0xfc, 0xff, 0xff);
}

} // namespace
