// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <sluice/pci/sysfs.hpp>

#include "fake_sysfs.hpp"

using sluice::pci::Address;
using sluice::pci::Roots;
using sluice::pci::Sysfs;
using sluice::test::at;
using sluice::test::FakeSysfs;

TEST(Sysfs, reads_all_that_a_function_shows) {
    FakeSysfs fake;
    fake.add(
        {.address = "0000:01:00.0", .driver = "e1000e", .group = 7, .interfaces = {"eth1"}, .numa_node = 1});
    auto function = fake.sysfs().find(at("01:00.0"));
    ASSERT_TRUE(function) << function.error().message();
    EXPECT_EQ(function->address.to_string(), "0000:01:00.0");
    EXPECT_EQ(function->vendor, 0x8086);
    EXPECT_EQ(function->device, 0x10d3);
    EXPECT_EQ(function->subsystem_vendor, 0x1af4);
    EXPECT_EQ(function->subsystem_device, 0x1100);
    EXPECT_EQ(function->class_code, 0x020000u);
    EXPECT_TRUE(function->is_network());
    EXPECT_EQ(function->revision, 3);
    EXPECT_EQ(function->header_type, 0);
    EXPECT_EQ(function->driver, "e1000e");
    EXPECT_EQ(function->driver_override, "");
    EXPECT_EQ(function->modalias, "pci:v00008086d000010D3sv00001AF4sd00001100bc02sc00i00");
    EXPECT_EQ(function->numa_node, 1);
    EXPECT_EQ(function->group, 7u);
    EXPECT_EQ(function->group_members, std::vector{at("01:00.0")});
    EXPECT_EQ(function->config_size, 4096u);
    EXPECT_EQ(function->interfaces, std::vector<std::string>{"eth1"});
    EXPECT_EQ(function->sluice, "");
}

TEST(Sysfs, reads_resources_with_sizes_and_kinds) {
    FakeSysfs fake;
    fake.add({.address = "0000:01:00.0"});
    auto function = fake.sysfs().find(at("01:00.0"));
    ASSERT_TRUE(function);
    EXPECT_EQ(function->resources[0].start, 0xfe840000u);
    EXPECT_EQ(function->resources[0].size(), 0x20000u);
    EXPECT_TRUE(function->resources[0].is_memory());
    EXPECT_FALSE(function->resources[0].is_64bit());
    EXPECT_EQ(function->resources[1].size(), 0u);
    EXPECT_TRUE(function->resources[2].is_io());
    EXPECT_TRUE(function->resources[3].is_64bit());
    EXPECT_TRUE(function->resources[3].is_prefetchable());
    EXPECT_EQ(function->resources[6].size(), 0u);
}

TEST(Sysfs, finds_interfaces_below_a_virtio_bus) {
    FakeSysfs fake;
    fake.add({.address = "0000:00:03.0", .vendor = 0x1af4, .device = 0x1041, .driver = "virtio-pci"});
    fake.folder("sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0");
    EXPECT_EQ(fake.sysfs().find(at("00:03.0"))->interfaces, std::vector<std::string>{"eth0"});
}

TEST(Sysfs, takes_no_interface_of_a_function_behind_a_bridge) {
    FakeSysfs fake;
    fake.add({.address = "0000:00:01.0", .class_code = 0x060400, .header_type = 1});
    fake.folder("sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/net/eth0");
    auto bridge = fake.sysfs().find(at("00:01.0"));
    EXPECT_TRUE(bridge->interfaces.empty());
    EXPECT_EQ(bridge->header_type, 1);
}

TEST(Sysfs, drops_the_multifunction_bit_of_the_header_type) {
    FakeSysfs fake;
    fake.add({.address = "0000:00:01.0", .header_type = 0x80});
    EXPECT_EQ(fake.sysfs().find(at("00:01.0"))->header_type, 0);
}

TEST(Sysfs, leaves_out_what_is_not_there) {
    FakeSysfs fake;
    fake.add({.address = "0000:01:00.0"});
    fake.remove("sys/devices/pci0000:00/0000:01:00.0/config");
    fake.remove("sys/devices/pci0000:00/0000:01:00.0/numa_node");
    auto function = fake.sysfs().find(at("01:00.0"));
    ASSERT_TRUE(function);
    EXPECT_FALSE(function->group);
    EXPECT_TRUE(function->group_members.empty());
    EXPECT_FALSE(function->header_type);
    EXPECT_EQ(function->numa_node, -1);
    EXPECT_EQ(function->driver, "");
    EXPECT_FALSE(function->is_virtual());
}

TEST(Sysfs, tells_virtual_from_physical_functions) {
    FakeSysfs fake;
    fake.add({.address = "0000:01:00.0"});
    fake.add({.address = "0000:01:10.0"});
    fake.add({.address = "0000:01:10.2"});
    fake.set_virtual("0000:01:00.0", "0000:01:10.0", 0);
    fake.set_virtual("0000:01:00.0", "0000:01:10.2", 1);
    auto physical = fake.sysfs().find(at("01:00.0"));
    EXPECT_EQ(physical->virtual_functions, (std::vector{at("01:10.0"), at("01:10.2")}));
    EXPECT_EQ(physical->total_vfs, 8u);
    auto virt = fake.sysfs().find(at("01:10.2"));
    EXPECT_TRUE(virt->is_virtual());
    EXPECT_EQ(virt->physical_function, at("01:00.0"));
}

