// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// An eventfd: how a device's interrupt, or another thread, wakes a waiter.
#pragma once

#include <cstdint>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>

namespace sluice::inline v1 {

/// Owns a non-blocking, close-on-exec eventfd(2). `signal` and `take` may be called by any thread.
class EventFd {
  public:
    static Result<EventFd> create();

    int fd() const noexcept { return fd_.get(); }

    /// Adds one to the counter and wakes who waits on it.
    void signal() const noexcept;

    /// The counter since the last call, 0 when nothing was signalled. Never blocks.
    std::uint64_t take() const noexcept;

    /// Waits until the counter is above zero, `timeout_ms` milliseconds at most (−1: for ever), without
    /// taking it. True when it is.
    bool wait(int timeout_ms) const noexcept;

  private:
    explicit EventFd(UniqueFd fd) noexcept
        : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

} // namespace sluice::inline v1
