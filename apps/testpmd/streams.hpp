// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Which queue goes where, and which lcore serves it.
#pragma once

#include <cstdint>
#include <vector>

#include "settings.hpp"

namespace sluice::testpmd {

/// One receive queue, and the transmit queue that its frames go to.
struct Route {
    std::uint16_t rx_port;
    std::uint16_t rx_queue;
    std::uint16_t tx_port;
    std::uint16_t tx_queue;

    friend bool operator==(const Route&, const Route&) = default;
};

/// The port that frames from `port` go to.
std::uint16_t peer_of(std::uint16_t port, std::uint16_t ports, Topology topology) noexcept;

/// One route for each queue of each port, queue by queue. No transmit queue stands in two of them.
std::vector<Route> make_routes(std::uint16_t ports, std::uint16_t queues, Topology topology);

/// Deals routes to `lcores` lcores in order, the last ones taking one more where it does not divide; more
/// lcores than routes are left out. So a queue belongs to one lcore.
std::vector<std::vector<Route>> deal_routes(const std::vector<Route>& routes, unsigned lcores);

} // namespace sluice::testpmd
