// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <sluice/pci/bind.hpp>

#include "fake_kernel.hpp"

using sluice::pci::Address;
using sluice::pci::Binder;
using sluice::pci::Change;
using sluice::test::at;
using sluice::test::FakeKernel;
using sluice::test::FakeSysfs;

namespace {

constexpr const char* first = "0000:01:00.0";
constexpr const char* second = "0000:02:00.0";

class BindTest : public testing::Test {
  protected:
    BindTest() {
        fake.add({.address = first, .driver = "e1000e", .group = 1});
        fake.add({.address = second, .driver = "e1000e", .group = 2});
        fake.add_driver("vfio-pci");
        fake.add_driver("sluice-pci");
        kernel.matches("e1000e", first);
        kernel.matches("e1000e", second);
    }

    FakeSysfs fake;
    FakeKernel kernel{fake};
    Binder binder{fake.sysfs(), kernel};
};

} // namespace

TEST_F(BindTest, takes_a_device_from_its_kernel_driver) {
    auto bound = binder.bind(at(first), "vfio-pci");
    ASSERT_TRUE(bound) << bound.error().message();
    EXPECT_EQ(kernel.driver_of(first), "vfio-pci");
    EXPECT_EQ(kernel.override_of(first), "");
    std::string device = std::string("sys/bus/pci/devices/") + first;
    EXPECT_EQ(kernel.log(),
              (std::vector<std::string>{device + "/driver_override vfio-pci",
                                        std::string("sys/bus/pci/drivers/e1000e/unbind ") + first,
                                        device + "/driver_override vfio-pci",
                                        std::string("sys/bus/pci/drivers/vfio-pci/bind ") + first,
                                        device + "/driver_override \n"}));
}

TEST_F(BindTest, accepts_both_spellings) {
    ASSERT_TRUE(binder.bind(at(first), "sluice_pci"));
    EXPECT_EQ(kernel.driver_of(first), "sluice-pci");
    ASSERT_TRUE(binder.bind(at(second), "vfio_pci"));
    EXPECT_EQ(kernel.driver_of(second), "vfio-pci");
}

TEST_F(BindTest, gives_a_device_back_by_its_drivers_name) {
    ASSERT_TRUE(binder.bind(at(first), "sluice-pci"));
    auto back = binder.bind(at(first), "e1000e");
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
    EXPECT_EQ(kernel.override_of(first), "");
}

TEST_F(BindTest, drops_a_foreign_override_when_it_gives_a_device_back) {
    fake.set_driver(first, "vfio-pci");
    fake.write(std::string("sys/bus/pci/devices/") + first + "/driver_override", "vfio-pci\n");
    ASSERT_TRUE(binder.bind(at(first), "e1000e"));
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
    EXPECT_EQ(kernel.override_of(first), "");
}

TEST_F(BindTest, leaves_no_driver_when_unbound) {
    ASSERT_TRUE(binder.unbind(at(first)));
    EXPECT_EQ(kernel.driver_of(first), "");
    EXPECT_EQ(kernel.override_of(first), "");
    ASSERT_TRUE(binder.bind(at(first), "e1000e"));
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
}

TEST_F(BindTest, writes_nothing_when_all_is_as_wanted) {
    ASSERT_TRUE(binder.bind(at(first), "e1000e"));
    EXPECT_TRUE(kernel.log().empty());
}

TEST_F(BindTest, restores_the_previous_driver_when_the_new_one_refuses) {
    kernel.refuses("vfio-pci", first, EINVAL);
    auto bound = binder.bind(at(first), "vfio-pci");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), EINVAL);
    EXPECT_NE(bound.error().message().find("its driver is as before"), std::string::npos);
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
    EXPECT_EQ(kernel.override_of(first), "");
}

TEST_F(BindTest, restores_a_userspace_driver_and_the_override_that_stood_there) {
    fake.set_driver(first, "vfio-pci");
    fake.write(std::string("sys/bus/pci/devices/") + first + "/driver_override", "vfio-pci\n");
    kernel.refuses("sluice-pci", first, EIO);
    EXPECT_FALSE(binder.bind(at(first), "sluice-pci"));
    EXPECT_EQ(kernel.driver_of(first), "vfio-pci");
    EXPECT_EQ(kernel.override_of(first), "vfio-pci");
}

TEST_F(BindTest, says_so_when_a_kernel_driver_does_not_know_the_device) {
    fake.add_driver("igb");
    auto bound = binder.bind(at(first), "igb");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), ENODEV);
    EXPECT_NE(bound.error().message().find("does not take the device"), std::string::npos);
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
}

