// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "options.hpp"

namespace sluice::testpmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Words = std::vector<std::string>;

CommandLine parsed(const Words& words) {
    auto line = parse_command_line(words);
    EXPECT_TRUE(line) << (line ? "" : line.error().message());
    return line.value_or(CommandLine{});
}

std::string refusal(const Words& words) {
    const auto line = parse_command_line(words);
    EXPECT_FALSE(line);
    return line ? std::string{} : line.error().message();
}

Settings settings_of(Words after) {
    after.insert(after.begin(), "--");
    return parsed(after).settings;
}

bool never(std::string_view) {
    return false;
}

TEST(Options, keeps_devices_in_port_order_over_both_spellings) {
    const auto line = parsed({"-a", "01:00.0", "--vdev", "net_null0,copy=1", "-a0000:02:00.1",
                              "--allow=vfio-user:/run/x.sock", "--vdev=net_null1"});
    EXPECT_THAT(line.ports, ElementsAre("pci:0000:01:00.0", "ethdev:net_null0,copy=1", "pci:0000:02:00.1",
                                        "vfio-user:/run/x.sock", "ethdev:net_null1"));
    EXPECT_THAT(line.eal, IsEmpty());
}

TEST(Options, hands_the_rest_to_eal_unchanged_and_in_order) {
    const auto line = parsed({"-l", "0-1", "-a", "01:00.0", "-m", "256", "--no-huge", "-n4", "--", "-i"});
    EXPECT_THAT(line.eal, ElementsAre("-l", "0-1", "-m", "256", "--no-huge", "-n4"));
    EXPECT_TRUE(line.settings.interactive);
}

TEST(Options, tells_allow_from_auto_start_by_its_side_of_the_dashes) {
    const auto line = parsed({"-a", "01:00.0", "--", "-a"});
    EXPECT_THAT(line.ports, ElementsAre("pci:0000:01:00.0"));
    EXPECT_TRUE(line.settings.auto_start);
}

TEST(Options, refuses_a_device_that_is_neither_address_nor_uri) {
    EXPECT_THAT(refusal({"-a", "eth0"}), HasSubstr("eth0: neither a PCI address"));
    EXPECT_THAT(refusal({"-a", "soft:"}), HasSubstr("soft:: neither a PCI address"));
    EXPECT_THAT(refusal({"-a", "/dev/sluice/0:x"}), HasSubstr("neither a PCI address"));
}

TEST(Options, refuses_options_behind_a_pci_address) {
    EXPECT_THAT(refusal({"-a", "01:00.0,x=1"}), HasSubstr("pci:ADDRESS?KEY=VALUE"));
}

TEST(Options, refuses_an_option_without_its_value) {
    EXPECT_THAT(refusal({"-a"}), HasSubstr("-a: needs a device"));
    EXPECT_THAT(refusal({"--vdev"}), HasSubstr("--vdev: needs a name"));
    EXPECT_THAT(refusal({"--vdev="}), HasSubstr("--vdev: needs a name"));
}

TEST(Options, refuses_to_be_a_secondary_process) {
    EXPECT_THAT(refusal({"--proc-type=secondary"}), HasSubstr("one process owns a port"));
    EXPECT_THAT(refusal({"--proc-type", "secondary"}), HasSubstr("one process owns a port"));
    EXPECT_THAT(parsed({"--proc-type=primary"}).eal, ElementsAre("--proc-type=primary"));
}

TEST(Options, reads_every_option_after_the_dashes) {
    const Settings s = settings_of({"-i",
                                    "--auto-start",
                                    "--tx-first",
                                    "--stats-period=2",
                                    "--nb-cores=3",
                                    "--rxq=4",
                                    "--txq",
                                    "5",
                                    "--rxd=512",
                                    "--txd=256",
                                    "--burst=64",
                                    "--total-num-mbufs=4096",
                                    "--mbuf-size=4096",
                                    "--mbcache=128",
                                    "--forward-mode=macswap",
                                    "--port-topology=chained",
                                    "--txpkts=128",
                                    "--eth-peer=1,02:00:00:00:00:09",
                                    "--eth-peer",
                                    "0,02:00:00:00:00:08"});
    EXPECT_TRUE(s.interactive && s.auto_start && s.tx_first);
    EXPECT_EQ(s.stats_period, 2U);
    EXPECT_EQ(s.nb_cores, 3U);
    EXPECT_EQ(s.rxq, 4);
    EXPECT_EQ(s.txq, 5);
    EXPECT_EQ(s.rxd, 512);
    EXPECT_EQ(s.txd, 256);
    EXPECT_EQ(s.burst, 64);
    EXPECT_EQ(s.total_num_mbufs, 4096U);
    EXPECT_EQ(s.mbuf_size, 4096);
    EXPECT_EQ(s.mbcache, 128);
    EXPECT_EQ(s.mode, Mode::macswap);
    EXPECT_EQ(s.topology, Topology::chained);
    EXPECT_EQ(s.tx_bytes, 128);
    ASSERT_EQ(s.peers.size(), 2U);
    EXPECT_EQ(s.peers.at(1).addr_bytes[5], 9);
    EXPECT_EQ(s.peers.at(0).addr_bytes[5], 8);
}

