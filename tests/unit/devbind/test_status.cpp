// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "devbind_test.hpp"

using sluice::test::DevbindTest;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

namespace {

class Status : public DevbindTest {
  protected:
    Json json(std::vector<std::string> arguments) {
        EXPECT_EQ(run(std::move(arguments)), 0) << err.str();
        return Json::parse(out.str());
    }
};

class Groups : public DevbindTest {};

} // namespace

TEST_F(Status, has_the_headings_and_lines_that_dpdk_users_know) {
    fake.set_driver("0000:02:00.0", "vfio-pci");
    default_route("eth1");
    ASSERT_EQ(run({"--status-dev", "net"}), 0);
    EXPECT_EQ(
        out.str(),
        "\nNetwork devices using DPDK-compatible driver\n"
        "============================================\n"
        "0000:02:00.0 'Ethernet Controller X710 for 10GbE SFP+ 1572' drv=vfio-pci unused=sluice-pci\n"
        "\nNetwork devices using kernel driver\n"
        "===================================\n"
        "0000:01:00.0 '82574L Gigabit Network Connection 10d3' if=eth1 drv=e1000e unused=vfio-pci,sluice-pci "
        "*Active*\n"
        "0000:01:00.1 '82574L Gigabit Network Connection 10d3' if=eth2 drv=e1000e unused=vfio-pci,sluice-pci "
        "\n"
        "\nOther Network devices\n"
        "=====================\n"
        "0000:03:00.0 'Virtio 1.0 network device 1041' unused=virtio_pci,vfio-pci,sluice-pci\n");
    EXPECT_EQ(err.str(), "");
}

TEST_F(Status, lists_every_class_in_order) {
    ASSERT_EQ(run({"-s"}), 0);
    std::size_t at = 0;
    for (const char* heading : {"Network devices", "'Baseband'", "'Crypto'", "'DMA'", "'Eventdev'",
                                "'Mempool'", "'Compress'", "'Misc (rawdev)'", "'Regex'"}) {
        at = out.str().find(heading, at);
        ASSERT_NE(at, std::string::npos) << heading;
    }
    EXPECT_THAT(out.str(), HasSubstr("\nNo 'Baseband' devices detected\n==============================\n"));
    EXPECT_THAT(out.str(), Not(HasSubstr("0000:00:1c.0")));
}