TEST_F(BindTest, says_so_when_the_way_back_fails_too) {
    kernel.refuses("vfio-pci", first, EINVAL);
    kernel.refuses("e1000e", first, ENOMEM);
    auto bound = binder.bind(at(first), "vfio-pci");
    ASSERT_FALSE(bound);
    EXPECT_NE(bound.error().message().find("so did the way back"), std::string::npos);
    EXPECT_EQ(kernel.override_of(first), "");
}

TEST_F(BindTest, touches_no_driver_when_it_may_not_write) {
    kernel.fails("/driver_override", EACCES);
    auto bound = binder.bind(at(first), "vfio-pci");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), EACCES);
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
    EXPECT_EQ(kernel.log().size(), 1u);
}

TEST_F(BindTest, keeps_the_driver_when_unbinding_fails) {
    kernel.fails("e1000e/unbind", EBUSY);
    EXPECT_FALSE(binder.bind(at(first), "vfio-pci"));
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
    EXPECT_EQ(kernel.override_of(first), "");
}

TEST_F(BindTest, undoes_all_when_one_of_several_fails) {
    fake.add({.address = "0000:03:00.0", .group = 3});
    kernel.refuses("vfio-pci", "0000:03:00.0", EINVAL);
    const Change changes[] = {{at(first), "vfio-pci"}, {at(second), "vfio-pci"}, {at("03:00.0"), "vfio-pci"}};
    auto bound = binder.apply(changes);
    ASSERT_FALSE(bound);
    EXPECT_NE(bound.error().message().find("0000:03:00.0"), std::string::npos);
    EXPECT_EQ(kernel.driver_of(first), "e1000e");
    EXPECT_EQ(kernel.driver_of(second), "e1000e");
    EXPECT_EQ(kernel.driver_of("0000:03:00.0"), "");
}

TEST_F(BindTest, checks_all_before_it_changes_any) {
    const Change changes[] = {{at(first), "vfio-pci"}, {at("09:00.0"), "vfio-pci"}};
    auto bound = binder.apply(changes);
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), ENODEV);
    EXPECT_TRUE(kernel.log().empty());
}

TEST_F(BindTest, refuses_a_driver_that_is_not_loaded) {
    auto bound = binder.bind(at(first), "igb_uio");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), ENOENT);
    EXPECT_NE(bound.error().message().find("modprobe"), std::string::npos);
}

TEST_F(BindTest, refuses_a_bridge) {
    fake.add({.address = "0000:00:1c.0",
              .class_code = 0x060400,
              .driver = "pcieport",
              .group = 4,
              .header_type = 1});
    auto bound = binder.bind(at("00:1c.0"), "vfio-pci");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), EOPNOTSUPP);
    EXPECT_EQ(kernel.driver_of("0000:00:1c.0"), "pcieport");
}

TEST_F(BindTest, refuses_a_function_with_live_virtual_functions) {
    fake.add({.address = "0000:01:10.0", .group = 5});
    fake.set_virtual(first, "0000:01:10.0", 0);
    auto bound = binder.bind(at(first), "sluice-pci");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), EBUSY);
    EXPECT_TRUE(binder.bind(at("01:10.0"), "sluice-pci"));
}

TEST_F(BindTest, wants_an_iommu_group_unless_the_module_goes_without) {
    fake.add({.address = "0000:03:00.0"});
    auto bound = binder.bind(at("03:00.0"), "vfio-pci");
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code(), EOPNOTSUPP);
    EXPECT_NE(bound.error().message().find("no IOMMU group"), std::string::npos);

    fake.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
    ASSERT_TRUE(allow_noiommu(fake.sysfs(), "vfio-pci", kernel));
    EXPECT_TRUE(binder.bind(at("03:00.0"), "vfio-pci"));
    EXPECT_FALSE(binder.bind(at("03:00.0"), "sluice-pci"));
}

TEST_F(BindTest, says_so_when_the_kernel_has_no_mode_without_an_iommu) {
    auto allowed = allow_noiommu(fake.sysfs(), "vfio-pci", kernel);
    ASSERT_FALSE(allowed);
    EXPECT_EQ(allowed.error().code(), ENOENT);
}

TEST(KernelWriter, writes_a_file_and_names_one_that_it_cannot) {
    FakeSysfs fake;
    fake.write("sys/some", "before");
    ASSERT_TRUE(sluice::pci::kernel_writer().write(fake.root() + "/sys/some", "x"));
    EXPECT_EQ(fake.read("sys/some"), "x");
    auto missing = sluice::pci::kernel_writer().write(fake.root() + "/sys/none", "x");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ENOENT);
    EXPECT_EQ(missing.error().object(), fake.root() + "/sys/none");
}
