// SPDX-License-Identifier: BSD-3-Clause
// What writes do beside changing bytes, over transports that do it themselves, pass it on, or cannot.
#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "images.hpp"

using namespace sluice;
using config::Disposition;
using config::Policy;
using sluice::testing::every_policy;
using sluice::testing::Function;

namespace {

using Lines = std::vector<std::string>;

void add_resettable(Function& function) {
    function.capability(0x60, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x10, 0x28});
}

/// What a transport does to which an outcome was told.
struct Told final : config::Effects {
    explicit Told(Result<Disposition> answer)
        : outcome(std::move(answer)) {}
    Result<Disposition> reset(config::ResetKind) override { return outcome; }
    Result<Disposition> set_power(config::PowerState) override { return outcome; }
    Result<Disposition> set_read_request(unsigned bytes) override {
        request = bytes;
        return outcome;
    }
    Result<Disposition> vpd_read(std::uint16_t, std::span<std::uint8_t, 4>) override { return outcome; }
    void report(const config::Diagnostic& diagnostic) override { reported.push_back(diagnostic.kind); }
    Result<Disposition> outcome;
    unsigned request = 0;
    std::vector<config::DiagnosticKind> reported;
};

TEST(Reset, is_one_effect_and_reads_back_as_zero) {
    for (const Policy policy : every_policy) {
        Function function;
        function.capability(0x60, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x10, 0x28});
        auto& space = function.open(policy);
        ASSERT_TRUE(space.request_reset());
        EXPECT_EQ(function.log.take(), (Lines{"068 2 2810", "zap", "reset"}));
        EXPECT_EQ(*space.read16(0x68), 0x2810U);
        EXPECT_TRUE(space.write16(0x68, 0x2810));
        EXPECT_EQ(function.log.take(), (Lines{"068 2 2810"})) << "done once, not again";
    }
}

TEST(Reset, needs_a_function_that_has_it) {
    for (const Policy policy : every_policy) {
        Function function;
        function.capability(0x60, 0x10, {0x02, 0x00});
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(0x68, 0x8000));
        EXPECT_EQ(function.log.take(), (Lines{"068 2 0000"}));
        auto refused = space.request_reset();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ENOTSUP);
    }
}

TEST(Reset, through_advanced_features) {
    for (const Policy policy : every_policy) {
        Function function;
        function.capability(0x60, 0x13, {0x06, 0x03});
        auto& space = function.open(policy);
        ASSERT_TRUE(space.request_reset());
        EXPECT_EQ(function.log.take(), (Lines{"zap", "reset"}));
        EXPECT_EQ(*space.read8(0x64), 0U);
        function.image.bytes()[0x63] = 0x01; // no FLR
        EXPECT_TRUE(space.write8(0x64, 1));
        EXPECT_TRUE(function.log.take().empty());
    }
}

TEST(Reset, is_passed_as_one_write_where_a_mediator_sits_below) {
    for (const Policy policy : every_policy) {
        Function function;
        add_resettable(function);
        config::Effects passes;
        auto space = config::Space::create(function.recorder, passes, function.facts, policy);
        ASSERT_TRUE(space);
        EXPECT_TRUE(space->write16(0x68, 0xa810));
        EXPECT_EQ(function.log.take(), (Lines{"068 2 2810", "068 2 a810"}));
    }
}

TEST(Effects, that_fail_or_are_unsupported_are_noted_and_the_write_succeeds) {
    for (const bool fails : {true, false}) {
        Function function;
        add_resettable(function);
        Told told(fails ? Result<Disposition>(fail(EIO, "no"))
                        : Result<Disposition>(Disposition::unsupported));
        auto space = config::Space::create(function.recorder, told, function.facts);
        ASSERT_TRUE(space);
        EXPECT_TRUE(space->write16(0x68, 0x8000));
        const auto kind =
            fails ? config::DiagnosticKind::effect_failed : config::DiagnosticKind::effect_unsupported;
        ASSERT_FALSE(told.reported.empty());
        EXPECT_EQ(told.reported.front(), kind);
        EXPECT_EQ(space->diagnostics().front().kind, kind);
    }
}

