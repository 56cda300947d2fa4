// SPDX-License-Identifier: BSD-3-Clause
#include "loop.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>

#include <poll.h>
#include <unistd.h>

#include "console.hpp"

namespace sluice::testpmd {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Clock::duration at_once = std::chrono::milliseconds(200);

/// A terminal that may be read: in a background job a read would stop the process.
bool has_foreground_terminal() {
    return isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

class Loop {
  public:
    Loop(Session& session, int signal_fd)
        : session_(session)
        , period_(session.settings().interactive ? 0 : session.settings().stats_period)
        , next_(Clock::now() + (session.settings().stats_at_once ? at_once : Clock::duration(period_)))
        , terminal_(isatty(STDOUT_FILENO) == 1) {
        waits_.push_back({signal_fd, POLLIN, 0});
        waits_.push_back({-1, POLLIN, 0});
        for (const net::Port& port : session.ports())
            waits_.push_back({port.events_fd(), POLLIN, 0});
    }

    Result<> operator()() {
        const Settings& settings = session_.settings();
        if (!settings.interactive || settings.auto_start)
            if (auto started = session_.start(settings.tx_first); !started)
                return started;
        if (settings.interactive)
            console_.emplace([this](std::string_view line) {
                session_.take_line(line);
                if (session_.ended())
                    console_->stop();
            });
        else if (period_.count() == 0 && has_foreground_terminal()) {
            static_cast<void>(std::fputs("Press enter to exit\n", stdout));
            enter_ends_ = true;
        }
        if (settings.interactive || enter_ends_)
            waits_[1].fd = STDIN_FILENO;
        while (turn() && !session_.ended()) {
        }
        return {};
    }

  private:
    int timeout() const {
        if (period_.count() == 0)
            return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - Clock::now());
        return std::max(0, static_cast<int>(left.count()));
    }

    /// Waits for one thing and handles it. False at the end.
    bool turn() {
        flush_output();
        if (poll(waits_.data(), waits_.size(), timeout()) < 0 && errno != EINTR)
            return false;
        if (waits_[0].revents != 0)
            return false;
        if (waits_[1].revents != 0 && (!console_ || !console_->feed()))
            return false;
        for (std::size_t port = 0; port + 2 < waits_.size(); ++port)
            if (waits_[port + 2].revents != 0)
                session_.service(port);
        if (period_.count() != 0 && Clock::now() >= next_) {
            session_.show_live(terminal_);
            next_ += period_;
        }
        return true;
    }

    Session& session_;
    std::vector<pollfd> waits_; ///< signals, standard input, then each port's events
    std::chrono::seconds period_;
    Clock::time_point next_;
    std::optional<Console> console_;
    bool terminal_;
    bool enter_ends_ = false;
};

} // namespace

Result<> run(Session& session, int signal_fd) {
    return Loop(session, signal_fd)();
}

} // namespace sluice::testpmd
