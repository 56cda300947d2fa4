// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The open ports and what is done with them: what commands, signals and timers call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "commands.hpp"
#include "engine.hpp"
#include "models.hpp"
#include "ports.hpp"
#include "settings.hpp"

namespace sluice::testpmd {

/// Prints to standard output. The main lcore's.
class Session {
  public:
    Session(Settings settings, Pool pool, std::vector<net::Port> ports);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const Settings& settings() const noexcept { return settings_; }
    std::span<net::Port> ports() noexcept { return ports_; }

    /// Starts the ports and says what each is.
    Result<> start_ports();

    /// One line of the prompt.
    void take_line(std::string_view line);

    Result<> start(bool tx_first);
    /// Stops forwarding and prints its statistics.
    void stop();

    /// The statistics of --stats-period; on a terminal they replace what it shows.
    void show_live(bool terminal);

    /// Handles events that wait at a port.
    void service(std::size_t port);

    /// True when the session is to end: quit, or a device was taken away.
    bool ended() const noexcept { return ended_; }

    /// Stops forwarding, closes all ports and looks for lost mbufs. The program's exit status.
    int close();

  private:
    void execute(const Command& command);
    void show(const Command& command);
    void clear(const Command& command);
    void set(const Command& command);
    void reset_port(std::size_t port);
    void set_promiscuous(std::size_t port, bool on);
    void start_models();
    void print_sinks();
    void print_assignments();
    void print_configuration();
    void print_forward_statistics();
    /// The ports that `command` means; says so and gives none when there is no such port.
    std::vector<std::size_t> selected(const Command& command);

    Settings settings_;
    Pool pool_;
    std::vector<net::Port> ports_;
    Engine engine_;
    std::unique_ptr<ModelThreads> models_;
    std::vector<Meter> meters_;
    std::vector<Meter> live_;
    bool ended_ = false;
    int status_ = 0;
};

} // namespace sluice::testpmd
