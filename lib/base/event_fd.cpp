// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/event_fd.hpp>

#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sluice::inline v1 {

Result<EventFd> EventFd::create() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd)
        return fail_errno("cannot create an eventfd");
    return EventFd(std::move(fd));
}

void EventFd::signal() const noexcept {
    // A full counter (EAGAIN) already wakes the waiter, so there is nothing to report.
    (void)::eventfd_write(fd_.get(), 1);
}

std::uint64_t EventFd::take() const noexcept {
    eventfd_t count = 0;
    return ::eventfd_read(fd_.get(), &count) == 0 ? count : 0;
}

bool EventFd::wait(int timeout_ms) const noexcept {
    pollfd item{fd_.get(), POLLIN, 0};
    int ready;
    do
        ready = ::poll(&item, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

} // namespace sluice::inline v1
