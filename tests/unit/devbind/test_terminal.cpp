// SPDX-License-Identifier: BSD-3-Clause
// The program itself, on a terminal: every option, and each with a wrong argument.
#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/base/unique_fd.hpp>

#include "fake_sysfs.hpp"

using sluice::test::FakeSysfs;
using testing::HasSubstr;

namespace {

constexpr int patience_ms = 20000;

struct Outcome {
    int code = -1;
    std::string screen;
};

// All that the child writes until it closes the terminal.
std::string read_screen(int terminal) {
    std::string screen;
    std::array<char, 4096> buffer;
    for (;;) {
        pollfd wait{terminal, POLLIN, 0};
        if (::poll(&wait, 1, patience_ms) <= 0)
            return screen + "(no answer in time)";
        ssize_t got = ::read(terminal, buffer.data(), buffer.size());
        if (got <= 0)
            return screen;
        screen.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Outcome on_terminal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), DEVBIND_PROGRAM);
    std::vector<char*> raw;
    for (auto& argument : arguments)
        raw.push_back(argument.data());
    raw.push_back(nullptr);
    int terminal = -1;
    pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
        ::execv(raw[0], raw.data());
        ::_exit(127);
    }
    sluice::UniqueFd owner(terminal);
    Outcome outcome;
    outcome.screen = read_screen(terminal);
    int status = 0;
    ::waitpid(child, &status, 0);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
}

class Terminal : public testing::Test {
  protected:
    Terminal() {
        fake.add({.address = "0000:01:00.0", .driver = "e1000e", .group = 7, .interfaces = {"eth1"}});
        fake.add({.address = "0000:02:00.0", .driver = "vfio-pci", .group = 8});
        fake.add({.address = "0000:02:00.1",
                  .device = 0x1572,
                  .driver = "i40e",
                  .group = 9,
                  .interfaces = {"eth3"}});
        fake.add_driver("sluice-pci");
        ::unsetenv("SSH_CONNECTION");
    }

    Outcome devbind(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--root", fake.root()});
        return on_terminal(std::move(arguments));
    }

    FakeSysfs fake;
};

struct Right {
    const char* name;
    std::vector<std::string> arguments;
    std::string screen;
};

class TerminalRight : public Terminal, public testing::WithParamInterface<Right> {};

// What is made of the machine, and why eth1 is refused then.
struct InUse {
    const char* name;
    void (*use)(const FakeSysfs&);
    const char* why;
};

void route(const FakeSysfs& fake, const char* destination, const char* mask) {
    fake.write("proc/net/route",
               std::string("eth1\t") + destination + "\t00000000\t0001\t0\t0\t0\t" + mask + "\t0\t0\t0\n");
}

void under(const FakeSysfs& fake, const char* type) {
    fake.link("sys/class/net/eth1/upper_x0", "../x0");
    fake.write("sys/class/net/x0/uevent", std::string("DEVTYPE=") + type + "\n");
}

class TerminalInUse : public Terminal, public testing::WithParamInterface<InUse> {};

struct Wrong {
    const char* name;
    std::vector<std::string> arguments;
    const char* says;
};

class TerminalWrong : public Terminal, public testing::WithParamInterface<Wrong> {};

} // namespace

TEST_F(Terminal, shows_help) {
    for (const char* option : {"-h", "--help"}) {
        auto outcome = on_terminal({option});
        EXPECT_EQ(outcome.code, 0);
        for (const char* known :
             {"--status", "--status-dev", "--bind", "--unbind", "--force", "--noiommu-mode", "--groups",
              "--json", "--dry-run", "--hugepages", "--root", "Exit: 0 done"})
            EXPECT_THAT(outcome.screen, HasSubstr(known));
    }
}

TEST_F(Terminal, shows_the_status) {
    for (std::vector<std::string> arguments :
         {std::vector<std::string>{"-s"}, {"--status"}, {"--status-dev", "net"}, {"--status-dev=net"}}) {
        auto outcome = devbind(arguments);
        EXPECT_EQ(outcome.code, 0);
        EXPECT_THAT(outcome.screen, HasSubstr("Network devices using DPDK-compatible driver\r\n"));
        EXPECT_THAT(outcome.screen, HasSubstr("if=eth1 drv=e1000e unused=vfio-pci"));
    }
}

