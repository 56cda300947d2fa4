// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>
#include <unistd.h>

#include <sluice/pci/use.hpp>

#include "fake_sysfs.hpp"

using sluice::pci::Address;
using sluice::pci::UseKind;
using sluice::test::FakeSysfs;

using namespace std::string_literals;

namespace {

constexpr const char* heading =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

class UseTest : public testing::Test {
  protected:
    UseTest() {
        fake.add({.address = "0000:01:00.0", .driver = "e1000e", .group = 7, .interfaces = {"eth1"}});
    }

    std::vector<std::string> texts(const std::string& ssh = "") {
        std::vector<std::string> found;
        for (const auto& use : pci_uses(ssh))
            found.push_back(use.text);
        return found;
    }
    std::vector<sluice::pci::Use> pci_uses(const std::string& ssh = "") {
        return sluice::pci::uses(fake.sysfs(), function(), ssh);
    }
    sluice::pci::Function function() { return *fake.sysfs().find(*Address::parse("01:00.0")); }

    void routes(const std::string& lines) { fake.write("proc/net/route", heading + lines); }
    void upper(const std::string& lower, const std::string& name, const std::string& type) {
        fake.write("sys/class/net/" + name + "/uevent",
                   type.empty() ? "INTERFACE=x\n" : "DEVTYPE=" + type + "\n");
        fake.link("sys/class/net/" + lower + "/upper_" + name, "../" + name);
    }

    FakeSysfs fake;
};

using Texts = std::vector<std::string>;

} // namespace

TEST_F(UseTest, finds_none_on_an_idle_interface) {
    routes("eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    EXPECT_EQ(texts(), Texts{});
    EXPECT_FALSE(carries_route(fake.sysfs(), function()));
}

TEST_F(UseTest, names_the_routes_of_an_interface) {
    routes("eth1\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
           "eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
    EXPECT_EQ(texts(), (Texts{"eth1 carries the default route", "eth1 carries the route 192.168.0.0/24"}));
    EXPECT_TRUE(carries_route(fake.sysfs(), function()));
}

TEST_F(UseTest, names_ipv6_routes_but_not_automatic_ones) {
    routes("eth1\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n");
    std::string zero(32, '0');
    fake.write("proc/net/ipv6_route",
               "fe800000000000000000000000000000 40 " + zero + " 00 " + zero +
                   " 00000100 1 0 00000001 eth1\n" + "ff000000000000000000000000000000 08 " + zero + " 00 " +
                   zero + " 00000100 1 0 00000001 eth1\n" + "20010db8000000000000000000000001 80 " + zero +
                   " 00 " + zero + " 00000000 1 0 80200001 eth1\n" + zero + " 00 " + zero + " 00 " + zero +
                   " ffffffff 1 0 00200200 lo\n");
    EXPECT_EQ(texts(), Texts{});
    fake.write("proc/net/ipv6_route", "20010db8000000000000000000000000 40 " + zero + " 00 " + zero +
                                          " 00000100 1 0 00000001 eth1\n");
    EXPECT_EQ(texts(), Texts{"eth1 carries the route 2001:db8::/64"});
}

TEST_F(UseTest, names_bond_bridge_vlan_and_others) {
    upper("eth1", "bond0", "bond");
    upper("eth1", "br0", "bridge");
    upper("eth1", "eth1.100", "vlan");
    upper("eth1", "team0", "");
    fake.link("sys/class/net/eth1/master", "../bond0");
    EXPECT_EQ(texts(), (Texts{"eth1 is part of the bond bond0", "eth1 is part of the bridge br0",
                              "eth1 carries the VLAN eth1.100", "eth1 carries the interface team0"}));
}

TEST_F(UseTest, knows_a_master_without_an_upper_link) {
    fake.write("sys/class/net/br0/uevent", "DEVTYPE=bridge\n");
    fake.link("sys/class/net/eth1/master", "../br0");
    EXPECT_EQ(texts(), Texts{"eth1 is part of the bridge br0"});
}

TEST_F(UseTest, finds_the_ssh_connection_by_the_longest_route) {
    routes("eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
           "eth1\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n");
    auto found = pci_uses("10.0.0.5 51000 10.0.0.1 22");
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].kind, UseKind::ssh);
    EXPECT_EQ(found[0].text, "eth1 carries this ssh connection (from 10.0.0.5)");
    EXPECT_EQ(texts("192.0.2.5 51000 192.0.2.1 22"), Texts{"eth1 carries the route 10.0.0.0/8"});
}

