// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Messages over a stream socket, with descriptors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/vhost_user/messages.hpp>

namespace sluice::inline v1::vhost_user {

/// One end of a connected Unix stream socket. Keeps the stream in step whatever comes: what is longer than
/// any message is passed over to its end. Holds one message at most. Not thread-safe.
class Channel {
  public:
    explicit Channel(UniqueFd socket) noexcept
        : socket_(std::move(socket)) {}

    int fd() const noexcept { return socket_.get(); }

    /// The next message, none when not all of it is there yet; never blocks. ECONNRESET: the peer is gone.
    Result<std::optional<Message>> receive();

    /// Sends a message whole, `fds` with its first byte. Messages are shorter than any socket's buffer: a
    /// peer that takes none of it for `patience_ms` is as good as gone (ETIMEDOUT). ECONNRESET, EPIPE: it is.
    Result<> send(Header header, std::span<const std::byte> body, std::span<const int> fds = {},
                  int patience_ms = 2000);

    /// Waits until there is something to receive, `timeout_ms` at most. False: there is not.
    bool wait(int timeout_ms) const noexcept;

  private:
    Result<std::size_t> read_some(std::byte* to, std::size_t size);

    UniqueFd socket_;
    std::array<std::byte, sizeof(Header)> head_{};
    std::size_t got_ = 0;    ///< bytes of the message, header included
    std::uint64_t skip_ = 0; ///< bytes to pass over
    Message message_;
};

} // namespace sluice::inline v1::vhost_user
