// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <sluice/config/space.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;

namespace {

class DeviceConfig : public OpenDevice {
  protected:
    config::Space& space() { return dev().config(); }
};

TEST_F(DeviceConfig, shows_the_devices_own_header) {
    const auto raw = raw_config();
    ASSERT_GE(raw.size(), 64U);
    EXPECT_EQ(space().size(), raw.size());
    for (const std::uint32_t offset : {0x00U, 0x02U, 0x08U, 0x0aU, 0x2cU, 0x2eU})
        EXPECT_EQ(space().read16(offset).value(), raw[offset] | raw[offset + 1] << 8) << std::hex << offset;
    EXPECT_EQ(space().read8(0x0e).value(), raw[0x0e]);
}

TEST_F(DeviceConfig, carries_bus_mastering_to_the_hardware) {
    constexpr std::uint8_t master = 4; // COMMAND, PCI Local Bus 3.0 §6.2.2
    EXPECT_EQ(raw_config()[4] & master, master);
    ASSERT_TRUE(space().set_bus_master(false));
    EXPECT_EQ(raw_config()[4] & master, 0);
    ASSERT_TRUE(space().set_bus_master(true));
    EXPECT_EQ(raw_config()[4] & master, master);
}

TEST_F(DeviceConfig, keeps_ids_and_bars_of_the_hardware_from_the_user) {
    const auto before = raw_config();
    ASSERT_TRUE(space().write32(0x00, 0xdeadbeef));
    for (std::uint32_t bar = 0x10; bar < 0x28; bar += 4)
        ASSERT_TRUE(space().write32(bar, 0xffffffff));
    const auto after = raw_config();
    EXPECT_TRUE(std::equal(before.begin(), before.begin() + 4, after.begin()));
    EXPECT_TRUE(std::equal(before.begin() + 0x10, before.begin() + 0x28, after.begin() + 0x10));
    EXPECT_EQ(space().read16(0).value(), kind().vendor);
}

TEST_F(DeviceConfig, sizes_bars_by_the_usual_protocol) {
    const std::uint32_t offset = 0x10 + 4 * kind().bar;
    const std::uint32_t before = space().read32(offset).value();
    ASSERT_TRUE(space().write32(offset, 0xffffffff));
    const std::uint32_t mask = space().read32(offset).value() & ~std::uint32_t{0xf};
    ASSERT_TRUE(space().write32(offset, before));
    EXPECT_EQ(~mask + 1, dev().region(device::bar(kind().bar)).size);
}

TEST_F(DeviceConfig, finds_the_capability_of_its_interrupts) {
    const bool msix = dev().interrupts().info(device::Irq::msix).count > 0;
    const bool msi = dev().interrupts().info(device::Irq::msi).count > 0;
    EXPECT_EQ(space().find_capability(0x11) != 0, msix);
    EXPECT_EQ(space().find_capability(0x05) != 0, msi);
    EXPECT_TRUE(msi || msix);
}

TEST_F(DeviceConfig, refuses_bytes_beyond_the_end) {
    std::array<std::byte, 4> bytes{};
    EXPECT_EQ(code(space().read(space().size() - 2, bytes)), EFAULT);
    EXPECT_EQ(code(space().write(space().size(), bytes)), EFAULT);
}

} // namespace
