// SPDX-License-Identifier: BSD-3-Clause
#include "session.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include <fmt/format.h>
#include <rte_lcore.h>

namespace sluice::testpmd {
namespace {

void print(std::string_view text) {
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), stdout));
}

std::string ether_text(const rte_ether_addr& address) {
    char text[RTE_ETHER_ADDR_FMT_SIZE];
    rte_ether_format_addr(text, sizeof text, &address);
    return text;
}

unsigned socket_of(const net::Port& port) {
    return static_cast<unsigned>(std::max(port.info().numa_node, 0));
}

} // namespace

Session::Session(Settings settings, Pool pool, std::vector<net::Port> ports)
    : settings_(std::move(settings))
    , pool_(std::move(pool))
    , ports_(std::move(ports))
    , engine_(ports_, settings_, pool_.get())
    , meters_(ports_.size())
    , live_(ports_.size()) {}

Result<> Session::start_ports() {
    for (std::size_t port = 0; port < ports_.size(); ++port) {
        if (auto started = ports_[port].start(); !started)
            return started;
        print(port_line(port, ports_[port]));
    }
    start_models();
    if (settings_.rxq != settings_.txq)
        print(fmt::format("Warning: rxq={} and txq={} differ: {} queues a port forward\n", settings_.rxq,
                          settings_.txq, ports_.front().rx_queues()));
    if (settings_.topology == Topology::paired && ports_.size() % 2 != 0)
        print("Warning! port-topology=paired and odd forward ports number, the last port will pair with "
              "itself.\n");
    return {};
}

void Session::start_models() {
    std::vector<unsigned> forwarding;
    for (const auto& assignment : engine_.assignments()) {
        const rte_cpuset_t cpus = rte_lcore_cpuset(assignment.lcore);
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &cpus))
                forwarding.push_back(cpu);
    }
    models_ = std::make_unique<ModelThreads>(ports_, usable_cpus(), forwarding);
    engine_.poll_models(models_->inline_polling());
    print(models_->description());
}

void Session::print_sinks() {
    std::uint64_t bad = 0;
    for (std::size_t port = 0; port < ports_.size(); ++port)
        print(sink_line(port, ports_[port], bad));
    if (bad != 0)
        status_ = 1;
}

void Session::take_line(std::string_view line) {
    const ParsedLine parsed = parse_line(line);
    if (parsed.command)
        execute(*parsed.command);
    else if (!parsed.complaint.empty())
        print(parsed.complaint + "\n");
}

void Session::execute(const Command& command) {
    switch (command.verb) {
    case Verb::help:
        return print(command_help());
    case Verb::start:
    case Verb::start_tx_first:
        if (auto started = start(command.verb == Verb::start_tx_first); !started)
            print(started.error().message() + "\n");
        return;
    case Verb::stop:
        return engine_.running() ? stop() : print("Packet forwarding not started\n");
    case Verb::clear_port_stats:
    case Verb::clear_port_xstats:
    case Verb::clear_fwd_stats:
        return clear(command);
    case Verb::set_fwd:
    case Verb::set_promisc:
    case Verb::set_burst:
    case Verb::set_eth_peer:
        return set(command);
    case Verb::port_reset:
        for (const std::size_t port : selected(command))
            reset_port(port);
        return;
    case Verb::quit:
        ended_ = true;
        return;
    default:
        return show(command);
    }
}

std::vector<std::size_t> Session::selected(const Command& command) {
    std::vector<std::size_t> all(ports_.size());
    std::iota(all.begin(), all.end(), 0);
    if (!command.port)
        return all;
    if (*command.port < ports_.size())
        return {*command.port};
    print(fmt::format("Invalid port {}\nThe valid ports array is [ {} ]\n", *command.port,
                      fmt::join(all, " ")));
    return {};
}

void Session::show(const Command& command) {
    if (command.verb == Verb::show_config_fwd)
        return print_assignments();
    if (command.verb == Verb::show_fwd_stats)
        return print_forward_statistics();
    const auto chosen = selected(command);
    if (command.verb == Verb::show_port_summary && !chosen.empty())
        print(port_summary_heading(ports_.size()));
    for (const std::size_t port : chosen) {
        if (command.verb == Verb::show_port_info)
            print(port_info(port, ports_[port]));
        else if (command.verb == Verb::show_port_summary)
            print(port_summary(port, ports_[port]));
        else if (command.verb == Verb::show_port_stats)
            print(meters_[port].show(port, ports_[port]));
        else
            print(port_xstats(port, ports_[port]));
    }
}

void Session::clear(const Command& command) {
    if (command.verb == Verb::clear_fwd_stats)
        return engine_.clear_counters();
    for (const std::size_t port : selected(command)) {
        engine_.clear_port_stats(static_cast<std::uint16_t>(port));
        print(fmt::format("\n  NIC {}statistics for port {} cleared\n",
                          command.verb == Verb::clear_port_xstats ? "extended " : "", port));
    }
}

void Session::set(const Command& command) {
    if (command.verb == Verb::set_fwd) {
        settings_.mode = command.mode;
        print(fmt::format("Set {} packet forwarding mode\n", name_of(command.mode)));
    } else if (command.verb == Verb::set_burst) {
        if (command.number < 1 || command.number > max_burst)
            return print(fmt::format("Bad arguments: burst must be between 1 and {}\n", max_burst));
        settings_.burst = static_cast<std::uint16_t>(command.number);
        print(fmt::format("Number of packets per burst set to {}\n", settings_.burst));
    } else {
        for (const std::size_t port : selected(command)) {
            if (command.verb == Verb::set_promisc)
                set_promiscuous(port, command.on);
            else
                settings_.peers[static_cast<std::uint16_t>(port)] = command.address;
        }
    }
}

