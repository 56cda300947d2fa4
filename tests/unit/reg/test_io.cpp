// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/reg/doorbell.hpp>

namespace {

using namespace sluice;

/// A region that is reached by calls alone.
class CallIo final : public reg::Io {
  public:
    std::size_t size() const noexcept override { return 64; }
    std::uint64_t read(std::size_t, unsigned) noexcept override { return 0; }
    void write(std::size_t offset, unsigned width, std::uint64_t value) noexcept override {
        writes.push_back({offset, width, value});
    }
    volatile std::byte* pointer(std::size_t, unsigned) noexcept override { return nullptr; }

    struct Write {
        std::size_t offset;
        unsigned width;
        std::uint64_t value;
    };
    std::vector<Write> writes;
};

TEST(MappedIo, converts_each_width_to_little_endian) {
    alignas(8) std::array<std::byte, 16> memory{};
    reg::MappedIo io{memory};
    io.write(0, 8, 0x0807060504030201);
    for (unsigned i = 0; i < 8; ++i)
        EXPECT_EQ(io.read(i, 1), i + 1);
    EXPECT_EQ(io.read(2, 2), 0x0403u);
    EXPECT_EQ(io.read(4, 4), 0x08070605u);
    io.write(12, 4, 0xa1a2a3a4);
    EXPECT_EQ(memory[12], std::byte{0xa4});
    io.write(14, 2, 0xb1b2);
    EXPECT_EQ(io.read(8, 8), 0xb1b2a3a400000000u);
    io.write(8, 1, 0xcc);
    EXPECT_EQ(memory[8], std::byte{0xcc});
    EXPECT_EQ(memory[9], std::byte{0});
}

TEST(MappedIo, gives_no_pointer_outside_its_window) {
    alignas(8) std::array<std::byte, 16> memory{};
    reg::MappedIo io{memory};
    EXPECT_EQ(io.pointer(12, 4), memory.data() + 12);
    EXPECT_EQ(io.pointer(16, 4), nullptr);
    EXPECT_EQ(io.pointer(SIZE_MAX - 1, 4), nullptr);
}

TEST(Doorbell, writes_through_the_mapping) {
    alignas(8) std::array<std::byte, 16> memory{};
    reg::MappedIo io{memory};
    const reg::Doorbell<std::uint32_t> bell(io, 8);
    bell.ring(0x01020304);
    EXPECT_EQ(io.read(8, 4), 0x01020304u);
}

TEST(Doorbell, calls_when_there_is_no_mapping) {
    CallIo io;
    const reg::Doorbell<std::uint16_t> bell(io, 6);
    bell.ring(9);
    ASSERT_EQ(io.writes.size(), 1u);
    EXPECT_EQ(io.writes[0].offset, 6u);
    EXPECT_EQ(io.writes[0].width, 2u);
    EXPECT_EQ(io.writes[0].value, 9u);
}

} // namespace
