// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "devbind_test.hpp"

using sluice::test::DevbindTest;
using testing::HasSubstr;
using Json = nlohmann::json;

namespace {

class Actions : public DevbindTest {
  protected:
    std::string driver(const char* address) const { return kernel.driver_of(address); }
};

} // namespace

TEST_F(Actions, bind_by_short_address_interface_and_wildcard) {
    ASSERT_EQ(run({"-b", "vfio-pci", "01:00.0"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "vfio-pci");
    EXPECT_EQ(out.str(), "0000:01:00.0: e1000e -> vfio-pci\n");
    ASSERT_EQ(run({"--bind=sluice_pci", "eth2"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.1"), "sluice-pci");
    ASSERT_EQ(run({"-b", "e1000e", "0000:01:*"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "e1000e");
    EXPECT_EQ(driver("0000:01:00.1"), "e1000e");
    ASSERT_EQ(run({"-b", "vfio-pci", "01:00.?"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "vfio-pci");
    EXPECT_EQ(driver("0000:01:00.1"), "vfio-pci");
}

TEST_F(Actions, unbind_by_option_and_by_none) {
    ASSERT_EQ(run({"-u", "01:00.0"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "");
    EXPECT_EQ(out.str(), "0000:01:00.0: e1000e -> no driver\n");
    ASSERT_EQ(run({"-b", "none", "eth2"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.1"), "");
}

TEST_F(Actions, unbind_all_that_userspace_drivers_hold) {
    fake.set_driver("0000:01:00.0", "vfio-pci");
    fake.set_driver("0000:02:00.0", "sluice-pci");
    ASSERT_EQ(run({"-u", "dpdk"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "");
    EXPECT_EQ(driver("0000:02:00.0"), "");
    EXPECT_EQ(driver("0000:01:00.1"), "e1000e");
    EXPECT_EQ(run({"-u", "dpdk"}), 0);
}

TEST_F(Actions, choose_the_driver_that_serves_the_device) {
    ASSERT_EQ(run({"-b", "auto", "0000:0[12]:*"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "sluice-pci");
    EXPECT_EQ(driver("0000:02:00.0"), "vfio-pci");
}

TEST_F(Actions, fall_back_to_vfio_when_sluice_pci_is_not_loaded) {
    fake.remove("sys/bus/pci/drivers/sluice-pci");
    ASSERT_EQ(run({"-b", "auto", "01:00.0"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "vfio-pci");
    EXPECT_THAT(err.str(), HasSubstr("sluice-pci is not loaded"));
}

TEST_F(Actions, notice_what_is_so_already) {
    ASSERT_EQ(run({"-b", "e1000e", "01:00.0"}), 0);
    EXPECT_EQ(err.str(), "Notice: 0000:01:00.0 already bound to driver e1000e, skipping\n");
    ASSERT_EQ(run({"-u", "03:00.0"}), 0);
    EXPECT_EQ(err.str(), "Notice: 0000:03:00.0 is not held by any driver\n");
    EXPECT_TRUE(kernel.log().empty());
}

TEST_F(Actions, notice_a_device_that_no_sluice_driver_serves) {
    ASSERT_EQ(run({"-b", "sluice-pci", "02:00.0"}), 0);
    EXPECT_THAT(err.str(), HasSubstr("0000:02:00.0 has no Sluice driver"));
}

TEST_F(Actions, notice_a_group_that_is_not_viable_yet) {
    ASSERT_EQ(run({"-b", "vfio-pci", "01:00.0"}), 0);
    EXPECT_THAT(err.str(), HasSubstr("0000:01:00.1 (e1000e, eth2) of the same IOMMU group 7"));
    ASSERT_EQ(run({"-b", "vfio-pci", "01:00.1"}), 0);
    EXPECT_EQ(err.str(), "");
}

TEST_F(Actions, refuse_a_route_unless_forced) {
    default_route("eth1");
    EXPECT_EQ(run({"-b", "vfio-pci", "01:00.0"}), 1);
    EXPECT_EQ(err.str(),
              "sluice-devbind: 0000:01:00.0: refused, eth1 carries the default route; --force does it "
              "anyway\n");
    EXPECT_EQ(driver("0000:01:00.0"), "e1000e");
    EXPECT_EQ(run({"-u", "eth1"}), 1);
    EXPECT_EQ(run({"--force", "-b", "vfio-pci", "01:00.0"}), 0) << err.str();
    EXPECT_EQ(driver("0000:01:00.0"), "vfio-pci");
}

TEST_F(Actions, refuse_the_callers_own_connection) {
    default_route("eth1");
    ssh = "192.0.2.9 50000 192.0.2.1 22";
    EXPECT_EQ(run({"-b", "vfio-pci", "eth1"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("eth1 carries this ssh connection (from 192.0.2.9)"));
}

TEST_F(Actions, refuse_parts_of_bonds_bridges_and_vlans) {
    fake.link("sys/class/net/eth1/upper_x0", "../x0");
    for (const char* type : {"bond", "bridge", "vlan"}) {
        fake.write("sys/class/net/x0/uevent", std::string("DEVTYPE=") + type + "\n");
        EXPECT_EQ(run({"-u", "eth1"}), 1) << type;
    }
    EXPECT_THAT(err.str(), HasSubstr("eth1 carries the VLAN x0"));
}

TEST_F(Actions, refuse_a_group_that_a_process_has_open) {
    fake.set_driver("0000:01:00.0", "vfio-pci");
    fake.link("proc/1234/fd/5", "/dev/vfio/7");
    fake.write("proc/1234/comm", "testpmd\n");
    EXPECT_EQ(run({"-b", "e1000e", "01:00.0"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("/dev/vfio/7 is open in testpmd (pid 1234)"));
}

TEST_F(Actions, change_nothing_when_one_of_several_is_in_use) {
    default_route("eth2");
    EXPECT_EQ(run({"-b", "vfio-pci", "0000:01:*"}), 1);
    EXPECT_TRUE(kernel.log().empty());
}

TEST_F(Actions, undo_all_when_the_kernel_refuses_one) {
    kernel.refuses("vfio-pci", "0000:01:00.1", EINVAL);
    EXPECT_EQ(run({"-b", "vfio-pci", "0000:01:*"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("0000:01:00.1, driver vfio-pci: the driver refused the device"));
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(driver("0000:01:00.0"), "e1000e");
    EXPECT_EQ(driver("0000:01:00.1"), "e1000e");
}

TEST_F(Actions, end_with_two_when_the_files_are_not_ours) {
    kernel.fails("/driver_override", EACCES);
    EXPECT_EQ(run({"-b", "vfio-pci", "01:00.0"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("root may"));
}

TEST_F(Actions, say_how_to_load_a_driver_that_is_not) {
    EXPECT_EQ(run({"-b", "igb_uio", "01:00.0"}), 2);
    EXPECT_EQ(err.str(),
              "sluice-devbind: 0000:01:00.0, driver igb_uio: this driver is not loaded; load its module "
              "with modprobe first\n");
}

TEST_F(Actions, refuse_bridges) {
    EXPECT_EQ(run({"-b", "vfio-pci", "00:1c.0"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("a bridge cannot be handed to userspace"));
}

TEST_F(Actions, show_what_a_dry_run_would_do) {
    ASSERT_EQ(run({"-n", "-b", "auto", "0000:0[12]:*"}), 0);
    EXPECT_EQ(out.str(), "would change 0000:01:00.0: e1000e -> sluice-pci\n"
                         "would change 0000:01:00.1: e1000e -> sluice-pci\n"
                         "would change 0000:02:00.0: i40e -> vfio-pci\n");
    EXPECT_TRUE(kernel.log().empty());
    default_route("eth1");
    EXPECT_EQ(run({"--dry-run", "-b", "auto", "eth1"}), 1);
    EXPECT_EQ(run({"--dry-run", "-b", "igb_uio", "eth2"}), 2);
}

TEST_F(Actions, show_the_status_afterwards) {
    ASSERT_EQ(run({"-s", "-b", "vfio-pci", "01:00.0"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("drv=vfio-pci unused=e1000e,sluice-pci"));
}

TEST_F(Actions, tell_the_changes_as_json) {
    ASSERT_EQ(run({"--json", "-b", "vfio-pci", "01:00.0", "01:00.1"}), 0);
    Json json = Json::parse(out.str());
    ASSERT_EQ(json["devices"].size(), 2u);
    EXPECT_EQ(json["devices"][0]["driver"], "vfio-pci");
    EXPECT_EQ(json["devices"][0]["change"], Json({{"from", "e1000e"}, {"to", "vfio-pci"}}));
    EXPECT_FALSE(json.contains("dry_run"));
    ASSERT_EQ(run({"--json", "-n", "-u", "01:00.0"}), 0);
    json = Json::parse(out.str());
    EXPECT_EQ(json["dry_run"], true);
    EXPECT_EQ(json["devices"][0]["driver"], "vfio-pci");
    EXPECT_EQ(json["devices"][0]["change"]["to"], nullptr);
    ASSERT_EQ(run({"--json", "-u", "03:00.0"}), 0);
    EXPECT_TRUE(Json::parse(out.str())["devices"].empty());
}

TEST_F(Actions, go_without_an_iommu_only_when_told) {
    fake.add({.address = "0000:04:00.0"});
    fake.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
    EXPECT_EQ(run({"-b", "vfio-pci", "04:00.0"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("no IOMMU group"));
    EXPECT_EQ(run({"--noiommu-mode", "-b", "vfio-pci", "04:00.0"}), 0) << err.str();
    EXPECT_THAT(err.str(), HasSubstr("can write to all memory"));
    EXPECT_EQ(driver("0000:04:00.0"), "vfio-pci");
}

TEST_F(Actions, say_so_when_the_kernel_never_goes_without) {
    fake.add({.address = "0000:04:00.0"});
    EXPECT_EQ(run({"--noiommu-mode", "-b", "vfio-pci", "04:00.0"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("offers no mode without an IOMMU"));
}

TEST_F(Actions, name_devices_that_are_not_there) {
    for (const char* word : {"09:00.0", "eth9", "0009:*", "nonsense", "01:00.9", "dpdk"}) {
        EXPECT_EQ(run({"-b", "vfio-pci", "01:00.0", word}), 2) << word;
        EXPECT_THAT(err.str(), HasSubstr(word));
        EXPECT_THAT(err.str(), HasSubstr("--status lists them"));
    }
    EXPECT_TRUE(kernel.log().empty());
}

TEST_F(Actions, notice_a_forgotten_driver) {
    EXPECT_EQ(run({"-b", "01:00.0", "01:00.1"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("01:00.0 is a device, not a driver"));
    EXPECT_EQ(run({"-b", "eth1", "eth2"}), 2);
}

TEST_F(Actions, reserve_hugepages_on_the_devices_node) {
    fake.add({.address = "0000:04:00.0", .numa_node = 1});
    for (const char* node : {"0", "1"}) {
        std::string folder =
            std::string("sys/devices/system/node/node") + node + "/hugepages/hugepages-2048kB";
        fake.write(folder + "/nr_hugepages", "0\n");
        fake.write(folder + "/free_hugepages", "0\n");
    }
    ASSERT_EQ(run({"--hugepages", "256M"}), 0) << err.str();
    EXPECT_EQ(out.str(),
              "Node 0: 256 MiB in 2048 kB pages, 0 MiB free\nNode 1: 0 MiB in 2048 kB pages, 0 MiB free\n");
    ASSERT_EQ(run({"--hugepages=1G", "04:00.0"}), 0) << err.str();
    EXPECT_THAT(out.str(), HasSubstr("Node 1: 1024 MiB"));
    ASSERT_EQ(run({"-n", "--hugepages", "512M@1"}), 0) << err.str();
    EXPECT_THAT(out.str(), HasSubstr("would reserve 512 MiB on node 1\n"));
    ASSERT_EQ(run({"--hugepages", "0"}), 0) << err.str();
    ASSERT_EQ(run({"--hugepages", "show"}), 0) << err.str();
    EXPECT_EQ(out.str(),
              "Node 0: 0 MiB in 2048 kB pages, 0 MiB free\nNode 1: 1024 MiB in 2048 kB pages, 0 MiB free\n");
    ASSERT_EQ(run({"--hugepages", "show", "--json"}), 0) << err.str();
    EXPECT_EQ(Json::parse(out.str())["hugepages"][1],
              Json({{"node", 1}, {"page_size", 2097152}, {"reserved", 1073741824}, {"free", 0}}));
    EXPECT_EQ(run({"--hugepages", "2M@7"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("no NUMA node 7"));
}

TEST_F(Actions, say_so_when_fewer_hugepages_could_be_had) {
    std::string file = "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    fake.write(file, "0\n");
    kernel.keeps(file, "100\n");
    EXPECT_EQ(run({"--hugepages", "256M"}), 1);
    EXPECT_THAT(err.str(), HasSubstr("200 of 256 MiB could be reserved"));
    EXPECT_EQ(run({"--hugepages", "2M"}), 0);
    EXPECT_THAT(err.str(), HasSubstr("200 MiB stay reserved: they are in use"));
    kernel.fails("/nr_hugepages", EACCES);
    EXPECT_EQ(run({"--hugepages", "2M"}), 2);
    fake.remove("sys/kernel/mm");
    EXPECT_EQ(run({"--hugepages", "2M"}), 2);
}

TEST_F(Actions, tell_of_tools_that_bind_the_device_at_each_start) {
    fake.write("etc/driverctl.d/0000:01:00.0", "vfio-pci\n");
    fake.write("etc/dpdk/interfaces", "# pci 0000:02:00.0 nothing\npci 0000:02:00.0 uio_pci_generic\n");
    ASSERT_EQ(run({"-b", "vfio-pci", "0000:01:*"}), 0);
    EXPECT_EQ(err.str(), "");
    ASSERT_EQ(run({"-b", "sluice-pci", "01:00.0"}), 0);
    EXPECT_THAT(err.str(),
                HasSubstr("0000:01:00.0 stays so until the system starts again: driverctl gives it to "
                          "vfio-pci (/etc/driverctl.d/0000:01:00.0)"));
    ASSERT_EQ(run({"-b", "vfio-pci", "02:00.0"}), 0);
    EXPECT_THAT(err.str(), HasSubstr("dpdk.service gives it to uio_pci_generic (/etc/dpdk/interfaces)"));
}
