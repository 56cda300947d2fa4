// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <vector>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fmt/format.h>

#include <sluice/base/bus_error.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/unique_fd.hpp>

#include "options.hpp"
#include "service.hpp"

namespace sluice::softnic {
namespace {

constexpr int could_not_run = 2;

int complain(const Error& error) {
    fmt::print(stderr, "sluice-softnic: {}\n", error.message());
    return could_not_run;
}

void print_log(LogLevel level, std::string_view line) {
    if (level != LogLevel::debug)
        fmt::print(stderr, "sluice: {}\n", line);
}

/// The signals that are waited for, as a descriptor; blocked in every thread.
UniqueFd catch_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGUSR1})
        sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<> watch(int epoll, int fd, std::size_t index) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = index;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted) != 0)
        return fail_errno("cannot watch a descriptor");
    return {};
}

void print_reports(const std::vector<std::unique_ptr<Service>>& services) {
    for (const auto& service : services)
        static_cast<void>(std::fputs(service->report().c_str(), stdout));
    static_cast<void>(std::fflush(stdout));
}

Result<> run(const std::vector<std::unique_ptr<Service>>& services, int signals) {
    const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("cannot make an epoll descriptor");
    for (std::size_t i = 0; i < services.size(); ++i)
        if (auto ok = watch(epoll.get(), services[i]->fd(), i); !ok)
            return ok;
    if (auto ok = watch(epoll.get(), signals, services.size()); !ok)
        return ok;
    for (;;) {
        epoll_event events[16];
        const int ready = ::epoll_wait(epoll.get(), events, std::size(events), -1);
        if (ready < 0 && errno != EINTR)
            return fail_errno("cannot wait for events");
        for (int i = 0; i < ready; ++i) {
            if (events[i].data.u64 < services.size()) {
                services[events[i].data.u64]->pump();
                continue;
            }
            signalfd_siginfo signal{};
            if (::read(signals, &signal, sizeof signal) != sizeof signal)
                continue;
            if (signal.ssi_signo != SIGUSR1)
                return {};
            print_reports(services);
        }
    }
}

int run_program(int argc, char** argv) {
    auto line = parse_command_line(argc, argv);
    if (!line)
        return complain(line.error());
    if (line->help) {
        static_cast<void>(std::fputs(line->help_text.c_str(), stdout));
        return 0;
    }
    set_log_sink(print_log);
    handle_bus_errors();
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    const UniqueFd signals = catch_signals();
    if (!signals)
        return complain(Error::from_errno("cannot catch signals"));
    std::vector<std::unique_ptr<Service>> services;
    for (Place& place : line->places) {
        const std::string where = place.uri + " at " + place.socket;
        auto service = Service::create(std::move(place), *line);
        if (!service)
            return complain(service.error());
        services.push_back(std::move(*service));
        fmt::print("Serving {}\n", where);
    }
    static_cast<void>(std::fflush(stdout));
    const auto done = run(services, signals.get());
    print_reports(services);
    return done ? 0 : complain(done.error());
}

} // namespace
} // namespace sluice::softnic

int main(int argc, char** argv) {
    return sluice::softnic::run_program(argc, argv);
}