void Session::set_promiscuous(std::size_t port, bool on) {
    if (auto done = ports_[port].set_promiscuous(on); !done)
        print(fmt::format("Error during {} promiscuous mode for port {}: {}\n", on ? "enabling" : "disabling",
                          port, done.error().message()));
}

void Session::reset_port(std::size_t port) {
    engine_.pause();
    auto done = ports_[port].reset();
    if (done)
        done = engine_.resume();
    else
        stop();
    print(done ? fmt::format("Port {} is reset\n", port)
               : fmt::format("Port {} cannot be reset: {}\n", port, done.error().message()));
}

Result<> Session::start(bool tx_first) {
    if (auto started = engine_.start(tx_first); !started)
        return started;
    print_assignments();
    print_configuration();
    return {};
}

void Session::print_assignments() {
    const auto all = engine_.assignments();
    std::size_t streams = 0;
    for (const auto& assignment : all)
        streams += assignment.routes.size();
    print(fmt::format("{} packet forwarding - ports={} - cores={} - streams={}\n", name_of(settings_.mode),
                      ports_.size(), all.size(), streams));
    for (const auto& assignment : all) {
        print(fmt::format("Logical Core {} (socket {}) forwards packets on {} streams:\n", assignment.lcore,
                          rte_lcore_to_socket_id(assignment.lcore), assignment.routes.size()));
        for (const Route& route : assignment.routes)
            print(fmt::format("  RX P={}/Q={} (socket {}) -> TX P={}/Q={} (socket {}) peer={}\n",
                              route.rx_port, route.rx_queue, socket_of(ports_[route.rx_port]), route.tx_port,
                              route.tx_queue, socket_of(ports_[route.tx_port]),
                              ether_text(engine_.peer_address(route.tx_port))));
    }
    print("\n");
}

void Session::print_configuration() {
    print(fmt::format("  {} packet forwarding packets/burst={}\n", name_of(settings_.mode), settings_.burst));
    if (settings_.mode == Mode::txonly)
        print(fmt::format("  packet len={} - nb packet segments=1\n", settings_.tx_bytes));
    print(fmt::format("  nb forwarding cores={} - nb forwarding ports={}\n", engine_.assignments().size(),
                      ports_.size()));
    for (std::size_t port = 0; port < ports_.size(); ++port) {
        const net::Config& config = ports_[port].config();
        print(fmt::format("  port {}: RX queue number: {} Tx queue number: {}\n"
                          "    RX desc={} TX desc={} MTU={}\n",
                          port, config.rx_queues, config.tx_queues, config.rx_descriptors,
                          config.tx_descriptors, config.mtu));
    }
}

void Session::stop() {
    if (!engine_.running())
        return;
    print("Telling cores to stop...\nWaiting for lcores to finish...\n");
    engine_.stop();
    print_forward_statistics();
    print("\nDone.\n");
}

void Session::print_forward_statistics() {
    ForwardCounters sum;
    for (std::size_t port = 0; port < ports_.size(); ++port) {
        const ForwardCounters counters = engine_.counters(static_cast<std::uint16_t>(port));
        print(forward_statistics(static_cast<unsigned>(port), counters));
        sum += counters;
    }
    print(accumulated_statistics(sum));
}

void Session::show_live(bool terminal) {
    if (terminal)
        print("\033[2J\033[1;1H");
    print("\nPort statistics ====================================");
    for (std::size_t port = 0; port < ports_.size(); ++port)
        print(live_[port].show(port, ports_[port]));
}

void Session::service(std::size_t port) {
    const net::Events events = ports_[port].service();
    if (events.link)
        print(fmt::format("\nPort {}: link state change event, link {}\n", port,
                          link_text(ports_[port].link())));
    if (events.gone || events.request) {
        print(fmt::format("\nPort {}: {}: forwarding ends\n", port,
                          events.gone ? "the device answers no more" : "the device is wanted back"));
        status_ = 1;
        ended_ = true;
    } else if (events.broken || events.error) {
        print(fmt::format("\nPort {}: {}: it is reset\n", port,
                          events.broken ? "the device misbehaved" : "the device reports an error"));
        reset_port(port);
    }
}

int Session::close() {
    stop();
    models_.reset();
    print_sinks();
    for (std::size_t port = 0; port < ports_.size(); ++port) {
        print(fmt::format("\nStopping port {}...\n", port));
        ports_[port].stop();
        print("Done\n");
    }
    for (std::size_t port = 0; port < ports_.size(); ++port) {
        print(fmt::format("\nShutting down port {}...\n", port));
        ports_[port].close();
        print("Done\n");
    }
    ports_.clear();
    if (const unsigned missing = pool_.missing(); missing != 0) {
        static_cast<void>(std::fflush(stdout));
        fmt::print(stderr, "sluice-testpmd: {} of {} mbufs did not come back: a driver lost them\n", missing,
                   pool_.size());
        status_ = 1;
    }
    print("\nBye...\n");
    return status_;
}

} // namespace sluice::testpmd