TEST(ReadRequest, is_raised_to_the_payload_in_force) {
    for (const Policy policy : every_policy) {
        Function function;
        function.capability(0x60, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x40, 0x28}); // payload 512
        ASSERT_TRUE(function.facts.scan(function.image));
        Told told(Disposition::done);
        auto space = config::Space::create(function.recorder, told, function.facts, policy);
        ASSERT_TRUE(space);
        EXPECT_TRUE(space->write16(0x68, 0x0000));
        EXPECT_EQ(told.request, 512U);
        EXPECT_TRUE(space->write16(0x68, 0x5000));
        EXPECT_EQ(told.request, 4096U);
        EXPECT_EQ(*space->read16(0x68) & 0x7000, 0x5000);
    }
}

TEST(ReadRequest, is_passed_as_the_user_wrote_it) {
    Function function;
    add_resettable(function);
    config::Effects passes;
    auto space = config::Space::create(function.recorder, passes, function.facts);
    ASSERT_TRUE(space);
    EXPECT_TRUE(space->write16(0x68, 0x5810));
    EXPECT_EQ(function.hardware(0x68, 2), 0x5810U);
}

TEST(InterruptDisable, is_passed_to_hardware_that_has_the_bit) {
    for (const bool has_bit : {true, false}) {
        Function function;
        function.facts.pci_2_3 = has_bit;
        config::Effects passes;
        auto space = config::Space::create(function.recorder, passes, function.facts);
        ASSERT_TRUE(space);
        EXPECT_TRUE(space->write16(4, 0x400));
        EXPECT_EQ(function.log.take(), has_bit ? (Lines{"004 2 0000", "004 2 0400"}) : Lines{"004 2 0000"});
        EXPECT_EQ(*space->read16(4), 0x400);
        EXPECT_TRUE(space->write16(4, 0));
        EXPECT_EQ(function.log.take(), has_bit ? (Lines{"004 2 0400", "004 2 0000"}) : Lines{"004 2 0000"});
    }
}

/// Hardware that takes so many writes and then fails.
struct Failing final : config::Backend {
    Failing(config::Backend& below, unsigned count)
        : image(below)
        , left(count) {}
    std::uint32_t size() const noexcept override { return image.size(); }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        return image.read(offset, width);
    }
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        if (left-- == 0)
            return fail(EIO, "no more writes");
        return image.write(offset, width, value);
    }
    config::Backend& image;
    unsigned left;
};

TEST(Effects, that_are_passed_to_hardware_are_noted_only_when_that_fails) {
    for (const unsigned writes : {1U, 2U}) {
        Function function;
        add_resettable(function);
        Failing failing(function.image, writes);
        config::Effects passes;
        auto space = config::Space::create(failing, passes, function.facts);
        ASSERT_TRUE(space);
        EXPECT_TRUE(space->write16(0x68, 0xa810));
        ASSERT_EQ(space->diagnostics().size(), writes == 1 ? 1U : 0U);
        if (writes == 1) {
            EXPECT_EQ(space->diagnostics()[0],
                      (config::Diagnostic{config::DiagnosticKind::effect_failed, 0x68, EIO, 0}));
        }
    }
}

TEST(Power, is_passed_and_read_back) {
    Function function;
    function.capability(0x40, 0x01, {0x03, 0x00, 0x00, 0x80});
    function.clears(0x45, 0x80);
    config::Effects passes;
    auto space = config::Space::create(function.recorder, passes, function.facts);
    ASSERT_TRUE(space);
    EXPECT_TRUE(space->write16(0x44, 3));
    EXPECT_EQ(space->power(), config::PowerState::d3hot);
    EXPECT_EQ(function.hardware(0x44, 2), 0x8003U) << "the event's status bit is not cleared by the way";
    function.read_only(0x44, 2);
    EXPECT_TRUE(space->write16(0x44, 0));
    EXPECT_EQ(space->power(), config::PowerState::d3hot) << "the device refused";
}

