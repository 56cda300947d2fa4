// SPDX-License-Identifier: BSD-3-Clause
// Hardware that fails at one register, whatever it is, and everything that the engine does with registers.
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sluice/config/sysfs.hpp>

#include "images.hpp"

using namespace sluice;
using config::Policy;
using sluice::testing::every_policy;
using sluice::testing::Function;

namespace {

void add_some(Function& function) {
    function.capability(0x40, 0x01, {0x03, 0x00, 0x08, 0x00}).capability(0x48, 0x03);
    function.capability(0x50, 0x05, {0x8a, 0x01}).capability(0x70, 0x09, {0x10});
    function.capability(0x80, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x10, 0x28})
        .capability(0xd8, 0x13, {0x06, 0x03});
    function.extended(0x100, 0x0001).extended(0x140, 0x0003);
    function.set_hardware(0x10, 4, 0xf0000000);
    function.system.options().vpd = std::vector<std::uint8_t>(64, 0x5a);
}

/// Every kind of access; how many of them failed with the injected error, and that none failed otherwise.
unsigned touch_everything(config::Space& space) {
    unsigned failed = 0;
    const auto count = [&](const auto& result) {
        if (result)
            return;
        ++failed;
        const int code = result.error().code();
        EXPECT_TRUE(code == ENODEV || code == ENOTSUP) << result.error().message();
    };
    for (const std::uint32_t offset :
         {0x00U, 0x04U, 0x06U, 0x41U, 0x44U, 0x52U, 0x72U, 0x88U, 0xdbU, 0x104U, 0x140U}) {
        count(space.read8(offset));
        count(space.read16(offset & ~1U));
        count(space.read32(offset & ~3U));
        count(space.read32(offset | 1U));
        count(space.write8(offset, 0));
        count(space.write16(offset | 1U, 0));
    }
    count(space.write32(0x04, 0x00000406));
    count(space.write16(0x04, 0x0002));
    count(space.write16(0x04, 0x0000));
    count(space.set_bus_master(true));
    count(space.set_memory_decoding(true));
    count(space.set_intx_disabled(true));
    count(space.set_intx_disabled(false));
    count(space.request_reset());
    count(space.write16(0x88, 0x8000));
    count(space.write16(0x88, 0x2000));
    count(space.write16(0x88, 0x5000));
    count(space.write8(0xdc, 0x01));
    count(space.write16(0x44, 3));
    count(space.write16(0x44, 0));
    count(space.write16(0x4a, 0x0004));
    count(space.write16(0x4a, 0x8004));
    count(space.write16(0x52, 0x0021));
    EXPECT_LT(space.find_capability(0x13), 0x100U);
    EXPECT_LT(space.find_capability(0x13, 0x48), 0x100U);
    EXPECT_LT(space.find_extended_capability(0x03), 0x1000U);
    EXPECT_LT(space.find_extended_capability(0x03, 0x100), 0x1000U);
    return failed;
}

/// A mediator below that makes VPD accesses, or one that only keeps bytes.
struct Passing final : config::Effects {
    Result<config::Disposition> restore_bars(std::span<const std::uint32_t, 7>) override {
        return config::Disposition::pass_write;
    }
};

TEST(Failures, of_any_register_are_handed_on_or_noted) {
    for (const Policy policy : every_policy)
        for (const bool passes : {false, true}) {
            unsigned failed = 0;
            for (std::uint32_t offset = 0; offset < 0x150; offset += 2)
                for (const unsigned direction : {1U, 2U, 3U}) {
                    Function function(4096);
                    add_some(function);
                    function.facts.nointx = offset % 4 != 0;
                    ASSERT_TRUE(function.facts.scan(function.image));
                    function.system.scan();
                    Passing passing;
                    auto space = config::Space::create(
                        function.image, passes ? passing : static_cast<config::Effects&>(function.system),
                        function.facts, policy);
                    ASSERT_TRUE(space);
                    function.set_hardware(0x10, 4, 0);
                    function.image.inject_errors(offset, 2, 0x86, (direction & 1) != 0, (direction & 2) != 0);
                    failed += touch_everything(*space);
                    function.image.inject_errors(0, 0, 0, false, false);
                    EXPECT_EQ(*space->read16(0), 0x1234U);
                }
            EXPECT_GT(failed, 100U);
        }
}

