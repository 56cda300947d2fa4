// SPDX-License-Identifier: BSD-3-Clause
// The program, command by command, on made-up functions and images.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cfgspace.hpp"
#include "images.hpp"
#include "replay.hpp"

using namespace sluice;
namespace fs = std::filesystem;

namespace {

std::string slurp(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

struct Answer {
    int status;
    std::string out;
    std::string errors;
    nlohmann::json json() const { return nlohmann::json::parse(out); }
};

Answer run(std::vector<std::string> arguments, bool terminal = false) {
    std::ostringstream out;
    std::ostringstream errors;
    const int status = cfgspace::run(arguments, terminal, out, errors);
    return {status, out.str(), errors.str()};
}

class Program : public ::testing::Test {
  protected:
    Program() {
        char name[] = "/tmp/cfgspace.XXXXXX";
        folder_ = ::mkdtemp(name);
        sluice::testing::Function function(4096);
        function.capability(0x40, 0x01, {0x03, 0xf8, 0x08, 0x81});
        function.capability(0x60, 0x10, {0x02, 0x00, 0x00, 0x00, 0x00, 0x10, 0x10, 0x28})
            .capability(0xa0, 0x0d);
        function.capability(0xb0, 0x09, {0x10});
        function.extended(0x100, 0x0001).extended(0x140, 0x0019).extended(0x180, 0x0003, {0x11, 0x22});
        function.set_hardware(0x10, 4, 0xf0000000);
        bytes_.assign(function.image.bytes().begin(), function.image.bytes().end());
        save(image(), bytes_);
    }
    ~Program() override { fs::remove_all(folder_); }

    static void save(const fs::path& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    }
    std::string image() const { return folder_ + "/image.bin"; }

    /// A system with one function, as sysfs shows it.
    std::string system() const {
        const fs::path device = folder_ + "/sys/bus/pci/devices/0000:01:00.0";
        fs::create_directories(device);
        save(device / "config", bytes_);
        save(device / "vendor", "0x1234\n");
        save(device / "device", "0x5678\n");
        save(device / "subsystem_vendor", "0x0000\n");
        save(device / "subsystem_device", "0x0000\n");
        save(device / "class", "0x020000\n");
        save(device / "revision", "0x01\n");
        save(device / "irq", "11\n");
        save(device / "resource", "0x00000000f0000000 0x00000000f0003fff 0x0000000000040200\n");
        return folder_;
    }

    std::string folder_;
    std::string bytes_;
};

TEST_F(Program, show_prints_both_sides_and_marks_differences) {
    const Answer answer = run({"show", image()});
    EXPECT_EQ(answer.status, 0) << answer.errors;
    EXPECT_NE(answer.out.find("[1234:5678]"), std::string::npos);
    EXPECT_NE(answer.out.find("PCI Express at 60"), std::string::npos);
    EXPECT_NE(answer.out.find("* 042  Power Management Capabilities"), std::string::npos);
    EXPECT_NE(answer.out.find("note: capability 0d at a0 has no table: hidden"), std::string::npos);
    EXPECT_EQ(answer.out.find("\033["), std::string::npos);
    EXPECT_NE(run({"show", image()}, true).out.find("\033["), std::string::npos);
    EXPECT_EQ(run({"--color", "never", "show", image()}, true).out, answer.out);
    const Answer less = run({"show", "--differences", image()});
    EXPECT_LT(less.out.size(), answer.out.size() / 2);
}

TEST_F(Program, show_answers_in_json) {
    const auto answer = run({"show", "--json", image()}).json();
    EXPECT_EQ(answer["program"], "sluice-cfgspace");
    EXPECT_EQ(answer["format"], 1);
    bool found = false;
    for (const auto& row : answer["rows"])
        if (row["register"] == "Power Management Control/Status") {
            found = true;
            EXPECT_EQ(row["offset"], 0x44);
            EXPECT_EQ(row["raw"], 0x8108);
            EXPECT_EQ(row["mediated"], 0x0008);
            EXPECT_EQ(row["write"], 0x7efc);
            EXPECT_EQ(row["differs"], true);
        }
    EXPECT_TRUE(found);
}

TEST_F(Program, reads_a_function_through_sysfs) {
    const std::string root = system();
    const Answer answer = run({"--root", root, "show", "01:00.0"});
    EXPECT_EQ(answer.status, 0) << answer.errors;
    EXPECT_NE(answer.out.find("0000:01:00.0 Ethernet controller"), std::string::npos);
    EXPECT_NE(answer.out.find("from sysfs"), std::string::npos);
    EXPECT_EQ(run({"--root", root, "read", "01:00.0", "Base Address 0"}).out, "f0000000\n");
    const Answer absent = run({"--root", root, "show", "02:00.0"});
    EXPECT_EQ(absent.status, 2);
    EXPECT_NE(absent.errors.find("0000:02:00.0"), std::string::npos);
}

TEST_F(Program, explains_what_it_cannot_look_at) {
    const std::string root = system();
    save(fs::path(root) / "sys/bus/pci/devices/0000:01:00.0/config", bytes_.substr(0, 64));
    const Answer answer = run({"--root", root, "show", "01:00.0"});
    EXPECT_EQ(answer.status, 2);
    EXPECT_NE(answer.errors.find("be root"), std::string::npos);
    save(image(), bytes_.substr(0, 12));
    EXPECT_EQ(run({"show", image()}).status, 2);
    bytes_[0x0e] = 1;
    save(image(), bytes_);
    EXPECT_NE(run({"show", image()}).errors.find("a bridge"), std::string::npos);
    EXPECT_EQ(run({"show", folder_ + "/none"}).status, 2);
}

TEST_F(Program, map_draws_owners_and_bits) {
    const Answer answer = run({"map", image()});
    EXPECT_EQ(answer.status, 0);
    EXPECT_NE(answer.out.find("000  H H H H"), std::string::npos);
    EXPECT_NE(answer.out.find("040  a a a a a a a a - -"), std::string::npos);
    EXPECT_NE(answer.out.find("PCI Express"), std::string::npos);
    EXPECT_NE(answer.out.find("0a0  0 0 0 0 0 0 0 0 -"), std::string::npos) << "the hidden one";
    const Answer bits = run({"map", "--bits", image()});
    EXPECT_NE(bits.out.find("WWWWWWWW WWWWWSWW"), std::string::npos) << "COMMAND";
    EXPECT_NE(run({"map", "--policy", "kernel-6.1", image()}).out.find("100"), std::string::npos);
}

TEST_F(Program, map_answers_in_json_with_every_byte_once) {
    const auto answer = run({"map", "--json", image()}).json();
    unsigned next = 0;
    for (const auto& row : answer["rows"]) {
        EXPECT_EQ(row["first"], next);
        next = row["last"].get<unsigned>() + 1;
    }
    EXPECT_EQ(next, 4096U);
}

TEST_F(Program, floor_lists_what_may_reach_hardware) {
    const Answer answer = run({"floor", image()});
    EXPECT_EQ(answer.status, 0);
    EXPECT_NE(answer.out.find("004  Command"), std::string::npos);
    EXPECT_NE(answer.out.find("0b3  Vendor Specific to 0bf"), std::string::npos) << answer.out;
    EXPECT_EQ(answer.out.find("Base Address"), std::string::npos);
    const auto json = run({"floor", "--json", image()}).json();
    EXPECT_EQ(json["rows"][0]["register"], "Command");
    EXPECT_EQ(json["rows"][0]["engine"], 0xfbff);
    EXPECT_FALSE(json["rows"][0].contains("module"));
}

TEST_F(Program, diff_says_no_when_registers_differ) {
    const std::string other = folder_ + "/other.bin";
    save(other, bytes_);
    EXPECT_EQ(run({"diff", image(), other}).status, 0);
    bytes_[0x08] = 2;
    bytes_[0xb1] = 0;
    bytes_[0x61] = 0;
    save(other, bytes_);
    const Answer answer = run({"diff", image(), other});
    EXPECT_EQ(answer.status, 1);
    EXPECT_NE(answer.out.find("008  Revision ID"), std::string::npos);
    EXPECT_NE(answer.out.find("Vendor Specific/Capability ID"), std::string::npos);
    EXPECT_EQ(run({"diff", other, image()}).status, 1);
    EXPECT_EQ(run({"diff", "--json", image(), other}).json()["rows"][0]["left"], 1);
    EXPECT_EQ(run({"diff", image(), folder_ + "/none"}).status, 2);
}

TEST_F(Program, read_takes_offsets_and_names) {
    EXPECT_EQ(
        run({"read", image(), "0.w", "2", "3.b", "Vendor ID", "pci express/device control", "44.w"}).out,
        "1234\n5678\n56\n1234\n2810\n0008\n");
    EXPECT_EQ(run({"read", "--json", image(), "0"}).json()["rows"][0]["value"], 0x56781234);
    EXPECT_EQ(run({"read", image(), "No Such Register"}).status, 2);
    EXPECT_EQ(run({"read", image(), "0.q"}).status, 2);
    EXPECT_EQ(run({"read", image(), "1000"}).status, 2);
}

TEST_F(Program, write_tells_what_reached_hardware_and_saves_on_demand) {
    const Answer answer = run({"write", image(), "Command=0006", "PCI Express/Device Control=a810"});
    EXPECT_EQ(answer.status, 0) << answer.errors;
    EXPECT_EQ(answer.out, "  hardware 004 <- 0006\n004 written 0006, now 0006\n"
                          "  hardware 068 <- 2810\n  event zap\n  event reset\n068 written a810, now 2810\n");
    EXPECT_EQ(slurp(image()), bytes_);
    EXPECT_EQ(run({"write", "--save", image(), "4.w=6"}).status, 0);
    EXPECT_EQ(slurp(image())[4], 6);
    EXPECT_EQ(run({"write", image(), "Command"}).status, 2);
    EXPECT_EQ(run({"write", image(), "Command=12345"}).status, 2);
    EXPECT_EQ(run({"write", image(), "Nothing=1"}).status, 2);
    const auto json = run({"write", "--json", image(), "0=ffffffff"}).json();
    EXPECT_EQ(json["rows"][0]["now"], 0x56781234);
    EXPECT_TRUE(json["rows"][0]["effects"].empty());
}

TEST_F(Program, write_refuses_a_function_that_no_transport_holds) {
    const Answer answer = run({"write", "fffe:1f:1f.7", "Command=0006"});
    EXPECT_EQ(answer.status, 1);
    EXPECT_NE(answer.errors.find("fffe:1f:1f.7"), std::string::npos);
    EXPECT_EQ(run({"write", "--save", "01:00.0", "Command=0006"}).status, 2);
    EXPECT_EQ(run({"write", "--policy", "kernel-6.1", "01:00.0", "Command=0006"}).status, 1);
}

TEST_F(Program, replay_runs_a_script_and_names_a_wrong_line) {
    const std::string script = folder_ + "/a.scr";
    save(script, "new\nimage " + image() + "\n# a comment\ninit\necho hello  world\nr 0 4\nperms\nrall 16\n");
    const Answer answer = run({"replay", "--policy", "kernel-6.12", script});
    EXPECT_EQ(answer.status, 0) << answer.errors;
    EXPECT_NE(answer.out.find("init ret=0\nhello  world\nr 000 4 ret=4 data=34127856\nperms 000:"),
              std::string::npos);
    EXPECT_EQ(run({"replay", folder_ + "/none"}).status, 2);
}

TEST_F(Program, replay_refuses_what_makes_no_sense) {
    const char* const wrong[] = {"r 0 4",
                                 "image nowhere.bin",
                                 "hex 0 1",
                                 "hex 0 zz",
                                 "cfgsize 100",
                                 "res 7 1 1 1",
                                 "power 5",
                                 "trace x",
                                 "irqtype abc",
                                 "qmax 6",
                                 "frobnicate",
                                 "r",
                                 "wmask 0xfff 0102",
                                 "vpd 65536",
                                 "hwget 4096 1",
                                 "hwset 4095 0102",
                                 "r zero 1",
                                 "wmask nowhere.wm"};
    for (const char* line : wrong) {
        std::istringstream script(std::string("echo first\n") + line + "\n");
        std::ostringstream out;
        std::ostringstream errors;
        EXPECT_EQ(cfgspace::Replay(config::Policy::strict, out).run(script, errors), 2) << line;
        EXPECT_TRUE(errors.str().starts_with("error line 2: ")) << errors.str();
    }
}

TEST_F(Program, replay_knows_every_command) {
    std::istringstream script(
        "new\nimage " + image() +
        "\nvf 0\nids 1 2\nnocmdmem 0\nirq 5\nirq notconnected\nnointx 0\nconfig_intx 1\n"
        "pci23 auto\npci23 1\nvpd 16\nreset_supported 1\nno_d3 0\npcie_perf 0\nsriov_active 0\n"
        "power 0\nhwerr 0 0 0 0\nhwerr 0xd0 4 -5 3\ntrace wr\ncfgsize 4096\ninit\nr 0x68 2\n"
        "w 0x68 2 0x10\nmapset 0xfc 4 0xfe\nirqtype msi\nqmax 3\nrall 1\nr 0xd0 4\nr 0x1000 1\n"
        "wb 0xfc 01020304\nr 0xfc 4\nmap\nstate\nhwdiff\nvconfig\n");
    std::ostringstream out;
    std::ostringstream errors;
    EXPECT_EQ(cfgspace::Replay(config::Policy::kernel_6_1, out).run(script, errors), 0) << errors.str();
    EXPECT_NE(out.str().find("  hw-r 068 2 = 2810\n"), std::string::npos);
    EXPECT_NE(out.str().find("r 0d0 4 ret=-5\n"), std::string::npos);
    EXPECT_NE(out.str().find("r 1000 1 ret=-14\n"), std::string::npos);
    EXPECT_NE(out.str().find("r 0fc 4 ret=4 data=01020304\n"), std::string::npos);
    EXPECT_NE(out.str().find("irq_type=1 qmax=3"), std::string::npos);
}

TEST_F(Program, perms_and_rules_filter_and_answer_in_json) {
    const Answer answer = run({"perms", "express"});
    EXPECT_NE(answer.out.find("Device Control"), std::string::npos);
    EXPECT_EQ(answer.out.find("Vital Product Data"), std::string::npos);
    EXPECT_NE(run({"perms", "extended 001b"}).out.find("hidden"), std::string::npos);
    EXPECT_EQ(run({"perms", "no such"}).status, 2);
    EXPECT_GT(run({"perms", "--json"}).json()["rows"].size(), 150U);
    EXPECT_EQ(run({"rules", "--json"}).json()["rows"].size(), config::rules().size());
    EXPECT_NE(run({"rules"}).out.find("vendor-header"), std::string::npos);
}

TEST_F(Program, the_pages_in_doc_are_current) {
    EXPECT_EQ(run({"perms", "--markdown"}).out, slurp(SLUICE_DOC "/permissions.md"))
        << "run: sluice-cfgspace perms --markdown > doc/permissions.md";
    EXPECT_EQ(run({"rules", "--markdown"}).out, slurp(SLUICE_DOC "/permissions-rules.md"))
        << "run: sluice-cfgspace rules --markdown > doc/permissions-rules.md";
}

TEST_F(Program, says_how_it_is_used) {
    EXPECT_EQ(run({"--help"}).status, 0);
    EXPECT_EQ(run({}).status, 2);
    EXPECT_EQ(run({"show"}).status, 2);
    EXPECT_EQ(run({"show", "--policy", "lax", image()}).status, 2);
    EXPECT_EQ(run({"--color", "pink", "rules"}).status, 2);
    EXPECT_EQ(run({"perms", "express", "--markdown"}).status, 2) << "the page is of all capabilities";
    const Answer unknown = run({"shwo", image()});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_EQ(unknown.errors, "sluice-cfgspace: no command is called 'shwo'; --help lists them\n");
}

} // namespace
