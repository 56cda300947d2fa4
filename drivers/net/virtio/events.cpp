// SPDX-License-Identifier: BSD-3-Clause
#include "events.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <utility>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::virtio {

Result<Events> Events::create(device::Interrupts& interrupts, std::string device) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("cannot make an epoll descriptor", std::move(device));
    auto config = EventFd::create();
    if (!config)
        return propagate(std::move(config));
    auto alarm = EventFd::create();
    if (!alarm)
        return propagate(std::move(alarm));
    Events events(interrupts, std::move(device), std::move(epoll), std::move(*config), std::move(*alarm));
    for (const EventFd* event : {&events.config_, &events.alarm_})
        if (auto ok = events.watch(event->fd()); !ok)
            return propagate(std::move(ok));
    if (auto ok = events.add_kind(device::Irq::error, events.error_); !ok)
        return propagate(std::move(ok));
    if (auto ok = events.add_kind(device::Irq::request, events.request_); !ok)
        return propagate(std::move(ok));
    return events;
}

Events::~Events() {
    if (!epoll_)
        return; // moved from
    disable();
    if (error_)
        static_cast<void>(interrupts_->disable(device::Irq::error));
    if (request_)
        static_cast<void>(interrupts_->disable(device::Irq::request));
}

Result<> Events::watch(int descriptor) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &wanted) != 0)
        return fail_errno("cannot watch an event descriptor", device_);
    return {};
}

Result<> Events::add_kind(device::Irq irq, std::optional<EventFd>& event) {
    if (interrupts_->info(irq).count == 0)
        return {};
    auto made = EventFd::create();
    if (!made)
        return propagate(std::move(made));
    const std::array fds = {made->fd()};
    if (auto on = interrupts_->enable(irq, fds); !on) {
        // Frames move without it.
        log(LogLevel::warning, on.error().message());
        return {};
    }
    auto ok = watch(made->fd());
    event = std::move(*made);
    return ok;
}

Result<> Events::prepare(std::uint16_t receive_queues) {
    const std::uint32_t vectors = interrupts_->info(device::Irq::msix).count;
    if (receive_queues != 0 && vectors < 1U + receive_queues)
        return fail(ENOTSUP, "the device has too few MSI-X vectors for receive interrupts",
                    device_ + ": " + std::to_string(vectors));
    std::vector<EventFd> made;
    for (std::uint16_t i = 0; i < receive_queues; ++i) {
        auto event = EventFd::create();
        if (!event)
            return propagate(std::move(event));
        made.push_back(std::move(*event));
    }
    receive_ = std::move(made);
    return {};
}

Result<> Events::enable() {
    device::Interrupts& interrupts = *interrupts_;
    if (on_ || interrupts.info(device::Irq::msix).count == 0)
        return {};
    std::vector<int> fds = {config_.fd()};
    for (const EventFd& event : receive_)
        fds.push_back(event.fd());
    if (auto ok = interrupts.enable(device::Irq::msix, fds); !ok) {
        if (!receive_.empty())
            return ok;
        // Only changes of the link go unnoticed.
        log(LogLevel::warning, ok.error().message());
        return {};
    }
    on_ = true;
    return {};
}

void Events::disable() noexcept {
    if (std::exchange(on_, false))
        static_cast<void>(interrupts_->disable(device::Irq::msix));
}

std::uint16_t Events::config_vector() const noexcept {
    return on_ ? 0 : 0xffff;
}

std::uint16_t Events::receive_vector(std::uint16_t queue) const noexcept {
    return queue < receive_.size() ? static_cast<std::uint16_t>(queue + 1) : std::uint16_t{0xffff};
}

int Events::receive_fd(std::uint16_t queue) const noexcept {
    return queue < receive_.size() ? receive_[queue].fd() : -1;
}

void Events::drop_receive(std::uint16_t queue) const noexcept {
    if (queue < receive_.size())
        receive_[queue].take();
}

} // namespace sluice::inline v1::virtio
