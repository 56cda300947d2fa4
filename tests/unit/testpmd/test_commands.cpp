// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "commands.hpp"

namespace sluice::testpmd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

Command understood(std::string_view line) {
    const ParsedLine parsed = parse_line(line);
    EXPECT_TRUE(parsed.command) << line << ": " << parsed.complaint;
    EXPECT_TRUE(parsed.complaint.empty()) << line;
    return parsed.command.value_or(Command{});
}

struct Line {
    std::string_view text;
    Verb verb;
};

class CommandsOf : public testing::TestWithParam<Line> {};

TEST_P(CommandsOf, understands_a_whole_line) {
    EXPECT_EQ(understood(GetParam().text).verb, GetParam().verb);
}

TEST_P(CommandsOf, complains_when_a_word_is_too_many) {
    const ParsedLine parsed = parse_line(std::string(GetParam().text) + " bogus");
    EXPECT_FALSE(parsed.command);
    EXPECT_THAT(parsed.complaint, StartsWith("Bad arguments: "));
}

TEST_P(CommandsOf, complains_when_the_first_word_is_cut) {
    const std::string_view text = GetParam().text;
    const ParsedLine parsed = parse_line(text.substr(1));
    EXPECT_FALSE(parsed.command);
    EXPECT_EQ(parsed.complaint, "Command not found");
}

INSTANTIATE_TEST_SUITE_P(Commands, CommandsOf,
                         testing::Values(Line{"help", Verb::help}, Line{"start", Verb::start},
                                         Line{"start tx_first", Verb::start_tx_first},
                                         Line{"stop", Verb::stop},
                                         Line{"show port info 0", Verb::show_port_info},
                                         Line{"show port summary all", Verb::show_port_summary},
                                         Line{"show port stats all", Verb::show_port_stats},
                                         Line{"show port xstats 1", Verb::show_port_xstats},
                                         Line{"show config fwd", Verb::show_config_fwd},
                                         Line{"show fwd stats all", Verb::show_fwd_stats},
                                         Line{"clear port stats all", Verb::clear_port_stats},
                                         Line{"clear port xstats 0", Verb::clear_port_xstats},
                                         Line{"clear fwd stats all", Verb::clear_fwd_stats},
                                         Line{"set fwd macswap", Verb::set_fwd},
                                         Line{"set promisc all on", Verb::set_promisc},
                                         Line{"set burst 64", Verb::set_burst},
                                         Line{"set eth-peer 1 02:00:00:00:00:05", Verb::set_eth_peer},
                                         Line{"port reset 0", Verb::port_reset}, Line{"quit", Verb::quit}));

TEST(Commands, takes_values_from_their_places) {
    EXPECT_EQ(understood("show port stats 12").port, 12);
    EXPECT_EQ(understood("show port stats all").port, std::nullopt);
    EXPECT_EQ(understood("set fwd txonly").mode, Mode::txonly);
    EXPECT_TRUE(understood("set promisc 0 on").on);
    EXPECT_FALSE(understood("set promisc 0 off").on);
    EXPECT_EQ(understood("set burst 64").number, 64U);
    EXPECT_EQ(understood("set eth-peer 1 02:00:00:00:00:05").address.addr_bytes[5], 5);
}

TEST(Commands, ignores_blanks_and_empty_lines) {
    EXPECT_EQ(understood("  set \t fwd   io ").verb, Verb::set_fwd);
    const ParsedLine empty = parse_line("  \t");
    EXPECT_FALSE(empty.command);
    EXPECT_TRUE(empty.complaint.empty());
}

TEST(Commands, says_what_an_incomplete_or_wrong_line_takes) {
    EXPECT_EQ(parse_line("set fwd bogus").complaint, "Bad arguments: set fwd <io|mac|macswap|rxonly|txonly>");
    EXPECT_EQ(parse_line("show port stats").complaint, "Bad arguments: show port stats <port|all>");
    EXPECT_EQ(parse_line("show port stats -1").complaint, "Bad arguments: show port stats <port|all>");
    EXPECT_EQ(parse_line("show port stats 70000").complaint, "Bad arguments: show port stats <port|all>");
    EXPECT_EQ(parse_line("set promisc all maybe").complaint,
              "Bad arguments: set promisc <port|all> <on|off>");
    EXPECT_EQ(parse_line("set burst 4x").complaint, "Bad arguments: set burst <number>");
    EXPECT_EQ(parse_line("set eth-peer 0 02:00").complaint, "Bad arguments: set eth-peer <port> <mac>");
    EXPECT_EQ(parse_line("set eth-peer all 02:00:00:00:00:05").complaint,
              "Bad arguments: set eth-peer <port> <mac>");
    EXPECT_EQ(parse_line("bogus").complaint, "Command not found");
}

TEST(Commands, completes_words_and_choices) {
    EXPECT_THAT(completions("qu"), ElementsAre("quit"));
    EXPECT_THAT(completions("s"), ElementsAre("start", "stop", "show", "set"));
    EXPECT_THAT(completions("show port "), ElementsAre("info", "summary", "stats", "xstats"));
    EXPECT_THAT(completions("set fwd mac"), ElementsAre("mac", "macswap"));
    EXPECT_THAT(completions("set promisc all o"), ElementsAre("on", "off"));
    EXPECT_THAT(completions("set fwd bogus "), IsEmpty());
}

TEST(Commands, help_names_every_command) {
    const std::string help = command_help();
    for (const std::string& word : completions(""))
        EXPECT_THAT(help, testing::HasSubstr("\n  " + word)) << word;
}

} // namespace
} // namespace sluice::testpmd
