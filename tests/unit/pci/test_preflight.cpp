// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/pci/preflight.hpp>

#include "fake_sysfs.hpp"

using sluice::pci::Address;
using sluice::pci::Check;
using sluice::pci::Environment;
using sluice::pci::Verdict;
using sluice::test::FakeSysfs;
using sluice::test::mib;
using testing::HasSubstr;

using namespace std::string_literals;

namespace {

constexpr const char* bdf = "0000:01:00.0";
constexpr const char* device = "sys/devices/pci0000:00/0000:01:00.0";

// All is well with one function on vfio-pci; each test spoils one thing.
class Preflight : public testing::Test {
  protected:
    Preflight() {
        fake.add({.address = bdf, .driver = "vfio-pci", .group = 7, .numa_node = 0});
        node("dev/vfio/7", 0600);
        fake.write("proc/interrupts", "  0:  46  IR-IO-APIC  2-edge  timer\n");
        pages(0, 256, 256);
        fake.write("proc/mounts", "nodev /dev/hugepages hugetlbfs rw 0 0\n");
        fake.folder("dev/hugepages");
        environment.uid = ::geteuid();
    }

    void node(const std::string& path, mode_t mode) {
        fake.write(path, "");
        ::chmod((fake.root() + '/' + path).c_str(), mode);
    }
    void pages(int node, int reserved, int free) {
        std::string folder =
            "sys/devices/system/node/node" + std::to_string(node) + "/hugepages/hugepages-2048kB/";
        fake.write(folder + "nr_hugepages", std::to_string(reserved) + "\n");
        fake.write(folder + "free_hugepages", std::to_string(free) + "\n");
    }
    std::vector<Check> rows(std::string_view driver = {}) {
        return preflight(fake.sysfs(), *Address::parse(bdf), driver, environment);
    }
    Check row(std::string_view id, std::string_view driver = {}) {
        auto all = rows(driver);
        auto found = std::ranges::find(all, id, &Check::id);
        return found != all.end() ? *found : Check{"absent", Verdict::ok, "no such row", ""};
    }
    std::string why(std::string_view driver = {}) {
        return why_not(fake.sysfs(), *Address::parse(bdf), driver, environment).value_or("nothing");
    }
    std::string why_memory() { return why_no_memory(fake.sysfs(), environment).value_or("nothing"); }
    // Somebody else than whoever runs the test, so that modes and not privileges decide.
    void be_a_stranger() {
        environment.uid = ::geteuid() + 1000;
        environment.gids = {::getegid() + 1000};
    }
    void on_sluice() {
        fake.set_driver(bdf, "sluice-pci");
        fake.link(std::string(device) + "/sluice", "../../../class/sluice/0");
        node("dev/sluice/0", 0600);
    }

    FakeSysfs fake;
    Environment environment;
};

} // namespace

TEST_F(Preflight, finds_nothing_when_all_is_well) {
    for (const auto& check : rows()) {
        EXPECT_EQ(check.verdict, Verdict::ok) << check.id << ": " << to_line(check);
        EXPECT_EQ(check.advice, "") << check.id;
    }
    EXPECT_EQ(why(), "nothing");
    EXPECT_EQ(why_memory(), "nothing");
    on_sluice();
    EXPECT_EQ(why(), "nothing");
    EXPECT_EQ(why("sluice_pci"), "nothing");
}

TEST_F(Preflight, knows_a_wrong_address) {
    auto line = why_not(fake.sysfs(), *Address::parse("09:00.0"), {}, environment);
    EXPECT_EQ(line, "0000:09:00.0: there is no such device; sluice-devbind --status lists them");
}

TEST_F(Preflight, knows_a_bridge) {
    fake.write(std::string(device) + "/config", std::string(14, '\0') + "\1" + std::string(241, '\0'));
    EXPECT_EQ(row("kind").verdict, Verdict::blocks);
}

TEST_F(Preflight, knows_an_unbound_device) {
    fake.set_driver(bdf, "");
    EXPECT_EQ(why(),
              "0000:01:00.0: no driver holds it; bind it: sluice-devbind --bind vfio-pci 0000:01:00.0");
    fake.add_driver("sluice-pci");
    EXPECT_EQ(why(),
              "0000:01:00.0: no driver holds it; bind it: sluice-devbind --bind sluice-pci 0000:01:00.0");
}

