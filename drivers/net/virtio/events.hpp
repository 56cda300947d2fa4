// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Interrupts of the device, and alarms of its queues, gathered behind one descriptor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sluice/base/event_fd.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/interrupts.hpp>

namespace sluice::inline v1::virtio {

class Events {
  public:
    /// Turns on error and request where there are such interrupts, which are `device`'s and outlive it.
    static Result<Events> create(device::Interrupts& interrupts, std::string device);

    /// One more descriptor behind fd().
    Result<> watch(int descriptor);

    /// Makes an eventfd for each of so many receive queues, in place of those that there were. ENOTSUP: the
    /// device has too few vectors. Interrupts are off.
    Result<> prepare(std::uint16_t receive_queues);

    /// Turns MSI-X on: vector 0 for the configuration, then one a prepared receive queue. Without MSI-X
    /// nothing is on, and nothing wakes.
    Result<> enable();
    void disable() noexcept;

    int fd() const noexcept { return epoll_.get(); }
    const EventFd& alarm() const noexcept { return alarm_; }

    /// Vector numbers for the device, 0xffff for none.
    std::uint16_t config_vector() const noexcept;
    std::uint16_t receive_vector(std::uint16_t queue) const noexcept;
    /// −1: none.
    int receive_fd(std::uint16_t queue) const noexcept;
    void drop_receive(std::uint16_t queue) const noexcept;

    bool take_config() const noexcept { return config_.take() != 0; }
    bool take_alarm() const noexcept { return alarm_.take() != 0; }
    bool take_error() const noexcept { return error_ && error_->take() != 0; }
    bool take_request() const noexcept { return request_ && request_->take() != 0; }

    Events(Events&&) noexcept = default;
    Events& operator=(Events&&) = delete;
    ~Events();

  private:
    Events(device::Interrupts& interrupts, std::string device, UniqueFd epoll, EventFd config,
           EventFd alarm) noexcept
        : interrupts_(&interrupts)
        , device_(std::move(device))
        , epoll_(std::move(epoll))
        , config_(std::move(config))
        , alarm_(std::move(alarm)) {}
    Result<> add_kind(device::Irq irq, std::optional<EventFd>& event);

    device::Interrupts* interrupts_;
    std::string device_;
    UniqueFd epoll_;
    EventFd config_;
    EventFd alarm_;
    std::optional<EventFd> error_;
    std::optional<EventFd> request_;
    std::vector<EventFd> receive_;
    bool on_ = false;
};

} // namespace sluice::inline v1::virtio
