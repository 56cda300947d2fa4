// SPDX-License-Identifier: BSD-3-Clause
#include "events.hpp"

#include <sys/epoll.h>

#include <array>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::e1000 {

Result<Events> Events::create(device::Device& device) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("cannot make an epoll descriptor", device.name());
    auto interrupt = EventFd::create();
    if (!interrupt)
        return propagate(std::move(interrupt));
    Events events(std::move(epoll), std::move(*interrupt));
    for (const int fd : {events.interrupt_.fd(), device.events_fd()})
        if (fd >= 0)
            if (auto ok = events.watch(fd); !ok)
                return propagate(std::move(ok));

    device::Interrupts& irqs = device.interrupts();
    const auto optional = [&](device::Irq irq, std::optional<EventFd>& event) -> Result<> {
        if (irqs.info(irq).count == 0)
            return {};
        auto made = EventFd::create();
        if (!made)
            return propagate(std::move(made));
        const std::array fds = {made->fd()};
        // Neither kind is needed to move frames.
        if (auto on = irqs.enable(irq, fds); !on) {
            log(LogLevel::warning, on.error().message());
            return {};
        }
        event = std::move(*made);
        return events.watch(event->fd());
    };
    if (auto ok = optional(device::Irq::error, events.error_); !ok)
        return propagate(std::move(ok));
    if (auto ok = optional(device::Irq::request, events.request_); !ok)
        return propagate(std::move(ok));

    if (irqs.info(device::Irq::msix).count >= 2) {
        auto receive = EventFd::create();
        if (!receive)
            return propagate(std::move(receive));
        const std::array fds = {events.interrupt_.fd(), receive->fd()};
        auto on = irqs.enable(device::Irq::msix, fds);
        if (on) {
            events.receive_ = std::move(*receive);
            events.kind_ = device::Irq::msix;
            return events;
        }
        log(LogLevel::warning, on.error().message());
    }
    if (irqs.info(device::Irq::intx).count != 0) {
        const std::array fds = {events.interrupt_.fd()};
        if (auto on = irqs.enable(device::Irq::intx, fds); on)
            events.kind_ = device::Irq::intx;
        else
            log(LogLevel::warning, on.error().message());
    }
    return events;
}

Result<> Events::watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return fail_errno("cannot watch an event descriptor");
    return {};
}

void Events::rearm(device::Device& device) const {
    if (kind_ != device::Irq::intx || !device.interrupts().info(device::Irq::intx).automasked)
        return;
    if (auto ok = device.interrupts().unmask_intx(); !ok)
        log(LogLevel::warning, ok.error().message());
}

void Events::shut_down(device::Device& device) noexcept {
    device::Interrupts& irqs = device.interrupts();
    if (kind_)
        (void)irqs.disable(*kind_);
    if (error_)
        (void)irqs.disable(device::Irq::error);
    if (request_)
        (void)irqs.disable(device::Irq::request);
    kind_.reset();
}

} // namespace sluice::inline v1::e1000
