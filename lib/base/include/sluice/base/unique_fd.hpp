// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Ownership of a file descriptor.
#pragma once

#include <utility>

#include <sluice/base/error.hpp>

namespace sluice::inline v1 {

/// Owns one file descriptor and closes it. Empty is −1. Not thread-safe.
class UniqueFd {
  public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept
        : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept
        : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    /// Gives the descriptor up; the caller closes it.
    int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes what is held and holds `fd` instead.
    void reset(int fd = -1) noexcept;

    /// A second descriptor of the same open file, close-on-exec.
    Result<UniqueFd> duplicate() const;

  private:
    int fd_ = -1;
};

/// open(2) with O_CLOEXEC added. Fails with open's errno and the path.
Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0);

} // namespace sluice::inline v1
