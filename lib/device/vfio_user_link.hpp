// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The client's connection to a vfio-user server.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/address_space.hpp>
#include <sluice/device/vfio_user.hpp>
#include <sluice/vfio_user/channel.hpp>
#include <sluice/vfio_user/version.hpp>

namespace sluice::inline v1::device {

/// Requests one at a time, each waiting for its reply; the server's own requests are answered meanwhile from
/// the windows of this process's memory. Once broken it stays so until it is opened again. Any thread.
class VfioUserLink {
  public:
    using Parts = vfio_user::Channel::Parts;

    VfioUserLink(std::string name, const RemoteOptions& options)
        : name_(std::move(name))
        , options_(options) {}

    /// Negotiates over a connected, fresh socket.
    Result<> open(UniqueFd socket);
    void close() noexcept;
    /// Ends the connection as if it had broken.
    void drop(const Error& why);
    bool connected() const noexcept { return connected_.load(std::memory_order_acquire); }
    /// Where the server's requests come: the twin socket where there is one. −1: there is no connection.
    int events_fd() const;

    /// The server's reply to a request; the errno that it refused with; or the error that ended the
    /// connection.
    Result<vfio_user::Message> ask(vfio_user::Command command, Parts parts, const char* what,
                                   std::span<const int> fds = {});

    Result<> service();

    /// Memory that the server may ask for, before it is told of and until it has forgotten it.
    void add_window(Iova iova, std::span<std::byte> memory, DmaAccess access);
    void remove_window(Iova iova);

    /// Signalled when the connection ends; −1: nothing is. Borrowed.
    void on_end(int eventfd);

    const std::string& name() const noexcept { return name_; }
    vfio_user::Limits limits() const;

  private:
    using Clock = std::chrono::steady_clock;
    struct Window {
        std::span<std::byte> memory;
        DmaAccess access;
    };

    Result<> negotiate(Clock::time_point deadline);
    Result<vfio_user::Message> exchange(vfio_user::Command command, Parts parts, std::span<const int> fds,
                                        Clock::time_point deadline);
    Result<vfio_user::Channel::Ready> wait(Clock::time_point deadline);
    Result<> answer_all(vfio_user::Channel& channel);
    Result<> answer(vfio_user::Channel& channel, const vfio_user::Message& message);
    int copy(std::uint64_t address, std::span<std::byte> bytes, DmaAccess access);
    tl::unexpected<Error> end(Error why);
    vfio_user::Limits taken() const noexcept;

    const std::string name_;
    const RemoteOptions options_;

    mutable std::mutex mutex_;
    std::optional<vfio_user::Channel> channel_;
    std::atomic<bool> connected_{false}; ///< there is one
    std::optional<vfio_user::Channel> twin_;
    std::optional<Error> ended_;
    vfio_user::Version agreed_;
    std::uint16_t next_id_ = 0;
    std::map<std::uint64_t, Window> windows_;
    int on_end_ = -1;
};

} // namespace sluice::inline v1::device
