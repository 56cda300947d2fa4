// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Interrupts of the device, gathered behind one descriptor.
#pragma once

#include <optional>

#include <sluice/base/event_fd.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/device.hpp>

namespace sluice::inline v1::e1000 {

/// Eventfds of link, errors and requests, and an epoll that is readable when one of them is.
class Events {
  public:
    /// Turns on what the device has: MSI-X with two vectors where it can, else INTx; error and request.
    static Result<Events> create(device::Device& device);

    int fd() const noexcept { return epoll_.get(); }
    /// Makes `fd` wake, too.
    Result<> watch(int fd);

    bool msix() const noexcept { return kind_ == device::Irq::msix; }
    bool has_interrupts() const noexcept { return kind_.has_value(); }
    /// The receive vector's; −1 without MSI-X.
    int receive_fd() const noexcept { return receive_ ? receive_->fd() : -1; }
    void drop_receive() const noexcept {
        if (receive_)
            receive_->take();
    }

    bool take_interrupt() const noexcept { return interrupt_.take() != 0; }
    bool take_error() const noexcept { return error_ && error_->take() != 0; }
    bool take_request() const noexcept { return request_ && request_->take() != 0; }
    /// After the causes were taken: lets INTx fire again.
    void rearm(device::Device& device) const;
    /// The device is about to be closed.
    void shut_down(device::Device& device) noexcept;

  private:
    Events(UniqueFd epoll, EventFd interrupt) noexcept
        : epoll_(std::move(epoll))
        , interrupt_(std::move(interrupt)) {}

    UniqueFd epoll_;
    EventFd interrupt_;
    std::optional<EventFd> receive_;
    std::optional<EventFd> error_;
    std::optional<EventFd> request_;
    std::optional<device::Irq> kind_;
};

} // namespace sluice::inline v1::e1000