TEST_F(Terminal, shows_groups_and_json) {
    auto outcome = devbind({"--groups"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.screen, HasSubstr("Group 8: viable"));
    outcome = devbind({"--json"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.screen, HasSubstr("\"program\": \"sluice-devbind\""));
}

TEST_F(Terminal, checks_in_a_dry_run) {
    auto outcome = devbind({"--dry-run", "--bind", "vfio-pci", "eth1"});
    EXPECT_EQ(outcome.code, 0) << outcome.screen;
    EXPECT_EQ(outcome.screen, "would change 0000:01:00.0: e1000e -> vfio-pci\r\n");
    outcome = devbind({"-n", "--unbind", "02:00.0"});
    EXPECT_EQ(outcome.code, 0) << outcome.screen;
    EXPECT_EQ(outcome.screen, "would change 0000:02:00.0: vfio-pci -> no driver\r\n");
}

TEST_F(Terminal, refuses_a_device_in_use_unless_forced) {
    fake.write("proc/net/route", "eth1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    auto outcome = devbind({"-n", "-b", "vfio-pci", "eth1"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.screen,
                HasSubstr("refused, eth1 carries the default route; --force does it anyway\r\n"));
    EXPECT_EQ(devbind({"-n", "--force", "-b", "vfio-pci", "eth1"}).code, 0);
}

TEST_F(Terminal, reports_a_kernel_that_does_not_bind) {
    auto outcome = devbind({"-b", "vfio-pci", "eth1"});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.screen, HasSubstr("sluice-devbind: 0000:01:00.0"));
    EXPECT_EQ(fake.read("sys/bus/pci/drivers/e1000e/unbind"), "0000:01:00.0");
}

TEST_F(Terminal, names_a_root_without_a_bus) {
    auto outcome = on_terminal({"--root", "/nonexistent", "-s"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.screen, HasSubstr("/nonexistent/sys/bus/pci/devices: no PCI bus here"));
}

TEST_P(TerminalRight, does_what_is_said) {
    auto outcome = devbind(GetParam().arguments);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.screen, GetParam().screen);
}

INSTANTIATE_TEST_SUITE_P(
    , TerminalRight,
    testing::Values(Right{"by_address",
                          {"-n", "-b", "vfio-pci", "0000:01:00.0"},
                          "would change 0000:01:00.0: e1000e -> vfio-pci\r\n"},
                    Right{"by_short_address",
                          {"--dry-run", "--bind", "sluice_pci", "01:00.0"},
                          "would change 0000:01:00.0: e1000e -> sluice-pci\r\n"},
                    Right{"by_interface",
                          {"-n", "--bind=vfio-pci", "eth1"},
                          "would change 0000:01:00.0: e1000e -> vfio-pci\r\n"},
                    Right{"by_wildcard",
                          {"-n", "-u", "0000:0[12]:00.0"},
                          "would change 0000:01:00.0: e1000e -> no driver\r\nwould change 0000:02:00.0: "
                          "vfio-pci -> no driver\r\n"},
                    Right{"by_short_wildcard",
                          {"-n", "-b", "vfio-pci", "01:*"},
                          "would change 0000:01:00.0: e1000e -> vfio-pci\r\n"},
                    Right{"each_once",
                          {"-n", "-u", "01:00.0", "eth1", "0000:01:*"},
                          "would change 0000:01:00.0: e1000e -> no driver\r\n"},
                    Right{"bind_none",
                          {"-n", "-b", "none", "eth1"},
                          "would change 0000:01:00.0: e1000e -> no driver\r\n"},
                    Right{"unbind_all_of_userspace",
                          {"-n", "--unbind", "dpdk"},
                          "would change 0000:02:00.0: vfio-pci -> no driver\r\n"},
                    Right{"auto_proposes_what_serves",
                          {"-n", "-b", "auto", "0000:*"},
                          "would change 0000:01:00.0: e1000e -> sluice-pci\r\nwould change 0000:02:00.0: "
                          "vfio-pci -> sluice-pci\r\nwould change 0000:02:00.1: i40e -> vfio-pci\r\n"},
                    Right{"force_where_nothing_is_in_use",
                          {"--force", "-n", "-u", "eth1"},
                          "would change 0000:01:00.0: e1000e -> no driver\r\n"},
                    Right{"sluice_for_a_nic_without_a_driver",
                          {"-n", "-b", "sluice-pci", "eth3"},
                          "Notice: 0000:02:00.1 has no Sluice driver; bound to vfio-pci, DPDK's own driver "
                          "serves it\r\nwould change 0000:02:00.1: i40e -> sluice-pci\r\n"},
                    Right{"bound_already",
                          {"-b", "vfio-pci", "02:00.0"},
                          "Notice: 0000:02:00.0 already bound to driver vfio-pci, skipping\r\n"},
                    Right{"groups_of_one",
                          {"--groups", "eth3"},
                          "Group 9: in use by the kernel\r\n  0000:02:00.1 'Ethernet Controller X710 for "
                          "10GbE SFP+ 1572' drv=i40e if=eth3\r\n"}),
    [](const auto& one) { return one.param.name; });

TEST_P(TerminalInUse, is_refused_in_one_line_unless_forced) {
    GetParam().use(fake);
    for (const std::vector<std::string>& change : {std::vector<std::string>{"-b", "vfio-pci", "01:00.0"},
                                                   {"-n", "-b", "auto", "eth1"},
                                                   {"--unbind", "0000:01:*"}}) {
        auto outcome = devbind(change);
        EXPECT_EQ(outcome.code, 1);
        EXPECT_EQ(outcome.screen, std::string("sluice-devbind: 0000:01:00.0: refused, ") + GetParam().why +
                                      "; --force does it anyway\r\n");
    }
    EXPECT_EQ(devbind({"-n", "--force", "-b", "vfio-pci", "eth1"}).screen,
              "would change 0000:01:00.0: e1000e -> vfio-pci\r\n");
}

INSTANTIATE_TEST_SUITE_P(
    , TerminalInUse,
    testing::Values(
        InUse{"default_route", [](const FakeSysfs& fake) { route(fake, "00000000", "00000000"); },
              "eth1 carries the default route"},
        InUse{"route", [](const FakeSysfs& fake) { route(fake, "0002000A", "00FFFFFF"); },
              "eth1 carries the route 10.0.2.0/24"},
        InUse{"ssh",
              [](const FakeSysfs& fake) {
                  route(fake, "00000000", "00000000");
                  ::setenv("SSH_CONNECTION", "192.0.2.9 50000 192.0.2.1 22", 1);
              },
              "eth1 carries this ssh connection (from 192.0.2.9), eth1 carries the default route"},
        InUse{"bond", [](const FakeSysfs& fake) { under(fake, "bond"); }, "eth1 is part of the bond x0"},
        InUse{"bridge", [](const FakeSysfs& fake) { under(fake, "bridge"); },
              "eth1 is part of the bridge x0"},
        InUse{"vlan", [](const FakeSysfs& fake) { under(fake, "vlan"); }, "eth1 carries the VLAN x0"}),
    [](const auto& one) { return one.param.name; });

TEST_P(TerminalWrong, ends_with_two_and_one_line) {
    auto outcome = devbind(GetParam().arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.screen, testing::StartsWith("sluice-devbind: "));
    EXPECT_THAT(outcome.screen, HasSubstr(GetParam().says));
    EXPECT_EQ(outcome.screen.find('\n'), outcome.screen.size() - 1) << outcome.screen;
}

INSTANTIATE_TEST_SUITE_P(
    , TerminalWrong,
    testing::Values(
        Wrong{"nothing", {}, "nothing to do"},
        Wrong{"unknown_option", {"--frobnicate"}, "--frobnicate: no such option"},
        Wrong{"status_with_device", {"--status", "01:00.0"}, "01:00.0"},
        Wrong{"status_with_value", {"--status=x"}, "--status"},
        Wrong{"unknown_class", {"--status-dev", "toasters"}, "toasters"},
        Wrong{"class_missing", {"--status-dev"}, "--status-dev: its value is missing"},
        Wrong{"driver_missing", {"--bind"}, "--bind: its value is missing"},
        Wrong{"driver_empty", {"--bind=", "01:00.0"}, "--bind"},
        Wrong{"devices_missing", {"-b", "vfio-pci"}, "--bind needs devices"},
        Wrong{"driver_forgotten", {"-b", "01:00.0", "02:00.0"}, "is a device, not a driver"},
        Wrong{"driver_not_loaded", {"-b", "igb_uio", "01:00.0"}, "modprobe"},
        Wrong{"bdf_not_there", {"-b", "vfio-pci", "09:00.0"}, "09:00.0"},
        Wrong{"bdf_malformed", {"-b", "vfio-pci", "01:00.x"}, "01:00.x"},
        Wrong{"interface_not_there", {"-u", "eth9"}, "eth9"},
        Wrong{"wildcard_of_nothing", {"-u", "0009:*"}, "0009:*"},
        Wrong{"unbind_nothing", {"--unbind"}, "--unbind needs devices"},
        Wrong{"bind_and_unbind", {"-u", "-b", "vfio-pci", "01:00.0"}, "exclude"},
        Wrong{"force_alone", {"--force"}, "nothing to do"},
        Wrong{"force_with_status", {"--force", "-s"}, "--force"},
        Wrong{"dry_run_with_status", {"--dry-run", "-s"}, "--dry-run"},
        Wrong{"noiommu_with_status", {"--noiommu-mode", "-s"}, "--noiommu-mode"},
        Wrong{"noiommu_in_no_kernel", {"--noiommu-mode=2", "-b", "vfio-pci", "01:00.0"}, "--noiommu-mode"},
        Wrong{"hugepages_missing", {"--hugepages"}, "--hugepages: its value is missing"},
        Wrong{"hugepages_no_size", {"--hugepages", "many"}, "many"},
        Wrong{"hugepages_no_unit", {"--hugepages", "256"}, "256"},
        Wrong{"hugepages_bad_unit", {"--hugepages", "256X"}, "256X"},
        Wrong{"hugepages_too_many", {"--hugepages", "99999999999G"}, "99999999999G"},
        Wrong{"hugepages_bad_node", {"--hugepages", "256M@x"}, "256M@x"},
        Wrong{"hugepages_negative_node", {"--hugepages", "256M@-1"}, "256M@-1"},
        Wrong{"hugepages_nowhere", {"--hugepages", "256M"}, "this kernel has none"},
        Wrong{"groups_of_nothing", {"--groups", "09:00.0"}, "09:00.0"},
        Wrong{"unbind_with_value", {"--unbind=x", "01:00.0"}, "--unbind takes no value"},
        Wrong{"force_with_value", {"--force=1", "-u", "01:00.0"}, "--force takes no value"},
        Wrong{"dry_run_with_value", {"--dry-run=1", "-u", "01:00.0"}, "--dry-run takes no value"},
        Wrong{"groups_with_value", {"--groups=7"}, "--groups takes no value"},
        Wrong{"bind_twice", {"-b", "vfio-pci", "--bind", "none", "01:00.0"}, "--bind: give it once"},
        Wrong{"auto_without_devices", {"-b", "auto"}, "--bind needs devices"},
        Wrong{"auto_for_nothing", {"-b", "auto", "09:00.0"}, "09:00.0: no such device"},
        Wrong{"auto_for_no_match", {"-b", "auto", "0009:*"}, "0009:*: no device matches"},
        Wrong{"dry_run_not_loaded", {"-n", "-b", "igb_uio", "01:00.0"}, "load its module with modprobe"},
        Wrong{"wildcard_broken", {"-u", "01:[00.0"}, "no device matches"},
        Wrong{"device_empty", {"-u", ""}, "no such device"},
        Wrong{"abbreviated", {"--stat"}, "--stat: no such option"},
        Wrong{"json_with_value", {"--json=2"}, "--json"}),
    [](const auto& one) { return one.param.name; });