TEST(Vpd, read_and_write_go_through_the_kernel) {
    for (const Policy policy : every_policy) {
        Function function;
        function.capability(0x40, 0x03);
        function.system.options().vpd = std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6};
        auto& space = function.open(policy);
        EXPECT_TRUE(space.write16(0x42, 0));
        EXPECT_EQ(*space.read16(0x42), 0x8000U);
        EXPECT_EQ(*space.read32(0x44), 0x04030201U);
        EXPECT_TRUE(space.write16(0x42, 4));
        EXPECT_EQ(*space.read32(0x44), 0x00000605U);
        EXPECT_TRUE(space.write32(0x44, 0xdeadbeef));
        EXPECT_TRUE(space.write16(0x42, 0x8000));
        EXPECT_EQ(*space.read16(0x42), 0U);
        EXPECT_EQ((*function.system.options().vpd)[3], 0xde);
        EXPECT_TRUE(space.write16(0x42, 0x8002));
        EXPECT_EQ(*space.read16(0x42), 0x8002U) << "misaligned: never completes";
        EXPECT_TRUE(space.write8(0x42, 0x10));
        EXPECT_EQ(*space.read16(0x42), 0x8010U) << "starts with its upper byte only";
    }
}

TEST(Vpd, a_transport_without_it_never_completes) {
    Function function;
    function.capability(0x40, 0x03);
    Told told(Disposition::unsupported);
    auto space = config::Space::create(function.recorder, told, function.facts);
    ASSERT_TRUE(space);
    EXPECT_TRUE(space->write16(0x42, 0));
    EXPECT_EQ(*space->read16(0x42), 0U);
}

/// A mediator's registers: writing the address makes the access and turns the flag over.
struct VpdBelow final : config::Backend {
    explicit VpdBelow(config::Recorder& below)
        : registers(below) {}
    std::uint32_t size() const noexcept override { return registers.size(); }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        return registers.read(offset, width);
    }
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        return registers.write(offset, width, offset == 0x42 ? value ^ 0x8000 : value);
    }
    config::Recorder& registers;
};

TEST(Vpd, is_passed_with_data_before_the_address_and_only_for_a_write) {
    Function function;
    function.capability(0x40, 0x03);
    VpdBelow below(function.recorder);
    config::Effects passes;
    auto space = config::Space::create(below, passes, function.facts);
    ASSERT_TRUE(space);
    function.set_hardware(0x44, 4, 0x11223344);
    EXPECT_TRUE(space->write16(0x42, 0x0010));
    EXPECT_EQ(function.log.take(), (Lines{"042 2 8010"}));
    EXPECT_EQ(*space->read16(0x42), 0x8010U);
    EXPECT_EQ(*space->read32(0x44), 0x11223344U);

    EXPECT_TRUE(space->write32(0x44, 0xdeadbeef));
    EXPECT_EQ(function.log.take(), Lines{}) << "not before the address asks for it";
    EXPECT_TRUE(space->write16(0x42, 0x8010));
    EXPECT_EQ(function.log.take(), (Lines{"044 4 deadbeef", "042 2 0010"}));
    EXPECT_EQ(*space->read16(0x42), 0x0010U);
}

TEST(Vpd, written_data_is_not_read_back) {
    Function function;
    function.capability(0x40, 0x03);
    function.read_only(0x44, 4);
    VpdBelow below(function.recorder);
    config::Effects passes;
    auto space = config::Space::create(below, passes, function.facts);
    ASSERT_TRUE(space);
    EXPECT_TRUE(space->write32(0x44, 0xdeadbeef));
    EXPECT_TRUE(space->write16(0x42, 0x8010));
    EXPECT_EQ(*space->read16(0x42), 0x0010U);
    EXPECT_EQ(*space->read32(0x44), 0xdeadbeefU);
}