TEST(Sysfs, follows_the_sluice_link) {
    FakeSysfs fake;
    fake.add({.address = "0000:01:00.0", .driver = "sluice-pci", .group = 7});
    fake.link("sys/devices/pci0000:00/0000:01:00.0/sluice", "../../../class/sluice/3");
    EXPECT_EQ(fake.sysfs().find(at("01:00.0"))->sluice, "3");
}

TEST(Sysfs, scans_in_bus_order_and_skips_what_is_half_gone) {
    FakeSysfs fake;
    for (const char* address : {"0001:00:00.0", "0000:02:00.0", "0000:01:00.1", "0000:01:00.0"})
        fake.add({.address = address});
    fake.remove("sys/devices/pci0000:00/0000:01:00.1/vendor");
    auto functions = fake.sysfs().scan();
    ASSERT_TRUE(functions);
    ASSERT_EQ(functions->size(), 3u);
    EXPECT_EQ((*functions)[0].address, at("0000:01:00.0"));
    EXPECT_EQ((*functions)[1].address, at("0000:02:00.0"));
    EXPECT_EQ((*functions)[2].address, at("0001:00:00.0"));
}

TEST(Sysfs, orders_domains_by_number) {
    FakeSysfs fake;
    for (const char* address : {"10000:00:00.0", "2000:00:00.0"})
        fake.add({.address = address});
    auto functions = fake.sysfs().scan();
    ASSERT_TRUE(functions);
    ASSERT_EQ(functions->size(), 2u);
    EXPECT_EQ((*functions)[0].address, at("2000:00:00.0"));
}

TEST(Sysfs, says_so_when_a_function_is_missing) {
    FakeSysfs fake;
    auto function = fake.sysfs().find(at("09:00.0"));
    ASSERT_FALSE(function);
    EXPECT_EQ(function.error().code(), ENODEV);
    EXPECT_EQ(function.error().object(), "0000:09:00.0");
}

TEST(Sysfs, says_so_when_there_is_no_bus) {
    auto functions = Sysfs(Roots::under("/nonexistent")).scan();
    ASSERT_FALSE(functions);
    EXPECT_EQ(functions.error().code(), ENOENT);
}

TEST(Sysfs, lists_groups_by_number_with_members_and_regions) {
    FakeSysfs fake;
    fake.add({.address = "0000:01:00.1", .group = 10});
    fake.add({.address = "0000:01:00.0", .group = 10});
    fake.add({.address = "0000:02:00.0", .group = 9});
    fake.write("sys/kernel/iommu_groups/9/reserved_regions",
               "0x00000000bdd00000 0x00000000bddfffff direct\n"
               "0x00000000be000000 0x00000000be0fffff direct-relaxable\n"
               "0x00000000fee00000 0x00000000feefffff msi\n");
    fake.folder("sys/kernel/iommu_groups/9/devices/platform.0");
    auto groups = fake.sysfs().groups();
    ASSERT_EQ(groups.size(), 2u);
    EXPECT_EQ(groups[0].number, 9u);
    EXPECT_EQ(groups[0].direct, std::vector<std::string>{"0x00000000bdd00000-0x00000000bddfffff"});
    EXPECT_EQ(groups[0].others, std::vector<std::string>{"platform.0"});
    EXPECT_EQ(groups[1].members, (std::vector{at("01:00.0"), at("01:00.1")}));
    EXPECT_EQ(groups[1].type, "DMA-FQ");
    EXPECT_TRUE(groups[1].direct.empty());
    EXPECT_FALSE(fake.sysfs().group(11));
}

TEST(Sysfs, knows_drivers_in_both_spellings) {
    FakeSysfs fake;
    fake.add_driver("sluice-pci");
    EXPECT_TRUE(fake.sysfs().has_driver("sluice-pci"));
    EXPECT_TRUE(fake.sysfs().has_driver("sluice_pci"));
    EXPECT_FALSE(fake.sysfs().has_driver("vfio-pci"));
    EXPECT_FALSE(fake.sysfs().has_driver(""));
    EXPECT_FALSE(fake.sysfs().has_driver("../devices"));
}

TEST(Function, knows_which_drivers_share_a_group) {
    using sluice::pci::shares_group;
    for (const char* name : {"", "vfio-pci", "sluice-pci", "pcieport", "pci-stub", "mlx5-vfio-pci"})
        EXPECT_TRUE(shares_group(name)) << name;
    for (const char* name : {"e1000e", "uio_pci_generic", "igb_uio", "virtio-pci"})
        EXPECT_FALSE(shares_group(name)) << name;
}

TEST(Function, knows_the_drivers_that_leave_it_to_userspace) {
    using sluice::pci::is_userspace_driver;
    for (const char* name :
         {"vfio-pci", "sluice-pci", "uio_pci_generic", "igb_uio", "pci-stub", "mlx5_vfio_pci"})
        EXPECT_TRUE(is_userspace_driver(name)) << name;
    for (const char* name : {"", "e1000e", "pcieport", "nvme"})
        EXPECT_FALSE(is_userspace_driver(name)) << name;
}
