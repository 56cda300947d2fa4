// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a queue does when its device is caught lying.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <sluice/base/event_fd.hpp>
#include <sluice/net/queue.hpp>

namespace sluice::inline v1::e1000 {

/// Shared by the queues of a device: wakes the control thread, and logs at most one line a second.
struct Alarm {
    std::string device;
    EventFd event;
    std::atomic<std::uint64_t> last_log_ns{0};
    std::atomic<bool> broken{false};

    Alarm(std::string name, EventFd fd)
        : device(std::move(name))
        , event(std::move(fd)) {}

    /// Breaks the queue behind `record`: it moves nothing until the port is reset.
    void raise(net::QueueRecord& record, net::QueueCounters& counters, const char* what, std::uint16_t slot,
               std::uint64_t word) noexcept;
};

} // namespace sluice::inline v1::e1000
