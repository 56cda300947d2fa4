// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The prompt: line editing, history and completion on a terminal, plain lines from a pipe.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include <termios.h>

struct rdline;

namespace sluice::testpmd {

/// Reads standard input. On a terminal, echo and line mode are off while it lives; ^C stays a signal.
class Console {
  public:
    using Handler = std::function<void(std::string_view line)>;

    /// `handler` is called for each whole line.
    explicit Console(Handler handler);
    ~Console();
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    /// Takes what standard input has, once it is readable. False at its end, on ^D, or after `stop`.
    bool feed();

    /// No further line is wanted; none is prompted for.
    void stop() noexcept { stopped_ = true; }

  private:
    bool take(char character);

    Handler handler_;
    rdline* editor_ = nullptr;
    bool stopped_ = false;
    termios before_{};
    bool terminal_ = false;
};

/// Flushes standard output and waits for nothing else.
void flush_output();

} // namespace sluice::testpmd
