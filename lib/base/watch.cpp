// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/watch.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>

namespace sluice::inline v1 {

Result<Watch> Watch::create(const std::string& name) {
    Watch made;
    made.name_ = name;
    made.epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    made.timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!made.epoll_ || !made.timer_)
        return fail_errno("cannot make event descriptors", name);
    if (auto ok = made.add(made.timer_.get()); !ok)
        return propagate(std::move(ok));
    return made;
}

Result<> Watch::add(int fd) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &wanted) != 0)
        return fail_errno("cannot watch the connection of a device in another process", name_);
    return {};
}

void Watch::remove(int fd) noexcept {
    static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr));
}

void Watch::retry(bool on) noexcept {
    constexpr long period_ns = 50'000'000;
    itimerspec every{};
    if (on)
        every.it_value.tv_nsec = every.it_interval.tv_nsec = period_ns;
    static_cast<void>(::timerfd_settime(timer_.get(), 0, &every, nullptr));
}

bool Watch::due() noexcept {
    std::uint64_t expirations = 0;
    return ::read(timer_.get(), &expirations, sizeof expirations) == sizeof expirations;
}

} // namespace sluice::inline v1
