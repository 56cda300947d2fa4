// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <memory>

#include <CLI/CLI.hpp>
#include <rte_pci.h>

namespace sluice::testpmd {
namespace {

Result<rte_ether_addr> parse_peer(const std::string& text, unsigned& port) {
    const auto comma = text.find(',');
    rte_ether_addr address{};
    const std::string digits = text.substr(0, comma);
    const bool number = !digits.empty() && digits.size() <= 3 &&
                        std::ranges::all_of(digits, [](unsigned char c) { return std::isdigit(c) != 0; });
    if (!number || comma == std::string::npos ||
        rte_ether_unformat_addr(text.c_str() + comma + 1, &address) != 0)
        return fail(EINVAL, "--eth-peer takes PORT,MAC, as in --eth-peer 1,02:00:00:00:00:01", text);
    port = static_cast<unsigned>(std::stoul(digits));
    return address;
}

/// Everything that the parser of the options after `--` writes to.
struct AfterDashes {
    Settings settings;
    std::string mode = "io";
    std::string topology = "paired";
    std::vector<std::string> peers;
};

void add_run_options(CLI::App& app, AfterDashes& to) {
    Settings& s = to.settings;
    app.add_flag("-i,--interactive", s.interactive, "Read commands at the prompt");
    app.add_flag("-a,--auto-start", s.auto_start, "Start forwarding at once, with -i too");
    app.add_flag("--tx-first", s.tx_first, "Send one burst from every port before forwarding");
    app.add_option("--stats-period", s.stats_period, "Print statistics every N seconds")
        ->check(CLI::Range(0U, 86400U));
    app.add_option("--forward-mode", to.mode, "io, mac, macswap, rxonly or txonly")
        ->check(CLI::IsMember(std::vector<std::string>(std::begin(mode_names), std::end(mode_names))));
    app.add_option("--port-topology", to.topology, "paired (0 with 1, 2 with 3), chained or loop")
        ->check(CLI::IsMember(std::vector<std::string>{"paired", "chained", "loop"}));
    app.add_option("--eth-peer", to.peers, "PORT,MAC: destination of frames to PORT in mode mac")
        ->allow_extra_args(false);
    app.add_option("--burst", s.burst, "Frames a burst")->check(CLI::Range(1U, unsigned{max_burst}));
    app.add_option("--txpkts", s.tx_bytes, "Bytes of a frame that txonly sends")
        ->check(CLI::Range(unsigned{FrameMaker::min_bytes}, unsigned{FrameMaker::max_bytes}));
}

void add_resource_options(CLI::App& app, AfterDashes& to) {
    Settings& s = to.settings;
    app.add_option("--nb-cores", s.nb_cores, "Forwarding lcores (the main lcore forwards nothing)")
        ->check(CLI::Range(1U, 128U));
    app.add_option("--rxq", s.rxq, "Receive queues a port")->check(CLI::Range(1U, 64U));
    app.add_option("--txq", s.txq, "Transmit queues a port")->check(CLI::Range(1U, 64U));
    app.add_option("--rxd", s.rxd, "Descriptors a receive queue")->check(CLI::Range(1U, 32768U));
    app.add_option("--txd", s.txd, "Descriptors a transmit queue")->check(CLI::Range(1U, 32768U));
    app.add_option("--total-num-mbufs", s.total_num_mbufs, "Mbufs of the pool, more than 1024")
        ->check(CLI::Range(1025U, 1U << 26));
    app.add_option("--mbuf-size", s.mbuf_size, "Bytes of an mbuf, headroom included")
        ->check(CLI::Range(256U, 65535U));
    app.add_option("--mbcache", s.mbcache, "Mbufs that each lcore keeps back from the pool")
        ->check(CLI::Range(0U, 512U));
}

std::unique_ptr<CLI::App> make_parser(AfterDashes& to) {
    auto app = std::make_unique<CLI::App>("forwards frames between ports", "sluice-testpmd");
    app->get_formatter()->column_width(28);
    app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    add_run_options(*app, to);
    add_resource_options(*app, to);
    app->get_option("--eth-peer")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    return app;
}

/// CLI11's words where they are a person's; else ours.
Error friendly(const CLI::ParseError& wrong) {
    const std::string text = wrong.what();
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&wrong) != nullptr)
        return {0, "its value is missing: see sluice-testpmd --help", text.substr(0, text.find(':'))};
    if (dynamic_cast<const CLI::ExtrasError*>(&wrong) != nullptr)
        return {0, "no such option: see sluice-testpmd --help", text.substr(text.rfind(' ') + 1)};
    return {0, "see sluice-testpmd --help", text};
}

