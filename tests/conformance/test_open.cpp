// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <sluice/config/space.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;

namespace {

TEST(DeviceOpen, opens_and_closes_ten_times) {
    for (int i = 0; i < 10; ++i) {
        auto dev = open_device();
        ASSERT_NE(dev, nullptr) << "round " << i;
        EXPECT_EQ(dev->config().read16(0).value(), kind().vendor);
    }
}

TEST(DeviceOpen, tells_who_the_device_is) {
    auto dev = open_device();
    ASSERT_NE(dev, nullptr);
    const pci::Function facts = function();
    EXPECT_EQ(dev->name(), address().to_string());
    EXPECT_EQ(dev->identity().transport, facts.driver);
    EXPECT_EQ(dev->identity().vendor, kind().vendor);
    EXPECT_EQ(dev->identity().device, kind().device);
    EXPECT_EQ(dev->identity().subsystem_vendor, facts.subsystem_vendor);
    EXPECT_EQ(dev->identity().subsystem_device, facts.subsystem_device);
    EXPECT_EQ(dev->identity().class_code, facts.class_code);
    EXPECT_EQ(dev->identity().revision, facts.revision);
    EXPECT_EQ(dev->identity().numa_node, facts.numa_node);
}

TEST(DeviceOpen, is_refused_while_this_process_has_it_open) {
    auto dev = open_device();
    ASSERT_NE(dev, nullptr);
    auto second = device::open(address());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), EBUSY);
    dev.reset();
    EXPECT_TRUE(device::open(address())) << "and is possible again afterwards";
}

TEST(DeviceOpen, insists_on_the_transport_that_was_asked_for) {
    const bool vfio = function().driver == "vfio-pci";
    const auto right = vfio ? device::Transport::vfio : device::Transport::sluice;
    const auto wrong = vfio ? device::Transport::sluice : device::Transport::vfio;
    EXPECT_EQ(code(device::open(address(), {.transport = wrong})), EINVAL);
    EXPECT_TRUE(device::open(address(), {.transport = right}));
}

TEST(DeviceOpen, fails_with_enodev_where_there_is_nothing) {
    EXPECT_EQ(code(device::open(pci::Address{0xfffe, 0xff, 31, 7})), ENODEV);
}

TEST(DeviceOpen, takes_a_space_of_ones_own) {
    auto space = device::new_space(address());
    ASSERT_TRUE(space) << space.error().message();
    {
        auto dev = open_device({.space = *space});
        ASSERT_NE(dev, nullptr);
        EXPECT_EQ(dev->space(), *space);
    }
    space->reset();
    auto dev = open_device();
    ASSERT_NE(dev, nullptr);
    EXPECT_NE(dev->space(), nullptr);
}

} // namespace
