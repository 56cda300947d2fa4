// SPDX-License-Identifier: BSD-3-Clause
#include <csetjmp>
#include <csignal>

#include <cerrno>
#include <optional>

#include <sluice/config/space.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;
using device::Region;

namespace {

class DeviceRegions : public OpenDevice {
  protected:
    Region bar() const { return device::bar(kind().bar); }

    Result<std::uint32_t> read32(std::uint64_t offset) {
        std::uint32_t value = 0;
        auto done = dev().read(bar(), offset, std::as_writable_bytes(std::span(&value, 1)));
        if (!done)
            return propagate(std::move(done));
        return value;
    }
};

sigjmp_buf escape;
volatile std::uint32_t loaded;

void on_bus_error(int) {
    siglongjmp(escape, 1);
}

/// A load that may raise SIGBUS: empty if it did.
std::optional<std::uint32_t> careful_load(const std::byte* at) {
    struct sigaction ours{};
    struct sigaction before{};
    ours.sa_handler = on_bus_error;
    ::sigaction(SIGBUS, &ours, &before);
    const bool faulted = sigsetjmp(escape, 1) != 0;
    if (!faulted)
        loaded = *reinterpret_cast<const volatile std::uint32_t*>(at);
    ::sigaction(SIGBUS, &before, nullptr);
    return faulted ? std::nullopt : std::optional<std::uint32_t>(loaded);
}

TEST_F(DeviceRegions, are_those_of_sysfs) {
    const pci::Function facts = function();
    for (unsigned i = 0; i < 6; ++i) {
        const device::RegionInfo& info = dev().region(device::bar(i));
        const pci::Resource& resource = facts.resources[i];
        EXPECT_EQ(info.size, resource.size()) << "BAR" << i;
        EXPECT_EQ(info.port_io, resource.is_io()) << "BAR" << i;
        EXPECT_EQ(info.readable, info.present()) << "BAR" << i;
        EXPECT_EQ(info.writable, info.present()) << "BAR" << i;
        if (resource.is_io() || !info.present()) {
            EXPECT_TRUE(info.mappable.empty()) << "BAR" << i;
        }
    }
    EXPECT_FALSE(dev().region(Region::rom).writable);
    EXPECT_TRUE(dev().region(Region::rom).mappable.empty());
    EXPECT_FALSE(dev().region(bar()).mappable.empty());
}

TEST_F(DeviceRegions, read_alike_by_mapping_and_by_call) {
    auto mapping = dev().map(bar());
    ASSERT_TRUE(mapping) << mapping.error().message();
    ASSERT_EQ(mapping->size(), dev().region(bar()).size);
    const auto mapped = *reinterpret_cast<const volatile std::uint32_t*>(mapping->data() + kind().still);
    const auto called = read32(kind().still);
    ASSERT_TRUE(called) << called.error().message();
    EXPECT_EQ(mapped, *called);
    EXPECT_NE(mapped, 0U);
    EXPECT_NE(mapped, 0xffffffffU);
}

TEST_F(DeviceRegions, map_from_any_page_but_never_beyond_the_end) {
    const std::uint64_t size = dev().region(bar()).size;
    EXPECT_EQ(code(dev().map(bar(), size - page, page)), 0);
    EXPECT_EQ(code(dev().map(bar(), size - page, 2 * page)), EINVAL);
    EXPECT_EQ(code(dev().map(bar(), size, page)), EINVAL);
    EXPECT_EQ(code(dev().map(bar(), 1, page)), EINVAL);
    EXPECT_EQ(code(dev().map(bar(), 0, 0)), EINVAL);
    EXPECT_EQ(code(dev().map(bar(), 0, SIZE_MAX)), EINVAL);
}

TEST_F(DeviceRegions, refuse_access_beyond_the_end) {
    const std::uint64_t size = dev().region(bar()).size;
    EXPECT_EQ(code(read32(size - 4)), 0);
    EXPECT_EQ(code(read32(size - 3)), EINVAL);
    EXPECT_EQ(code(read32(size)), EINVAL);
    EXPECT_EQ(code(read32(~std::uint64_t{3})), EINVAL);
}

TEST_F(DeviceRegions, are_out_of_reach_while_memory_decoding_is_off) {
    auto mapping = dev().map(bar());
    ASSERT_TRUE(mapping);
    const auto before = careful_load(mapping->data() + kind().still);
    ASSERT_TRUE(before);
    ASSERT_TRUE(dev().config().set_memory_decoding(false));
    EXPECT_EQ(code(read32(kind().still)), EIO);
    EXPECT_FALSE(careful_load(mapping->data() + kind().still)) << "SIGBUS";
    ASSERT_TRUE(dev().config().set_memory_decoding(true));
    EXPECT_EQ(careful_load(mapping->data() + kind().still), before) << "the same mapping works again";
    EXPECT_EQ(read32(kind().still).value_or(0), *before);
}

TEST_F(DeviceRegions, stay_what_they_were_over_a_reset) {
    const auto bars = [&] {
        std::vector<std::uint32_t> values;
        for (std::uint32_t i = 0; i < 6; ++i)
            values.push_back(dev().config().read32(0x10 + 4 * i).value());
        return values;
    };
    const auto before = bars();
    const auto raw = raw_config();
    auto done = dev().reset();
    EXPECT_EQ(code(done), 0);
    EXPECT_EQ(bars(), before);
    const auto after = raw_config();
    EXPECT_TRUE(std::equal(raw.begin() + 0x10, raw.begin() + 0x28, after.begin() + 0x10)) << "hardware BARs";
    EXPECT_TRUE(becomes([&] { return registers().read(kind().still, 4) != 0xffffffffU; }));
}

} // namespace