/// If `word` is an option that belongs after `--`.
bool stands_after_dashes(const std::string& word) {
    AfterDashes unused;
    const auto parser = make_parser(unused);
    return word.starts_with('-') && parser->get_option_no_throw(word.substr(0, word.find('='))) != nullptr;
}

Result<Settings> parse_settings(std::vector<std::string> arguments, bool& help) {
    AfterDashes after;
    auto app = make_parser(after);
    try {
        std::ranges::reverse(arguments);
        app->parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        help = true;
        return after.settings;
    } catch (const CLI::ParseError& wrong) {
        return tl::unexpected<Error>(friendly(wrong));
    }
    after.settings.mode = mode_named(after.mode).value_or(Mode::io);
    if (after.topology != "paired")
        after.settings.topology = after.topology == "loop" ? Topology::loop : Topology::chained;
    for (const std::string& text : after.peers) {
        unsigned port = 0;
        auto address = parse_peer(text, port);
        if (!address)
            return propagate(std::move(address));
        after.settings.peers[static_cast<std::uint16_t>(port)] = *address;
    }
    return after.settings;
}

/// If `arguments[at]` is option `name` (`short_name` too, when not empty), its value, and `at` on its last
/// word. Null when it is another option; an empty value when there is none.
std::optional<std::string> option_value(std::span<const std::string> arguments, std::size_t& at,
                                        std::string_view name, std::string_view short_name) {
    const std::string& word = arguments[at];
    if (word == name || (!short_name.empty() && word == short_name))
        return at + 1 < arguments.size() ? arguments[++at] : std::string{};
    if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=')
        return word.substr(name.size() + 1);
    if (!short_name.empty() && word.starts_with(short_name) && !word.starts_with("--"))
        return word.substr(short_name.size());
    return std::nullopt;
}

Result<> parse_before_dashes(std::span<const std::string> arguments, CommandLine& line) {
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string& word = arguments[at];
        if (word == "-h" || word == "--help") {
            line.help = true;
        } else if (auto device = option_value(arguments, at, "--allow", "-a")) {
            auto uri = device_uri(*device);
            if (!uri)
                return propagate(std::move(uri));
            line.ports.push_back(std::move(*uri));
        } else if (auto vdev = option_value(arguments, at, "--vdev", "")) {
            if (vdev->empty())
                return fail(EINVAL, "needs a name, as in --vdev net_null0", "--vdev");
            line.ports.push_back("ethdev:" + *vdev);
        } else if (auto type = option_value(arguments, at, "--proc-type", "")) {
            if (*type == "secondary")
                return fail(0, "one process owns a port: run without --proc-type, as the primary",
                            "--proc-type=secondary");
            line.eal.push_back("--proc-type=" + *type);
        } else if (stands_after_dashes(word)) {
            return fail(0, "this option stands after --, as in sluice-testpmd -l 0-1 -- -i", word);
        } else {
            line.eal.push_back(word);
        }
    }
    return {};
}

bool is_pci_address(const std::string& text) {
    rte_pci_addr address{};
    return rte_pci_addr_parse(text.c_str(), &address) == 0;
}

} // namespace

