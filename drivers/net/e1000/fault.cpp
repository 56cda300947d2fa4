// SPDX-License-Identifier: BSD-3-Clause
#include "fault.hpp"

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::e1000 {

void Alarm::raise(net::QueueRecord& record, net::QueueCounters& counters, const char* what,
                  std::uint16_t slot, std::uint64_t word) noexcept {
    record.burst = net::idle_burst;
    record.reclaim = net::idle_reclaim;
    record.broken = true;
    counters.broken.add(1);
    broken.store(true, std::memory_order_release);
    event.signal();

    constexpr std::uint64_t second_ns = 1'000'000'000;
    const auto now = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                    std::chrono::steady_clock::now().time_since_epoch())
                                                    .count());
    std::uint64_t last = last_log_ns.load(std::memory_order_relaxed);
    if ((last != 0 && now - last < second_ns) || !last_log_ns.compare_exchange_strong(last, now))
        return;
    std::array<char, 200> line;
    std::snprintf(line.data(), line.size(),
                  "%s: queue %u broken: %s (slot %u, descriptor word %016" PRIx64 "); reset the port",
                  device.c_str(), record.index, what, slot, word);
    log(LogLevel::error, line.data());
}

} // namespace sluice::inline v1::e1000