TEST_F(Status, sorts_single_devices_into_their_classes) {
    fake.add({.address = "0000:04:00.0", .vendor = 0x8086, .device = 0x0b25, .class_code = 0x088000});
    fake.add({.address = "0000:05:00.0", .vendor = 0x8086, .device = 0x0b26, .class_code = 0x088000});
    fake.add({.address = "0000:06:00.0", .vendor = 0x1af4, .device = 0x1042, .class_code = 0x010000});
    ASSERT_EQ(run({"--status-dev=dma"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("Other DMA devices"));
    EXPECT_THAT(out.str(), HasSubstr("0000:04:00.0"));
    EXPECT_THAT(out.str(), Not(HasSubstr("0000:05:00.0")));
    ASSERT_EQ(run({"--status-dev", "misc"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("Other Misc (rawdev) devices"));
    EXPECT_THAT(out.str(), HasSubstr("0000:06:00.0"));
}

TEST_F(Status, calls_what_pci_ids_lacks_a_device) {
    fake.add({.address = "0000:04:00.0", .vendor = 0xfffe, .device = 0xfffe});
    ASSERT_EQ(run({"-s"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("0000:04:00.0 'Device fffe'"));
}

TEST_F(Status, counts_sluice_pci_as_a_userspace_driver) {
    fake.set_driver("0000:01:00.0", "sluice-pci");
    ASSERT_EQ(run({"-s"}), 0);
    EXPECT_THAT(out.str(),
                HasSubstr("using DPDK-compatible driver\n============================================\n"
                          "0000:01:00.0"));
    EXPECT_THAT(out.str(), HasSubstr("drv=sluice-pci unused=e1000e,vfio-pci\n"));
}

TEST_F(Status, gives_json_with_program_format_and_devices) {
    default_route("eth1");
    fake.set_virtual("0000:02:00.0", "0000:03:00.0", 0);
    Json json = this->json({"--json"});
    EXPECT_EQ(json["program"], "sluice-devbind");
    EXPECT_EQ(json["format"], 1);
    ASSERT_EQ(json["devices"].size(), 4u);
    EXPECT_FALSE(json.contains("groups"));
    const Json& first = json["devices"][0];
    EXPECT_EQ(first["address"], "0000:01:00.0");
    EXPECT_EQ(first["vendor"], "8086");
    EXPECT_EQ(first["device"], "10d3");
    EXPECT_EQ(first["class"], "020000");
    EXPECT_EQ(first["category"], "net");
    EXPECT_EQ(first["driver"], "e1000e");
    EXPECT_EQ(first["interfaces"], Json({"eth1"}));
    EXPECT_EQ(first["active"], true);
    EXPECT_EQ(first["userspace"], false);
    EXPECT_EQ(first["numa_node"], nullptr);
    EXPECT_EQ(first["iommu_group"], 7);
    EXPECT_EQ(first["unused"], Json({"vfio-pci", "sluice-pci"}));
    EXPECT_EQ(first["sluice_driver"], "e1000");
    EXPECT_EQ(first["proposed"], "sluice-pci");
    const Json& foreign = json["devices"][2];
    EXPECT_EQ(foreign["sluice_driver"], nullptr);
    EXPECT_EQ(foreign["proposed"], "vfio-pci");
    EXPECT_EQ(foreign["virtual_functions"], Json({"0000:03:00.0"}));
    const Json& unbound = json["devices"][3];
    EXPECT_EQ(unbound["driver"], nullptr);
    EXPECT_EQ(unbound["physical_function"], "0000:02:00.0");
    EXPECT_EQ(unbound["sluice_driver"], "virtio");
}

TEST_F(Status, limits_json_to_one_class) {
    EXPECT_TRUE(json({"--json", "--status-dev", "crypto"})["devices"].empty());
}

TEST_F(Status, says_so_when_there_is_no_bus) {
    fake.remove("sys/bus/pci");
    EXPECT_EQ(run({"-s"}), 2);
    EXPECT_THAT(err.str(), HasSubstr("no PCI bus here"));
}

TEST_F(Groups, say_what_is_viable_and_what_is_in_the_way) {
    ASSERT_EQ(run({"--groups"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("Group 3: viable, none of it bound for userspace yet\n"));
    EXPECT_THAT(out.str(), HasSubstr("Group 7: in use by the kernel\n"));
    fake.set_driver("0000:01:00.0", "sluice-pci");
    ASSERT_EQ(run({"--groups"}), 0);
    EXPECT_THAT(out.str(),
                HasSubstr("Group 7: not viable: 0000:01:00.1 (e1000e, eth2) uses the kernel's DMA"));
    EXPECT_THAT(out.str(),
                HasSubstr("  0000:01:00.1 '82574L Gigabit Network Connection 10d3' drv=e1000e if=eth2\n"));
    fake.set_driver("0000:01:00.1", "");
    ASSERT_EQ(run({"--groups", "01:00.1"}), 0);
    EXPECT_THAT(out.str(), testing::StartsWith("Group 7: viable\n"));
    EXPECT_THAT(out.str(), Not(HasSubstr("Group 8")));
}

TEST_F(Groups, name_regions_that_firmware_reserves) {
    fake.write("sys/kernel/iommu_groups/8/reserved_regions", "0x1000 0x1fff direct\n");
    ASSERT_EQ(run({"--groups", "02:00.0"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("Group 8: not usable: firmware reserves 0x1000-0x1fff in it (RMRR)"));
}

TEST_F(Groups, are_absent_without_an_iommu) {
    fake.remove("sys/kernel/iommu_groups");
    ASSERT_EQ(run({"--groups"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("No IOMMU groups"));
}

TEST_F(Groups, come_as_json_too) {
    fake.set_driver("0000:01:00.0", "vfio-pci");
    ASSERT_EQ(run({"--groups", "--json"}), 0);
    Json json = Json::parse(out.str());
    ASSERT_EQ(json["groups"].size(), 4u);
    const Json& seventh = json["groups"][1];
    EXPECT_EQ(seventh["group"], 7);
    EXPECT_EQ(seventh["members"], Json({"0000:01:00.0", "0000:01:00.1"}));
    EXPECT_EQ(seventh["blocked_by"], Json({"0000:01:00.1"}));
    EXPECT_EQ(seventh["viable"], false);
    EXPECT_EQ(json["groups"][3]["viable"], true);
}
