// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The prompt's commands: one table, from which lines are parsed, completed and explained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rte_ether.h>

#include "modes.hpp"

namespace sluice::testpmd {

enum class Verb : std::uint8_t {
    help,
    start,
    start_tx_first,
    stop,
    show_port_info,
    show_port_summary,
    show_port_stats,
    show_port_xstats,
    show_config_fwd,
    show_fwd_stats,
    clear_port_stats,
    clear_port_xstats,
    clear_fwd_stats,
    set_fwd,
    set_promisc,
    set_burst,
    set_eth_peer,
    port_reset,
    quit,
};

/// A line that was understood. Fields that its verb does not use stay as they are here.
struct Command {
    Verb verb{};
    std::optional<std::uint16_t> port; ///< empty: all ports
    Mode mode = Mode::io;
    bool on = false;
    std::uint32_t number = 0;
    rte_ether_addr address{};
};

struct ParsedLine {
    std::optional<Command> command;
    std::string complaint; ///< why there is no command; empty for an empty line
};

ParsedLine parse_line(std::string_view line);

/// The words that may stand where `line` ends, each starting with what `line` has of it.
std::vector<std::string> completions(std::string_view line);

/// The text of `help`.
std::string command_help();

} // namespace sluice::testpmd
