// SPDX-License-Identifier: BSD-3-Clause
#include "commands.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace sluice::testpmd {
namespace {

/// What a word of a command may be. The first character of a row's word decides: `<` names a value.
constexpr std::string_view port_word = "<port|all>";
constexpr std::string_view one_port_word = "<port>";
constexpr std::string_view mode_word = "<io|mac|macswap|rxonly|txonly>";
constexpr std::string_view switch_word = "<on|off>";
constexpr std::string_view number_word = "<number>";
constexpr std::string_view mac_word = "<mac>";

struct Row {
    Verb verb;
    std::vector<std::string_view> words;
    std::string_view help;
};

const std::vector<Row>& rows() {
    static const std::vector<Row> table = {
        {Verb::help, {"help"}, "This text"},
        {Verb::start, {"start"}, "Start forwarding"},
        {Verb::start_tx_first, {"start", "tx_first"}, "Send one burst from every port, then forward"},
        {Verb::stop, {"stop"}, "Stop forwarding and print its statistics"},
        {Verb::show_port_info, {"show", "port", "info", port_word}, "What a port is"},
        {Verb::show_port_summary, {"show", "port", "summary", port_word}, "The same, a line a port"},
        {Verb::show_port_stats, {"show", "port", "stats", port_word}, "A port's counters"},
        {Verb::show_port_xstats, {"show", "port", "xstats", port_word}, "All counters of a port"},
        {Verb::show_config_fwd, {"show", "config", "fwd"}, "Mode, and which lcore serves which queues"},
        {Verb::show_fwd_stats, {"show", "fwd", "stats", "all"}, "Forwarding statistics so far"},
        {Verb::clear_port_stats, {"clear", "port", "stats", port_word}, "Set a port's counters to zero"},
        {Verb::clear_port_xstats, {"clear", "port", "xstats", port_word}, "Set all counters to zero"},
        {Verb::clear_fwd_stats, {"clear", "fwd", "stats", "all"}, "Set forwarding statistics to zero"},
        {Verb::set_fwd, {"set", "fwd", mode_word}, "Choose what forwarding does"},
        {Verb::set_promisc, {"set", "promisc", port_word, switch_word}, "Receive every frame, or not"},
        {Verb::set_burst, {"set", "burst", number_word}, "Frames a burst, 1 to 512"},
        {Verb::set_eth_peer, {"set", "eth-peer", one_port_word, mac_word}, "Destination in mode mac"},
        {Verb::port_reset, {"port", "reset", port_word}, "Recover a port whose device failed"},
        {Verb::quit, {"quit"}, "End"},
    };
    return table;
}

std::vector<std::string_view> split(std::string_view line) {
    constexpr std::string_view blank = " \t\r\n";
    std::vector<std::string_view> words;
    for (auto at = line.find_first_not_of(blank); at != line.npos; at = line.find_first_not_of(blank)) {
        line.remove_prefix(at);
        words.push_back(line.substr(0, line.find_first_of(blank)));
        line.remove_prefix(words.back().size());
    }
    return words;
}

template <typename T>
bool parse_number(std::string_view text, T& value) {
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    return wrong == std::errc{} && end == text.data() + text.size();
}

bool parse_port(std::string_view word, Command& command) {
    std::uint16_t port = 0;
    if (!parse_number(word, port))
        return false;
    command.port = port;
    return true;
}

/// Takes `word` as the value that `wanted` names.
bool take(std::string_view wanted, std::string_view word, Command& command) {
    if (!wanted.starts_with('<'))
        return wanted == word;
    if (wanted == port_word)
        return word == "all" || parse_port(word, command);
    if (wanted == one_port_word)
        return parse_port(word, command);
    if (wanted == mode_word) {
        const auto mode = mode_named(word);
        command.mode = mode.value_or(Mode::io);
        return mode.has_value();
    }
    if (wanted == switch_word) {
        command.on = word == "on";
        return command.on || word == "off";
    }
    if (wanted == mac_word)
        return rte_ether_unformat_addr(std::string(word).c_str(), &command.address) == 0;
    return parse_number(word, command.number);
}

/// Words of `row` that `words` match, from the first on.
std::size_t matched(const Row& row, const std::vector<std::string_view>& words, Command& command) {
    std::size_t count = 0;
    while (count < std::min(row.words.size(), words.size()) && take(row.words[count], words[count], command))
        ++count;
    return count;
}

std::string usage(const Row& row) {
    return fmt::format("{}", fmt::join(row.words, " "));
}

} // namespace

ParsedLine parse_line(std::string_view line) {
    const auto words = split(line);
    if (words.empty())
        return {};
    const Row* nearest = nullptr;
    std::size_t best = 0;
    for (const Row& row : rows()) {
        Command command;
        command.verb = row.verb;
        const std::size_t count = matched(row, words, command);
        if (count == row.words.size() && count == words.size())
            return {command, {}};
        if (count > best) {
            best = count;
            nearest = &row;
        }
    }
    if (nearest == nullptr)
        return {std::nullopt, "Command not found"};
    return {std::nullopt, "Bad arguments: " + usage(*nearest)};
}

std::vector<std::string> completions(std::string_view line) {
    auto words = split(line);
    std::string_view begun;
    if (!words.empty() && line.back() != ' ') {
        begun = words.back();
        words.pop_back();
    }
    std::vector<std::string> found;
    const auto offer = [&](std::string_view word) {
        if (word.starts_with(begun) && std::ranges::find(found, word) == found.end())
            found.emplace_back(word);
    };
    for (const Row& row : rows()) {
        Command ignored;
        if (matched(row, words, ignored) != words.size() || row.words.size() <= words.size())
            continue;
        std::string_view next = row.words[words.size()];
        if (next == mode_word)
            std::ranges::for_each(mode_names, offer);
        else if (next == switch_word)
            std::ranges::for_each(std::vector<std::string_view>{"on", "off"}, offer);
        else if (next == port_word)
            offer("all");
        else if (!next.starts_with('<'))
            offer(next);
    }
    return found;
}

std::string command_help() {
    std::string text = "\n";
    for (const Row& row : rows())
        text += fmt::format("  {:<44} {}\n", usage(row), row.help);
    return text + "\n";
}

} // namespace sluice::testpmd