/// A Space as the hardware of another: what a driver finds that runs above vfio-pci.
struct Below final : config::Backend {
    explicit Below(config::Space& inner)
        : space(inner) {}
    std::uint32_t size() const noexcept override { return space.size(); }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        std::uint8_t data[4] = {};
        if (auto done = space.read(offset, std::as_writable_bytes(std::span(data, width))); !done)
            return propagate<void>(std::move(done));
        return data[0] | std::uint32_t{data[1]} << 8 | std::uint32_t{data[2]} << 16 |
               std::uint32_t{data[3]} << 24;
    }
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        const std::uint8_t data[4] = {static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8),
                                      static_cast<std::uint8_t>(value >> 16),
                                      static_cast<std::uint8_t>(value >> 24)};
        return space.write(offset, std::as_bytes(std::span(data, width)));
    }
    config::Space& space;
};

void add_much(Function& function) {
    function.capability(0x40, 0x01, {0x03, 0x00, 0x08, 0x00}).capability(0x48, 0x03);
    function.capability(0x50, 0x05, {0x8a, 0x01}).capability(0x70, 0x09, {0x10, 0x01, 0x02, 0x03});
    function.capability(0x80, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x10, 0x28}).capability(0xc0, 0x11);
    function.capability(0xd0, 0x0d).capability(0xd8, 0x13, {0x06, 0x03});
    function.extended(0x100, 0x0001)
        .extended(0x140, 0x0003)
        .extended(0x150, 0x0019)
        .extended(0x180, 0x000b, {0x01000001});
    function.facts.resources[0] = {0xf0000000, 0x4000, config::Resource::memory};
    function.facts.resources[1] = {0xe000, 0x20, config::Resource::io};
    function.set_hardware(0x10, 4, 0xf0000000);
    function.set_hardware(0x14, 4, 0xe001);
    function.system.options().vpd = std::vector<std::uint8_t>(64, 0x5a);
    function.read_only(0x00, 4).read_only(0x06, 6).read_only(0x42, 2);
    for (const std::uint32_t offset : {0x40U, 0x48U, 0x50U, 0x70U, 0x80U, 0xc0U, 0xd0U, 0xd8U})
        function.read_only(offset, 2);
    for (const std::uint32_t offset : {0x100U, 0x140U, 0x150U, 0x180U})
        function.read_only(offset, 4);
    function.image.write_mask()[0x89] = 0x7f; // Initiate FLR does not stay
}

std::size_t count(const Lines& lines, std::string_view what) {
    return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), what));
}

/// Every register, width and pattern, once through one mediator and once through two.
TEST(TwiceMediated, answers_as_the_kernel_alone_and_resets_once) {
    for (const Policy policy : {Policy::kernel_6_1, Policy::kernel_6_12}) {
        Function alone_function(4096);
        Function twice_function(4096);
        add_much(alone_function);
        add_much(twice_function);
        auto& alone = alone_function.open(policy);
        auto& inner = twice_function.open(policy);
        Below below(inner);
        config::Effects passes;
        config::Facts facts = twice_function.facts;
        auto outer = config::Space::create(below, passes, facts, policy);
        ASSERT_TRUE(outer);
        for (std::uint32_t offset = 0; offset < 0x1a0; ++offset)
            for (const std::uint32_t width : {1U, 2U, 4U}) {
                if (offset % width != 0)
                    continue;
                for (const std::uint32_t pattern : {0U, 0xffffffffU, 0x1U, 0x80U, 0x8000U, 0x5a5a5a5aU, 0U}) {
                    std::uint8_t data[4];
                    for (unsigned index = 0; index < 4; ++index)
                        data[index] = static_cast<std::uint8_t>(pattern >> (8 * index));
                    const auto value = std::as_bytes(std::span(data, width));
                    EXPECT_TRUE(alone.write(offset, value));
                    EXPECT_TRUE(outer->write(offset, value));
                    EXPECT_EQ(*alone.read32(offset & ~3U), *outer->read32(offset & ~3U))
                        << std::hex << offset << ' ' << width << ' ' << pattern;
                }
            }
        const Lines one = alone_function.log.take();
        const Lines two = twice_function.log.take();
        EXPECT_GT(count(one, "reset"), 4U);
        EXPECT_EQ(count(one, "reset"), count(two, "reset"));
        EXPECT_EQ(alone.power(), outer->power());
        EXPECT_EQ(std::vector<std::uint8_t>(alone_function.image.bytes().begin(),
                                            alone_function.image.bytes().end()),
                  std::vector<std::uint8_t>(twice_function.image.bytes().begin(),
                                            twice_function.image.bytes().end()));
    }
}