TEST(Options, has_testpmds_defaults) {
    const Settings s = settings_of({});
    EXPECT_FALSE(s.interactive || s.auto_start || s.tx_first);
    EXPECT_EQ(s.nb_cores, 1U);
    EXPECT_EQ(s.rxq, 1);
    EXPECT_EQ(s.burst, 32);
    EXPECT_EQ(s.mbuf_size, 2176);
    EXPECT_EQ(s.mode, Mode::io);
}

TEST(Options, says_where_an_option_belongs_that_stands_before_the_dashes) {
    for (const char* word : {"-i", "--rxq=2", "--burst", "--forward-mode=io"})
        EXPECT_EQ(refusal({"-l", "0-1", word}),
                  std::string(word) + ": this option stands after --, as in sluice-testpmd -l 0-1 -- -i");
    EXPECT_THAT(parsed({"--rx", "-n4", "i"}).eal, ElementsAre("--rx", "-n4", "i"));
}

class OptionsWrong : public testing::TestWithParam<std::string> {};

TEST_P(OptionsWrong, is_refused_in_one_line_that_names_it) {
    const std::string message = refusal({"--", GetParam()});
    EXPECT_THAT(message, HasSubstr(GetParam().substr(0, GetParam().find('='))));
    EXPECT_THAT(message, HasSubstr("see sluice-testpmd --help"));
    EXPECT_EQ(message.find('\n'), message.npos) << message;
}

INSTANTIATE_TEST_SUITE_P(Options, OptionsWrong,
                         testing::Values("--bogus", "--stats-period=x", "--nb-cores=0", "--nb-cores=129",
                                         "--rxq=0", "--txq=65", "--rxd=-1", "--txd=70000", "--burst=0",
                                         "--burst=513", "--total-num-mbufs=1024", "--mbuf-size=16",
                                         "--mbcache=513", "--forward-mode=bogus", "--port-topology=ring",
                                         "--txpkts=59", "--burst", "stray"));

TEST(Options, refuses_a_wrong_peer_address) {
    EXPECT_THAT(refusal({"--", "--eth-peer=1"}), HasSubstr("--eth-peer takes PORT,MAC"));
    EXPECT_THAT(refusal({"--", "--eth-peer=x,02:00:00:00:00:01"}), HasSubstr("--eth-peer takes PORT,MAC"));
    EXPECT_THAT(refusal({"--", "--eth-peer=1,02:00"}), HasSubstr("--eth-peer takes PORT,MAC"));
}

TEST(Options, help_stands_on_either_side_and_names_every_option) {
    EXPECT_TRUE(parsed({"--help"}).help);
    EXPECT_TRUE(parsed({"-h"}).help);
    EXPECT_TRUE(parsed({"--", "--help"}).help);
    for (const char* option :
         {"-a, --allow", "--vdev", "-i,--interactive", "--auto-start", "--tx-first", "--stats-period",
          "--nb-cores", "--rxq", "--txq", "--rxd", "--txd", "--burst", "--total-num-mbufs", "--mbuf-size",
          "--mbcache", "--forward-mode", "--port-topology", "--eth-peer", "--txpkts"})
        EXPECT_THAT(help_text(), HasSubstr(option));
}

TEST(Options, keeps_eal_off_pci_when_no_uri_needs_it) {
    CommandLine line;
    line.eal = {"-l", "0-1"};
    line.ports = {"pci:0000:01:00.0", "ethdev:net_null0"};
    EXPECT_THAT(eal_arguments("t", line, never), ElementsAre("t", "-l", "0-1", "--no-pci"));
    line.eal = {"--no-pci"};
    EXPECT_THAT(eal_arguments("t", line, never), ElementsAre("t", "--no-pci"));
}

TEST(Options, allows_eal_exactly_the_pci_devices_that_it_is_to_open) {
    CommandLine line;
    line.ports = {"ethdev:0000:03:00.0,mprq=1", "pci:0000:01:00.0", "pci:0000:02:00.0?driver=ethdev"};
    const auto by_key = [](std::string_view uri) { return uri.ends_with("driver=ethdev"); };
    EXPECT_THAT(eal_arguments("t", line, by_key),
                ElementsAre("t", "-a", "0000:03:00.0,mprq=1", "-a", "0000:02:00.0"));
}

} // namespace
} // namespace sluice::testpmd