TEST_F(Preflight, knows_a_kernel_driver_and_what_it_carries) {
    fake.set_driver(bdf, "e1000e");
    fake.folder(std::string(device) + "/net/eth1");
    fake.write("proc/net/route", "eth1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    EXPECT_EQ(why(),
              "0000:01:00.0: bound to e1000e, a kernel driver as eth1, eth1 carries the default route; bind "
              "it: sluice-devbind --bind vfio-pci 0000:01:00.0");
}

TEST_F(Preflight, knows_the_other_userspace_driver) {
    fake.add_driver("sluice-pci");
    EXPECT_EQ(why("sluice-pci"),
              "0000:01:00.0: bound to vfio-pci; bind it: sluice-devbind --bind sluice-pci 0000:01:00.0");
    fake.set_driver(bdf, "uio_pci_generic");
    EXPECT_THAT(why(), HasSubstr("bound to uio_pci_generic; bind it"));
}

TEST_F(Preflight, tells_a_missing_module_from_one_not_loaded) {
    fake.set_driver(bdf, "");
    fake.remove("sys/bus/pci/drivers/vfio-pci");
    fake.remove("sys/module/vfio_pci");
    EXPECT_THAT(row("module", "vfio-pci").cause, HasSubstr("has no module vfio-pci"));
    EXPECT_THAT(row("module").advice, HasSubstr("install sluice-dkms and linux-headers-"));
    fake.write("lib/modules/modules.dep", "updates/dkms/sluice_pci.ko:\n");
    EXPECT_EQ(why(),
              "0000:01:00.0: the module sluice_pci is there but not loaded; as root: modprobe sluice_pci");
    EXPECT_EQ(row("lockdown").id, "absent");
}

TEST_F(Preflight, hints_at_lockdown_and_secure_boot_where_the_module_is_missing) {
    fake.set_driver(bdf, "");
    fake.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    EXPECT_EQ(row("lockdown", "sluice-pci").verdict, Verdict::warning);
    EXPECT_THAT(row("lockdown", "sluice-pci").cause, HasSubstr("locked down (integrity)"));
    EXPECT_EQ(row("lockdown", "vfio-pci").id, "absent");
    fake.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    EXPECT_EQ(row("lockdown", "sluice-pci").id, "absent");
    fake.write("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\1"s);
    EXPECT_THAT(row("lockdown", "sluice-pci").cause, HasSubstr("Secure Boot is on"));
    EXPECT_THAT(row("lockdown", "sluice-pci").advice, HasSubstr("mokutil"));
    fake.write("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\0"s);
    EXPECT_EQ(row("lockdown", "sluice-pci").id, "absent");
}

TEST_F(Preflight, says_how_to_turn_the_iommu_on) {
    fake.remove(std::string(device) + "/iommu_group");
    EXPECT_THAT(row("iommu").advice, HasSubstr("enable VT-d or AMD-Vi in the firmware"));
    EXPECT_EQ(row("group").id, "absent");
    fake.write("proc/cpuinfo", "flags\t\t: fpu hypervisor\n");
    EXPECT_THAT(row("iommu").advice, HasSubstr("soft: or vhost-user:"));
    fake.write("sys/firmware/acpi/tables/IVRS", "");
    EXPECT_THAT(row("iommu").advice, HasSubstr("amd_iommu=off"));
    fake.write("sys/firmware/acpi/tables/DMAR", "");
    EXPECT_EQ(why(),
              "0000:01:00.0: it is in no IOMMU group: the IOMMU is off or missing (firmware has a DMAR "
              "table); add intel_iommu=on to the kernel's command line and restart");
    fake.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
    EXPECT_EQ(row("iommu").verdict, Verdict::warning);
}

