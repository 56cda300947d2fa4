// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <concepts>

#include <gtest/gtest.h>

#include <sluice/reg/map.hpp>

namespace {

using namespace sluice;

struct Ctrl : reg::Register<Ctrl, 0x00, std::uint32_t, reg::Access::rw> {
    using Rst = Bit<26>;
    using Speed = Field<9, 8>;
    using All = Field<31, 0>;
};
struct Cause : reg::Register<Cause, 0x04, std::uint32_t, reg::Access::rc> {
    using Link = Bit<2>;
};
struct Ack : reg::Register<Ack, 0x08, std::uint16_t, reg::Access::w1c> {};
struct Low : reg::Array<Low, 0x20, std::uint32_t, reg::Access::rw, 4, 8> {};
struct High : reg::Array<High, 0x24, std::uint32_t, reg::Access::rw, 4, 8> {
    using Valid = Bit<31>;
};
struct Elsewhere : reg::Register<Elsewhere, 0x00, std::uint32_t, reg::Access::rw> {};

using Map = reg::Map<0x40, Ctrl, Cause, Ack, Low, High>;
static_assert(Map::contains<Ctrl> && !Map::contains<Elsewhere>);

template <typename R>
concept modifiable = requires(reg::Io& io) { R::modify(io, [](R&) {}); };
static_assert(modifiable<Ctrl> && !modifiable<Cause> && !modifiable<Ack>);

template <typename R>
concept write_back = requires(reg::Io& io, R value) { value.write(io); };
static_assert(write_back<Ctrl> && write_back<Ack> && !write_back<Cause>);

class Register : public testing::Test {
  protected:
    alignas(8) std::array<std::byte, 0x40> memory{};
    reg::MappedIo io{memory};
    reg::View<Map> regs = *reg::View<Map>::create(io);
};

TEST_F(Register, reads_fields_high_bit_first) {
    io.write(0, 4, 0x04000200);
    const auto ctrl = regs.read<Ctrl>();
    EXPECT_TRUE(ctrl.get<Ctrl::Rst>());
    EXPECT_EQ(ctrl.get<Ctrl::Speed>(), 2u);
    EXPECT_EQ(ctrl.get<Ctrl::All>(), 0x04000200u);
}

TEST_F(Register, changes_only_its_snapshot_until_it_is_written) {
    io.write(0, 4, 0xf0f0f0f0);
    auto ctrl = regs.read<Ctrl>();
    ctrl.set<Ctrl::Rst>().set<Ctrl::Speed>(3);
    EXPECT_EQ(io.read(0, 4), 0xf0f0f0f0u);
    regs.write(ctrl);
    EXPECT_EQ(io.read(0, 4), 0xf4f0f3f0u);
    ctrl.clear<Ctrl::All>();
    EXPECT_EQ(ctrl.raw(), 0u);
}

TEST_F(Register, modifies_plain_registers_in_place) {
    io.write(0, 4, 0x300);
    regs.modify<Ctrl>([](Ctrl& ctrl) { ctrl.set<Ctrl::Speed>(1).set<Ctrl::Rst>(); });
    EXPECT_EQ(io.read(0, 4), 0x04000100u);
}

TEST_F(Register, knows_what_a_device_that_is_gone_answers) {
    EXPECT_FALSE(regs.read<Cause>().all_ones());
    io.write(4, 4, 0xffffffff);
    EXPECT_TRUE(regs.read<Cause>().all_ones());
}

TEST_F(Register, indexes_interleaved_arrays) {
    High high;
    high.set<High::Valid>();
    regs.write(2, high);
    EXPECT_EQ(io.read(0x34, 4), 0x80000000u);
    io.write(0x38, 4, 7);
    EXPECT_EQ(regs.read<Low>(3).raw(), 7u);
}

TEST_F(Register, writes_a_narrow_register_alone) {
    io.write(8, 4, 0xffffffff);
    regs.write(Ack::from(0x1234));
    EXPECT_EQ(io.read(8, 4), 0xffff1234u);
}

TEST_F(Register, refuses_a_window_that_is_too_small) {
    reg::MappedIo small{std::span(memory).first(0x3c)};
    const auto view = reg::View<Map>::create(small);
    ASSERT_FALSE(view.has_value());
    EXPECT_EQ(view.error().code(), EINVAL);
}

} // namespace
