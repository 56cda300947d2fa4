// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What is waited on of a device that lives in another process.
#pragma once

#include <string>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>

namespace sluice::inline v1 {

/// Sockets, and a timer for looking whether a peer that is gone is there again, behind one descriptor.
class Watch {
  public:
    /// `name` is for messages.
    static Result<Watch> create(const std::string& name);

    /// Readable when a socket that was added is, or the timer is due.
    int fd() const noexcept { return epoll_.get(); }
    /// A descriptor that is closed is watched no longer.
    Result<> add(int fd);
    void remove(int fd) noexcept;

    /// Every 50 ms from now on, or never.
    void retry(bool on) noexcept;
    /// True once for each time that it was.
    bool due() noexcept;

  private:
    std::string name_;
    UniqueFd epoll_;
    UniqueFd timer_;
};

} // namespace sluice::inline v1
