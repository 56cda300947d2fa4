// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/net/queue.hpp>

#include <cerrno>

#include <sluice/net/driver.hpp>

namespace sluice::inline v1::net {

std::uint16_t idle_burst(void*, rte_mbuf**, std::uint16_t) noexcept {
    return 0;
}

std::uint32_t idle_reclaim(void*) noexcept {
    return 0;
}

namespace {

Result<> interrupt(const QueueRecord& record, bool on) {
    if (record.fd < 0)
        return fail(ENOTSUP, "cannot arm a receive queue: set rx_interrupts in the configuration first",
                    record.driver != nullptr ? record.driver->info().name : std::string("port"));
    return record.driver->rx_interrupt(record.index, on);
}

} // namespace

Result<> RxQueue::arm() {
    return interrupt(record_, true);
}

Result<> RxQueue::disarm() {
    return interrupt(record_, false);
}

} // namespace sluice::inline v1::net
