// SPDX-License-Identifier: BSD-3-Clause
#include "signals.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

#include <sys/eventfd.h>
#include <unistd.h>

namespace sluice::testpmd {
namespace {

constexpr std::int64_t patience = 3;

int event = -1;
std::atomic<std::int64_t> first{0}; ///< seconds of CLOCK_MONOTONIC, 0: none came
static_assert(decltype(first)::is_always_lock_free);

std::int64_t seconds() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1;
}

void on_signal(int number) {
    const int kept = errno;
    std::int64_t none = 0;
    if (first.compare_exchange_strong(none, seconds())) {
        const std::uint64_t one = 1;
        static_cast<void>(!write(event, &one, sizeof one));
    } else if (seconds() - none > patience) {
        std::signal(number, SIG_DFL);
        raise(number);
    }
    errno = kept;
}

} // namespace

int catch_signals() noexcept {
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return -1;
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, nullptr) != 0 || sigaction(SIGTERM, &action, nullptr) != 0)
        return -1;
    return event;
}

bool signalled() noexcept {
    return first.load(std::memory_order_relaxed) != 0;
}

} // namespace sluice::testpmd