TEST_F(UseTest, finds_the_ssh_connection_through_a_vlan_on_a_bond) {
    upper("eth1", "bond0", "bond");
    upper("bond0", "bond0.5", "vlan");
    routes("bond0.5\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    EXPECT_EQ(texts("10.0.0.5 51000 10.0.0.1 22")[0], "eth1 carries this ssh connection (from 10.0.0.5)");
}

TEST_F(UseTest, ends_where_interfaces_stand_on_each_other) {
    upper("eth1", "bond0", "bond");
    upper("bond0", "bond0.5", "vlan");
    upper("bond0.5", "bond0", "bond");
    routes("eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    EXPECT_EQ(texts("10.0.0.5 51000 10.0.0.1 22"), Texts{"eth1 is part of the bond bond0"});
}

TEST_F(UseTest, finds_an_ssh_connection_over_ipv6) {
    std::string zero(32, '0');
    fake.write("proc/net/ipv6_route", "20010db8000000000000000000000000 40 " + zero + " 00 " + zero +
                                          " 00000100 1 0 00000001 eth1\n" + zero + " 00 " + zero + " 00 " +
                                          zero + " 00000100 1 0 00000003 eth0\n");
    EXPECT_EQ(texts("2001:db8::9 51000 2001:db8::1 22")[0],
              "eth1 carries this ssh connection (from 2001:db8::9)");
    EXPECT_EQ(texts("2001:db9::9 51000 2001:db8::1 22"), Texts{"eth1 carries the route 2001:db8::/64"});
    EXPECT_EQ(texts("fe80::9%eth1 51000 fe80::1 22")[0],
              "eth1 carries this ssh connection (from fe80::9%eth1)");
}

TEST_F(UseTest, keeps_ipv4_clients_and_ipv6_routes_apart) {
    std::string zero(32, '0');
    fake.write("proc/net/ipv6_route", zero + " 00 " + zero + " 00 " + zero + " 00000100 1 0 00000003 eth1\n");
    EXPECT_EQ(texts("10.0.0.5 51000 10.0.0.1 22"), Texts{"eth1 carries the default route"});
    EXPECT_EQ(texts("2001:db8::9 51000 2001:db8::1 22").size(), 2u);
}

TEST_F(UseTest, finds_mounts_swaps_and_holders_of_disks) {
    fake.add({.address = "0000:02:00.0", .class_code = 0x010802, .driver = "nvme"});
    std::string base = "sys/devices/pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1";
    fake.link(base + "/subsystem", "../../../../../../class/block");
    for (const char* partition : {"nvme0n1p1", "nvme0n1p2", "nvme0n1p3"})
        fake.write(base + '/' + partition + "/partition", "1\n");
    fake.write("proc/mounts", "/dev/nvme0n1p1 /boot ext4 rw 0 0\nproc /proc proc rw 0 0\n");
    fake.write("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p2 partition 1 0 -2\n");
    fake.folder("sys/class/block/nvme0n1p3/holders/dm-0");
    Texts found;
    for (const auto& use :
         sluice::pci::uses(fake.sysfs(), *fake.sysfs().find(*Address::parse("02:00.0")), ""))
        found.push_back(use.text);
    EXPECT_EQ(found, (Texts{"nvme0n1p1 is mounted at /boot", "nvme0n1p2 is swapped to",
                            "nvme0n1p3 is part of dm-0"}));
}

TEST_F(UseTest, finds_a_disk_on_a_virtio_bus) {
    fake.add({.address = "0000:02:00.0", .class_code = 0x010000, .driver = "virtio-pci"});
    fake.folder("sys/devices/pci0000:00/0000:02:00.0/virtio0/block/vda");
    fake.write("proc/mounts", "/dev/vda / ext4 rw 0 0\n");
    auto found = sluice::pci::uses(fake.sysfs(), *fake.sysfs().find(*Address::parse("02:00.0")), "");
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].text, "vda is mounted at /");
}

TEST_F(UseTest, names_the_process_that_holds_a_group) {
    fake.set_driver("0000:01:00.0", "vfio-pci");
    fake.link("proc/1234/fd/5", "/dev/vfio/7");
    fake.link("proc/1234/fd/6", "/dev/vfio/7");
    fake.write("proc/1234/comm", "testpmd\n");
    fake.link("proc/99/fd/3", "/dev/vfio/8");
    EXPECT_EQ(texts(), Texts{"/dev/vfio/7 is open in testpmd (pid 1234)"});
}

TEST_F(UseTest, names_the_holder_of_a_sluice_node_but_not_this_process) {
    fake.set_driver("0000:01:00.0", "sluice-pci");
    fake.link("sys/devices/pci0000:00/0000:01:00.0/sluice", "../../../class/sluice/3");
    fake.link("proc/" + std::to_string(::getpid()) + "/fd/5", "/dev/sluice/3");
    EXPECT_EQ(texts(), Texts{});
    fake.link("proc/77/fd/5", "/dev/sluice/3");
    fake.write("proc/77/comm", "broker\n");
    EXPECT_EQ(texts(), Texts{"/dev/sluice/3 is open in broker (pid 77)"});
}

TEST_F(UseTest, takes_the_ssh_connection_from_an_ancestor) {
    ::unsetenv("SSH_CONNECTION");
    fake.write("proc/" + std::to_string(::getpid()) + "/status", "Name:\tx\nPPid:\t50\n");
    fake.write("proc/50/status", "Name:\tsudo\nPPid:\t40\n");
    fake.write("proc/50/environ", "HOME=/\0X=SSH_CONNECTION=no\0"s);
    fake.write("proc/40/status", "Name:\tsh\nPPid:\t1\n");
    fake.write("proc/40/environ", "A=b\0SSH_CONNECTION=10.0.0.5 1 10.0.0.1 22\0"s);
    EXPECT_EQ(caller_ssh(fake.sysfs().roots()), "10.0.0.5 1 10.0.0.1 22");
    fake.remove("proc/40/environ");
    EXPECT_EQ(caller_ssh(fake.sysfs().roots()), "");
    ::setenv("SSH_CONNECTION", "10.0.0.9 1 10.0.0.1 22", 1);
    EXPECT_EQ(caller_ssh(fake.sysfs().roots()), "10.0.0.9 1 10.0.0.1 22");
    ::unsetenv("SSH_CONNECTION");
}