Result<std::string> device_uri(std::string_view text) {
    if (text.empty())
        return fail(EINVAL, "needs a device: a PCI address or a URI, as in -a 0000:01:00.0", "-a");
    const std::string whole(text);
    rte_pci_addr address{};
    if (rte_pci_addr_parse(whole.c_str(), &address) == 0) {
        char name[PCI_PRI_STR_SIZE];
        rte_pci_device_name(&address, name, sizeof name);
        return "pci:" + std::string(name);
    }
    if (const auto comma = text.find(','); comma != text.npos && is_pci_address(whole.substr(0, comma)))
        return fail(EINVAL, "a device's options stand in its URI: -a 'pci:ADDRESS?KEY=VALUE'", whole);
    const auto colon = text.find(':');
    const bool scheme = colon != text.npos && colon > 0 &&
                        std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                        std::ranges::all_of(text.substr(0, colon),
                                            [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
    if (!scheme || colon + 1 == text.size())
        return fail(EINVAL, "neither a PCI address (0000:01:00.0) nor a device URI (SCHEME:ADDRESS)", whole);
    return whole;
}

Result<CommandLine> parse_command_line(std::span<const std::string> arguments) {
    CommandLine line;
    const auto dashes = std::ranges::find(arguments, "--");
    const std::span before(arguments.begin(), dashes);
    if (auto done = parse_before_dashes(before, line); !done)
        return propagate(std::move(done));
    if (line.help || dashes == arguments.end())
        return line;
    auto settings = parse_settings({dashes + 1, arguments.end()}, line.help);
    if (!settings)
        return propagate(std::move(settings));
    line.settings = std::move(*settings);
    return line;
}

std::string help_text() {
    AfterDashes defaults;
    std::string options = make_parser(defaults)->help();
    options.erase(0, options.find("Options:"));
    return "Usage: sluice-testpmd [-a DEVICE]... [EAL options] -- [options]\n"
           "\n"
           "Forwards frames between ports: 0 with 1, 2 with 3.\n"
           "\n"
           "Devices, in port order:\n"
           "  -a, --allow DEVICE        A PCI address, short for pci:ADDRESS, or a device URI, any number\n"
           "                            of times. None: every device that is bound to sluice-pci, or two\n"
           "                            soft NICs (soft:virtio?backend=gen) when none is\n"
           "  --vdev NAME[,ARGS]        Short for -a ethdev:NAME[,ARGS]\n"
           "EAL's own options go to EAL, such as -l 0-1 (lcores), -m 256 (MiB), --no-huge.\n"
           "\n"
           "After --:\n" +
           options.substr(options.find('\n') + 1) +
           "\nSIGINT and SIGTERM end it with its report. Exit status: 0 done, 1 mbufs were lost, 2 wrong\n"
           "arguments or could not run.\n";
}

std::string eal_pci_device(std::string_view uri,
                           const std::function<bool(std::string_view)>& through_ethdev) {
    constexpr std::string_view ethdev = "ethdev:";
    constexpr std::string_view pci = "pci:";
    if (uri.starts_with(ethdev)) {
        const auto device = uri.substr(ethdev.size());
        return is_pci_address(std::string(device.substr(0, device.find(',')))) ? std::string(device)
                                                                               : std::string{};
    }
    if (uri.starts_with(pci) && through_ethdev(uri))
        return std::string(uri.substr(pci.size(), uri.find('?') - pci.size()));
    return {};
}

std::vector<std::string> eal_arguments(std::string_view program, const CommandLine& line,
                                       const std::function<bool(std::string_view)>& through_ethdev) {
    std::vector<std::string> arguments{std::string(program)};
    arguments.insert(arguments.end(), line.eal.begin(), line.eal.end());
    bool any = false;
    for (const std::string& uri : line.ports) {
        const std::string device = eal_pci_device(uri, through_ethdev);
        if (device.empty())
            continue;
        arguments.insert(arguments.end(), {"-a", device});
        any = true;
    }
    if (!any && std::ranges::find(line.eal, "--no-pci") == line.eal.end())
        arguments.emplace_back("--no-pci");
    return arguments;
}

} // namespace sluice::testpmd
