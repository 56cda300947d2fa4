// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The socket by its path.
#pragma once

#include <optional>
#include <string>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>

namespace sluice::inline v1::vhost_user {

/// A socket that listens at a path. Removes a path that nobody listens at any more, and its own at the end.
class Listener {
  public:
    /// EADDRINUSE: somebody listens there. EEXIST: it is no socket. ENAMETOOLONG: longer than an address
    /// holds.
    static Result<Listener> create(std::string path);

    Listener(Listener&& other) noexcept
        : socket_(std::move(other.socket_))
        , path_(std::exchange(other.path_, {})) {}
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    int fd() const noexcept { return socket_.get(); }

    /// Who has connected, if anybody waits; never blocks.
    Result<std::optional<UniqueFd>> accept() const;

  private:
    Listener(UniqueFd socket, std::string path) noexcept
        : socket_(std::move(socket))
        , path_(std::move(path)) {}

    UniqueFd socket_;
    std::string path_;
};

/// Connects to who listens at `path`. ENOENT, ECONNREFUSED: nobody.
Result<UniqueFd> connect(const std::string& path);

/// Two connected sockets.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair();

} // namespace sluice::inline v1::vhost_user
