// SPDX-License-Identifier: BSD-3-Clause
#include "remote.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::virtio {

namespace {

constexpr long retry_ns = 50'000'000;

} // namespace

Result<std::unique_ptr<Transport>> RemoteTransport::create(device::RemoteDevice& device) {
    std::unique_ptr<RemoteTransport> made(new RemoteTransport(device));
    made->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    made->timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!made->epoll_ || !made->timer_)
        return fail_errno("cannot make event descriptors", device.name());
    for (const int descriptor : {made->timer_.get(), device.events_fd()})
        if (auto ok = made->watch(descriptor); !ok)
            return propagate(std::move(ok));
    if (auto ok = made->find_structures(); !ok)
        return propagate(std::move(ok));
    return made;
}

/// A descriptor that is closed is watched no longer: the socket of a server that is gone.
Result<> RemoteTransport::watch(int descriptor) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &wanted) != 0)
        return fail_errno("cannot watch the socket of a device's server", remote_.name());
    return {};
}

void RemoteTransport::retry(bool on) noexcept {
    itimerspec every{};
    if (on)
        every.it_value.tv_nsec = every.it_interval.tv_nsec = retry_ns;
    static_cast<void>(::timerfd_settime(timer_.get(), 0, &every, nullptr));
}

void RemoteTransport::service() noexcept {
    if (const auto done = remote_.service(); !done && !lost_) {
        lost_ = true;
        log(LogLevel::warning, done.error().message() + ": the port waits for another server there");
        retry(true);
    }
    if (!lost_)
        return;
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) != sizeof expirations || !remote_.returned())
        return;
    retry(false);
    returned_ = true;
}

Transport::Health RemoteTransport::health() noexcept {
    if (!remote_.connected())
        return {.gone = true, .needs_reset = false, .returns = true};
    return PciTransport::health();
}

Result<> RemoteTransport::reset() {
    if (remote_.connected())
        return PciTransport::reset();
    auto back =
        remote_.returned()
            ? remote_.reconnect()
            : fail(ENODEV,
                   "the device's server is gone: start it again at the same socket, then reset the port",
                   remote_.name());
    if (back)
        back = watch(remote_.events_fd());
    if (back)
        back = find_structures();
    lost_ = !remote_.connected();
    retry(lost_);
    return back ? PciTransport::reset() : back;
}

Result<> RemoteTransport::recover() {
    return remote_.connected() ? PciTransport::recover() : reset();
}

} // namespace sluice::inline v1::virtio