TEST_F(Preflight, names_who_keeps_a_group_from_being_viable) {
    fake.add({.address = "0000:01:00.1", .driver = "e1000e", .group = 7, .interfaces = {"eth2"}});
    fake.add({.address = "0000:01:00.2", .driver = "pcieport", .group = 7});
    fake.write("proc/net/route", "eth2\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n");
    EXPECT_EQ(
        why(),
        "0000:01:00.0: group 7 is not viable: a kernel driver holds 0000:01:00.1 with e1000e, eth2, eth2 "
        "carries the route 10.0.0.0/8; sluice-devbind --bind vfio-pci 0000:01:00.1, or sluice-devbind "
        "--unbind 0000:01:00.1");
    fake.set_driver("0000:01:00.1", "");
    EXPECT_EQ(row("group").cause, "group 7 is viable, 3 function(s)");
}

TEST_F(Preflight, knows_regions_that_firmware_reserves) {
    fake.write("sys/kernel/iommu_groups/7/reserved_regions", "0x1000 0x1fff direct\n");
    EXPECT_THAT(why(), HasSubstr("firmware maps 0x1000-0x1fff one to one"));
}

TEST_F(Preflight, knows_interrupts_that_are_not_isolated) {
    fake.write("proc/interrupts", "  0:  46  IO-APIC  2-edge  timer\n");
    EXPECT_EQ(row("msi").verdict, Verdict::blocks);
    EXPECT_THAT(row("msi").advice,
                HasSubstr("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"));
    fake.write("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
    EXPECT_EQ(row("msi").verdict, Verdict::warning);
    on_sluice();
    EXPECT_EQ(row("msi").verdict, Verdict::blocks);
    fake.write("sys/module/sluice_pci/parameters/allow_unsafe_interrupts", "Y\n");
    EXPECT_EQ(row("msi").verdict, Verdict::warning);
    fake.write("proc/interrupts", " 11:  46  GICv3  30 Level  arch_timer\n");
    EXPECT_EQ(row("msi").id, "absent");
}

TEST_F(Preflight, knows_live_virtual_functions) {
    fake.add({.address = "0000:01:10.0", .group = 9});
    fake.set_virtual(bdf, "0000:01:10.0", 0);
    EXPECT_THAT(why(), HasSubstr("it has 1 live virtual function(s); use one of them, or as root: echo 0 > "
                                 "/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs"));
}

TEST_F(Preflight, knows_a_node_that_is_not_there_or_not_ours) {
    be_a_stranger();
    EXPECT_THAT(row("node").cause, HasSubstr("/dev/vfio/7 is not ours to open (owner "));
    EXPECT_THAT(row("node").cause, HasSubstr("mode 0600"));
    EXPECT_THAT(row("node").advice, HasSubstr("SUBSYSTEM==\"vfio\", GROUP=\"sluice\""));
    node("dev/vfio/7", 0660);
    EXPECT_EQ(row("node").verdict, Verdict::blocks);
    environment.gids.push_back(::getegid());
    EXPECT_EQ(row("node").verdict, Verdict::ok);
    fake.remove("dev/vfio/7");
    EXPECT_THAT(why(), HasSubstr("/dev/vfio/7 is not there; a container needs it passed in"));
    on_sluice();
    EXPECT_THAT(row("node").cause, HasSubstr("/dev/sluice/0 is not ours"));
    EXPECT_THAT(row("node").advice, HasSubstr("SUBSYSTEM==\"sluice\""));
}

TEST_F(Preflight, names_the_holder_of_the_group) {
    fake.link("proc/1234/fd/5", "/dev/vfio/7");
    fake.write("proc/1234/comm", "dpdk-testpmd\n");
    EXPECT_THAT(why(), HasSubstr("/dev/vfio/7 is open in dpdk-testpmd (pid 1234); end that process"));
}

TEST_F(Preflight, holds_the_memlock_limit_against_the_memory) {
    environment.memlock = 64 * 1024;
    EXPECT_EQ(row("memlock").verdict, Verdict::warning);
    environment.memory = 256 * mib;
    EXPECT_EQ(why_memory(),
              "at most 64 KiB may be locked in memory, and 256 MiB has to be mapped for DMA; raise "
              "the limit: ulimit -l in a root shell, LimitMEMLOCK= in the unit, or memlock in "
              "/etc/security/limits.d");
    environment.may_lock = true;
    EXPECT_EQ(row("memlock").verdict, Verdict::ok);
    environment.may_lock = false;
    environment.memlock = 256 * mib;
    EXPECT_EQ(row("memlock").verdict, Verdict::ok);
}

TEST_F(Preflight, counts_hugepages_by_node) {
    pages(0, 0, 0);
    EXPECT_EQ(why(), "nothing"); // not the device's fault
    EXPECT_THAT(why_memory(),
                HasSubstr("no hugepages are reserved; reserve some as root: sluice-devbind --hugepages "
                          "64M@0, or go without by --no-huge"));
    pages(1, 256, 256);
    EXPECT_EQ(row("hugepages").verdict, Verdict::warning);
    EXPECT_THAT(row("hugepages").cause,
                HasSubstr("node 0 of the device has 0 MiB in free hugepages, other nodes "
                          "have 512 MiB"));
    pages(0, 256, 0);
    pages(1, 256, 0);
    EXPECT_THAT(why_memory(), HasSubstr("0 MiB of 1024 MiB in hugepages are free; end what holds them"));
    pages(0, 256, 64);
    environment.memory = 256 * mib;
    EXPECT_THAT(why_memory(), HasSubstr("128 MiB of 1024 MiB in hugepages are free, 256 MiB are wanted"));
    environment.hugepages = false;
    EXPECT_EQ(row("hugepages").id, "absent");
    EXPECT_EQ(row("hugetlbfs").id, "absent");
}

TEST_F(Preflight, counts_hugepages_of_a_system_without_nodes) {
    fake.remove("sys/devices/system");
    EXPECT_EQ(row("hugepages").verdict, Verdict::blocks);
    fake.write("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
    fake.write("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
    EXPECT_EQ(row("hugepages").cause, "1024 MiB of 2048 MiB in hugepages are free");
}

TEST_F(Preflight, wants_a_hugetlbfs_that_is_ours) {
    be_a_stranger();
    ::chmod((fake.root() + "/dev/hugepages").c_str(), 0755);
    EXPECT_THAT(row("hugetlbfs").cause, HasSubstr("/dev/hugepages is not ours to write (owner "));
    EXPECT_THAT(row("hugetlbfs").advice,
                HasSubstr("mount -t hugetlbfs -o uid=" + std::to_string(environment.uid)));
    fake.write("proc/mounts", "nodev /dev/hugepages hugetlbfs rw 0 0\nnodev /mnt/huge hugetlbfs rw 0 0\n");
    fake.folder("mnt/huge");
    ::chmod((fake.root() + "/mnt/huge").c_str(), 0777);
    EXPECT_EQ(row("hugetlbfs").cause, "hugetlbfs is mounted at /mnt/huge");
    fake.write("proc/mounts", "proc /proc proc rw 0 0\n");
    EXPECT_EQ(row("hugetlbfs").cause, "no hugetlbfs is mounted");
    environment.hugetlbfs = false;
    EXPECT_EQ(row("hugetlbfs").id, "absent");
    EXPECT_EQ(row("hugepages").verdict, Verdict::ok);
}

TEST_F(Preflight, compares_the_threads_nodes_with_the_devices) {
    EXPECT_EQ(row("numa").id, "absent");
    environment.lcore_nodes = {1};
    fake.write("sys/devices/system/node/node0/cpulist", "0-7\n");
    EXPECT_EQ(row("numa").verdict, Verdict::warning);
    EXPECT_EQ(
        to_line(row("numa")),
        "the device is on NUMA node 0, the threads are on 1; for the full rate run them on CPUs 0-7 (-l)");
    environment.lcore_nodes = {0, 1};
    EXPECT_EQ(row("numa").verdict, Verdict::ok);
}

TEST(Environment, describes_this_process) {
    FakeSysfs fake;
    fake.write("proc/self/status", "Name:\tx\nCapEff:\t0000000000004000\n");
    auto environment = Environment::of_process(fake.sysfs().roots());
    EXPECT_EQ(environment.uid, ::geteuid());
    EXPECT_EQ(environment.gids.front(), ::getegid());
    EXPECT_TRUE(environment.may_lock);
    fake.write("proc/self/status", "Name:\tx\nCapEff:\t000000000000bfff\n");
    EXPECT_FALSE(Environment::of_process(fake.sysfs().roots()).may_lock);
}