TEST(Failures, while_opening_leave_no_space_behind) {
    for (const Policy policy : every_policy)
        for (std::uint32_t offset = 0; offset < 0x150; ++offset) {
            Function function(4096);
            add_some(function);
            ASSERT_TRUE(function.facts.scan(function.image));
            function.image.inject_errors(offset, 1, 0x86, true, false);
            auto space = config::Space::create(function.image, function.system, function.facts, policy);
            if (!space) {
                EXPECT_EQ(space.error().code(), ENODEV);
            } else {
                EXPECT_TRUE(offset >= 0x40) << "the header is always read";
            }
        }
}

TEST(Failures, of_a_misaligned_capability_are_the_kernels) {
    Function function;
    function.capability(0x41, 0x05, {0x80, 0x00});
    ASSERT_TRUE(function.facts.scan(function.image));
    auto kernel = config::Space::create(function.image, function.system, function.facts, Policy::kernel_6_1);
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().code(), EFAULT);
    EXPECT_TRUE(config::Space::create(function.image, function.system, function.facts, Policy::strict));
}

TEST(Failures, past_the_end_are_the_kernels_alone) {
    Function function(4096);
    function.capability(0x40, 0x10, {0x02, 0x00});
    function.extended(0x100, 0x03).extended(0xff8, 0x15);
    ASSERT_TRUE(function.facts.scan(function.image));
    auto kernel = config::Space::create(function.image, function.system, function.facts, Policy::kernel_6_1);
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().code(), EINVAL);
    EXPECT_TRUE(config::Space::create(function.image, function.system, function.facts, Policy::strict));
}

TEST(Failures, diagnostics_are_bounded) {
    Function function;
    function.capability(0x40, 0x03).capability(0x60, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10});
    auto& space = function.open();
    for (unsigned times = 0; times < 1000; ++times)
        EXPECT_TRUE(space.write16(0x42, 0)); // no VPD: fails each time
    EXPECT_EQ(space.diagnostics().size(), 256U);
}

class Files : public ::testing::Test {
  protected:
    Files() {
        char name[] = "/tmp/config.XXXXXX";
        folder_ = ::mkdtemp(name);
    }
    ~Files() override { std::filesystem::remove_all(folder_); }
    std::string file(std::size_t length) const {
        const std::string path = folder_ + "/config";
        std::ofstream(path, std::ios::binary | std::ios::trunc) << std::string(length, '\x11');
        return path;
    }
    std::string folder_;
};

TEST_F(Files, image_takes_its_size_from_the_file) {
    EXPECT_EQ(config::Image::load(file(256))->size(), 256U);
    EXPECT_EQ(config::Image::load(file(4096))->size(), 4096U);
    EXPECT_EQ(config::Image::load(file(100))->size(), 256U);
    EXPECT_EQ(config::Image::load(file(5000))->size(), 4096U);
    EXPECT_EQ(config::Image::load(file(300))->bytes()[0x110], 0U);
    auto few = config::Image::load(file(63));
    ASSERT_FALSE(few);
    EXPECT_EQ(few.error().code(), EINVAL);
    EXPECT_FALSE(config::Image::load(folder_ + "/none"));
    EXPECT_FALSE(config::Image::load(folder_));
}

TEST_F(Files, image_answers_as_a_bus_outside) {
    config::Image image(256);
    EXPECT_EQ(*image.read(0x200, 4), 0xffffffffU);
    EXPECT_TRUE(image.write(0x200, 4, 0));
    EXPECT_FALSE(image.read(0x1000, 1));
    EXPECT_FALSE(image.write(0x1000, 1, 0));
    image.inject_errors(0x40, 4, 0x88, true, false);
    EXPECT_TRUE(image.write(0x40, 4, 1));
    EXPECT_FALSE(image.read(0x43, 1));
    EXPECT_TRUE(image.read(0x44, 1));
    EXPECT_TRUE(image.read(0x3c, 4));
}

TEST_F(Files, sysfs_is_read_only) {
    auto small = config::SysfsBackend::open(file(256));
    ASSERT_TRUE(small);
    EXPECT_EQ(small->size(), 256U);
    EXPECT_EQ(*small->read(0x10, 2), 0x1111U);
    auto written = small->write(0x10, 2, 0);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), EROFS);
    EXPECT_EQ(config::SysfsBackend::open(file(4096))->size(), 4096U);
    EXPECT_EQ(config::SysfsBackend::open(file(64)).error().code(), EACCES);
    EXPECT_EQ(config::SysfsBackend::open(file(0)).error().code(), EIO);
    EXPECT_FALSE(config::SysfsBackend::open(folder_ + "/none"));
    auto shrinking = config::SysfsBackend::open(file(256));
    file(16);
    EXPECT_EQ(shrinking->read(0x10, 2).error().code(), EIO);
}

} // namespace
