// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Any Device, served to other processes by the vfio-user protocol. QEMU, docs/interop/vfio-user.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <sluice/base/error.hpp>
#include <sluice/base/event_fd.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/device.hpp>
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::serve {

struct ServerOptions {
    /// What a client may send in one message, and map in all. QEMU's client leaves at once when it is told of
    /// more than 16 descriptors.
    vfio_user::Limits limits = {.max_msg_fds = 16, .max_data_xfer_size = 1 << 20, .max_dma_maps = 8192};

    /// How long a client may take to answer DMA by message. One that takes longer is dropped.
    int dma_timeout_ms = 500;

    /// Gives a client that offers it a second socket for DMA by message.
    bool twin_socket = true;

    /// Messages that one pump() handles at most.
    unsigned budget = 64;

    /// How long pump() looks for the next message once it has handled one: a register access is rarely the
    /// last, and waking up takes longer than answering.
    int linger_us = 15;
};

struct ServerStatistics {
    std::uint64_t clients = 0;  ///< that were taken on
    std::uint64_t busy = 0;     ///< connections closed because another client is there
    std::uint64_t messages = 0; ///< requests received
    std::uint64_t refused = 0;  ///< of these, answered with an error; and replies to nothing
    std::uint64_t dropped = 0;  ///< clients whose connection this side ended
};

class Session; // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

/// One device for one client after another. Config space is mediated by the device's own engine, regions are
/// trapped and, where the device has a file for them, mapped; interrupts go to the client's eventfds; the
/// client's memory is mapped into the device's space, or reached by messages where it comes without a file,
/// or with one of a file system that may block. When a client goes, the device is reset, its interrupts are
/// off, its space is as it was, and COMMAND, BARs and the writable registers beside them are put back.
///
/// A client is not trusted: a message that is not right is refused with an errno, the stream stays in step,
/// and its descriptors are closed. A program that serves should also call handle_bus_errors()
/// (sluice/base/bus_error.hpp).
///
/// Threading: one thread calls pump(), and while it runs nobody else controls the device. A device that is
/// polled by another thread meanwhile may do DMA by message from there.
class Server {
  public:
    /// Listens at the socket `path`, which this user alone may connect to. A socket that a dead server left
    /// there is replaced. EADDRINUSE: somebody listens there. `device` outlives the server.
    static Result<std::unique_ptr<Server>> listen(device::Device& device, const std::string& path,
                                                  const ServerOptions& options = {});

    /// Serves the client at the other end of a connected stream socket, and none after it.
    static Result<std::unique_ptr<Server>> adopt(device::Device& device, UniqueFd socket,
                                                 const ServerOptions& options = {});

    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    /// Readable when pump() has something to do: for the program's epoll.
    int fd() const noexcept { return epoll_.get(); }

    /// Handles what is there, `budget` messages at most; never waits, but for a client that a device's access
    /// makes it ask for memory by message. True when it did something.
    bool pump();

    bool connected() const noexcept { return session_ != nullptr; }
    const ServerStatistics& statistics() const noexcept { return statistics_; }

  private:
    Server(device::Device& device, const ServerOptions& options, UniqueFd epoll, EventFd wake) noexcept;
    static Result<std::unique_ptr<Server>> create(device::Device& device, const ServerOptions& options);
    Result<> watch(int fd, std::uint32_t events, bool known);
    bool accept_clients();
    Result<> take_on(UniqueFd socket);
    void end_session(bool ours);

    device::Device& device_;
    const ServerOptions options_;
    UniqueFd epoll_;
    EventFd wake_;
    UniqueFd listener_;
    std::string path_;
    ServerStatistics statistics_;
    std::unique_ptr<Session> session_;
    std::uint32_t watched_ = 0;
};

} // namespace sluice::inline v1::serve
