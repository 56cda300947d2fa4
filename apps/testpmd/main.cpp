// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_lcore.h>

#include <sluice/base/log.hpp>
#include <sluice/net/port.hpp>

#include "eal.hpp"
#include "loop.hpp"
#include "models.hpp"
#include "options.hpp"
#include "ports.hpp"
#include "session.hpp"
#include "signals.hpp"

namespace sluice::testpmd {
namespace {

constexpr int could_not_run = 2;

int complain(const Error& error) {
    std::fflush(stdout);
    fmt::print(stderr, "sluice-testpmd: {}\n", error.message());
    return could_not_run;
}

void print_log(LogLevel level, std::string_view line) {
    if (level != LogLevel::debug)
        fmt::print(stderr, "sluice: {}\n", line);
}

Result<std::unique_ptr<Session>> open_session(const CommandLine& line) {
    const Settings& settings = line.settings;
    const unsigned lcores = rte_lcore_count();
    if (settings.nb_cores >= lcores)
        return fail(EINVAL, "more forwarding lcores than EAL has beside the main one: name more with -l",
                    fmt::format("--nb-cores={}, EAL has {} lcores", settings.nb_cores, lcores));
    for (const auto& [port, address] : settings.peers)
        if (port >= line.ports.size())
            return fail(EINVAL, "there is no such port", fmt::format("--eth-peer={}", port));
    auto pool = Pool::create(settings, line.ports.size(), lcores);
    if (!pool)
        return propagate(std::move(pool));
    auto ports = open_ports(line.ports, settings, pool->get());
    if (!ports)
        return propagate(std::move(ports));
    return std::make_unique<Session>(settings, std::move(*pool), std::move(*ports));
}

int forward(const CommandLine& line, int signal_fd) {
    auto opened = open_session(line);
    if (!opened)
        return complain(opened.error());
    Session& session = **opened;
    auto done = session.start_ports();
    if (done && !signalled())
        done = run(session, signal_fd);
    const int status = session.close();
    return done ? status : complain(done.error());
}

void use_soft_nics(CommandLine& line) {
    line.ports = default_ports(line.settings);
    fmt::print(
        "No device is named (-a) and none is bound to sluice-pci: two soft NICs are used, models in "
        "this process\nthat need no hugepages and no rights. A generator and a sink stand behind each; "
        "the sink checks every frame.\n");
    std::fflush(stdout);
    if (!line.settings.interactive && line.settings.stats_period == 0) {
        line.settings.stats_period = 1;
        line.settings.stats_at_once = true;
    }
}

int run_program(std::span<const std::string> arguments, const char* program) {
    auto line = parse_command_line(arguments);
    if (!line)
        return complain(line.error());
    if (line->help) {
        std::fputs(help_text().c_str(), stdout);
        return 0;
    }
    if (auto checked = check_eal_arguments(line->eal, online_cpus()); !checked)
        return complain(checked.error());
    set_log_sink(print_log);
    const int signal_fd = catch_signals();
    if (signal_fd < 0)
        return complain(Error::from_errno("cannot catch signals"));
    if (line->ports.empty()) {
        auto bound = bound_devices();
        if (!bound)
            return complain(bound.error());
        line->ports = std::move(*bound);
    }
    if (line->ports.empty())
        use_soft_nics(*line);
    const auto cpus = usable_cpus();
    if (only_models(line->ports)) {
        const auto more = model_eal_arguments(*line, cpus);
        line->eal.insert(line->eal.end(), more.begin(), more.end());
        if (const auto folder = other_runtime_directory(); !folder.empty())
            setenv("RUNTIME_DIRECTORY", folder.c_str(), 0);
    }
    if (auto started = start_eal(eal_arguments(program, *line, net::opens_through_ethdev)); !started)
        return complain(started.error());
    const int status = forward(*line, signal_fd);
    rte_eal_cleanup();
    return status;
}

} // namespace
} // namespace sluice::testpmd

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return sluice::testpmd::run_program(arguments, argv[0]);
}