TEST(SystemModel, refuses_power_states_as_the_kernel_does) {
    Function function;
    function.capability(0x40, 0x01, {0x03, 0x02, 0x08, 0x00}); // D1 only
    auto& space = function.open(Policy::kernel_6_1);
    const auto events = [&](std::uint16_t value) {
        EXPECT_TRUE(space.write16(0x44, value));
        Lines lines = function.log.take();
        std::erase_if(lines, [](const std::string& line) { return line.starts_with("044"); });
        return lines;
    };
    EXPECT_EQ(events(2), (Lines{"set_power D2 ret=-5 now=D0"}));
    EXPECT_EQ(events(1), (Lines{"set_power D1 ret=0 now=D1"}));
    EXPECT_EQ(events(3), (Lines{"zap", "set_power D3 ret=0 now=D3"}));
    EXPECT_EQ(events(1), (Lines{"set_power D1 ret=-22 now=D3"}));
    EXPECT_EQ(events(3), (Lines{"zap", "set_power D3 ret=0 now=D3"}));
    EXPECT_EQ(events(0), (Lines{"set_power D0 ret=0 now=D0"}));
    function.system.options().no_d3 = true;
    EXPECT_EQ(events(3), (Lines{"zap", "set_power D3 ret=0 now=D0"}));
    function.system.options().vfs_enabled = true;
    EXPECT_EQ(events(3), (Lines{"zap", "set_power D3 ret=-16"}));
    function.system.options() = {};
    function.set_hardware(0x44, 2, 0xffff);
    function.read_only(0x44, 2);
    EXPECT_EQ(events(3), (Lines{"zap", "set_power D3 ret=-5 now=D4"}));
    EXPECT_EQ(events(0), (Lines{"set_power D0 ret=-5 now=D4"}));
}

TEST(SystemModel, masks_a_line_it_delivers) {
    Function function;
    function.facts.pci_2_3 = false;
    auto& space = function.open(Policy::kernel_6_1);
    function.system.set_irq_type(config::IrqType::intx);
    EXPECT_TRUE(space.set_intx_disabled(true));
    EXPECT_EQ(function.log.take(), (Lines{"zap", "004 2 0000", "intx_mask", "disable_irq"}));
    EXPECT_TRUE(space.set_intx_disabled(false));
    EXPECT_EQ(function.log.take(), (Lines{"zap", "004 2 0000", "intx_unmask", "enable_irq"}));
}

TEST(SystemModel, sends_a_pending_interrupt_again) {
    Function function;
    auto& space = function.open(Policy::kernel_6_1);
    function.system.set_irq_type(config::IrqType::intx);
    EXPECT_TRUE(space.set_intx_disabled(true));
    function.log.take();
    function.image.bytes()[6] |= 0x08;
    EXPECT_TRUE(space.set_intx_disabled(false));
    EXPECT_EQ(function.log.take(), (Lines{"zap", "004 2 0400", "intx_unmask", "intx_resend"}));
    EXPECT_EQ(function.hardware(4, 2), 0x400U) << "stays masked until it was seen";
}

TEST(SystemModel, says_when_there_is_no_reset) {
    Function function;
    add_resettable(function);
    function.system.options().reset_supported = false;
    auto& space = function.open(Policy::kernel_6_1);
    EXPECT_TRUE(space.write16(0x68, 0xa810));
    EXPECT_EQ(function.log.take(), (Lines{"068 2 2810", "zap", "reset ret=-25"}));

    EXPECT_EQ(space.diagnostics().back().kind, config::DiagnosticKind::effect_failed);
}

} // namespace
