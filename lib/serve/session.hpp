// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// One client of a served device.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include <sluice/base/event_fd.hpp>
#include <sluice/device/device.hpp>
#include <sluice/serve/server.hpp>
#include <sluice/vfio_user/channel.hpp>
#include <sluice/vfio_user/version.hpp>

#include "client_irqs.hpp"
#include "client_memory.hpp"

namespace sluice::inline v1::serve {

/// Serves the device until the client goes. Its end leaves the device as it found it.
///
/// The channel's lock is held to send and to receive, never while the device works: DMA by message comes from
/// inside an access to the device, or from the thread that polls it. Requests of the client's that arrive
/// before the answer wait in a queue of bounded size.
class Session final : public device::RemoteMemory {
  public:
    Session(device::Device& device, UniqueFd socket, const ServerOptions& options, const EventFd& wake,
            ServerStatistics& statistics);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    enum class Outcome : std::uint8_t { idle, worked, client_gone, dropped };
    Outcome pump();

    int fd() const noexcept { return channel_.fd(); }
    /// Something waits until the socket takes it; no request is received meanwhile.
    bool is_sending() const;

    Result<> read(Iova iova, std::span<std::byte> bytes) override;
    Result<> write(Iova iova, std::span<const std::byte> bytes) override;

  private:
    /// What a request is answered with: bytes and descriptors, or an errno.
    struct Answer {
        int code = 0;
        std::vector<std::byte> bytes;
        std::vector<int> fds;
        UniqueFd keep; ///< of `fds`, until it is sent
    };

    std::optional<vfio_user::Message> next(Outcome& outcome);
    void handle(vfio_user::Message& message);
    void dispatch(vfio_user::Message& message, Answer& answer);
    void version(const vfio_user::Message& message, Answer& answer);
    void device_info(Answer& answer);
    void region_info(const vfio_user::Message& message, Answer& answer);
    void region_read(const vfio_user::Message& message, Answer& answer);
    void region_write(const vfio_user::Message& message, Answer& answer);
    void region_write_multi(const vfio_user::Message& message, Answer& answer);
    int write_region(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> bytes);
    int reset();

    Result<vfio_user::Message> ask(vfio_user::Command command, const vfio_user::DmaAccess& access,
                                   std::span<const std::byte> data);
    Result<std::optional<vfio_user::Message>> answer_of(vfio_user::Channel& from,
                                                        const vfio_user::Header& request);
    tl::unexpected<Error> break_off(int code, const char* why);

    void save_header();
    void restore_header();

    device::Device& device_;
    const ServerOptions options_;
    const EventFd& wake_;
    ServerStatistics& statistics_;
    std::array<std::uint32_t, 16> header_{};

    mutable std::mutex mutex_;
    vfio_user::Channel channel_;
    std::optional<vfio_user::Channel> twin_;
    std::deque<vfio_user::Message> queue_;
    std::size_t queued_bytes_ = 0;
    bool broken_ = false;
    std::uint16_t next_id_ = 0;

    std::optional<vfio_user::Version> agreed_;
    ClientIrqs irqs_;
    ClientMemory memory_;
};

} // namespace sluice::inline v1::serve
