// SPDX-License-Identifier: BSD-3-Clause
#include "streams.hpp"

#include <algorithm>

namespace sluice::testpmd {

std::uint16_t peer_of(std::uint16_t port, std::uint16_t ports, Topology topology) noexcept {
    switch (topology) {
    case Topology::paired: {
        const auto other = static_cast<std::uint16_t>(port ^ 1U);
        return other < ports ? other : port;
    }
    case Topology::chained:
        return static_cast<std::uint16_t>((port + 1U) % ports);
    case Topology::loop:
        break;
    }
    return port;
}

std::vector<Route> make_routes(std::uint16_t ports, std::uint16_t queues, Topology topology) {
    std::vector<Route> routes;
    for (std::uint16_t queue = 0; queue < queues; ++queue)
        for (std::uint16_t port = 0; port < ports; ++port)
            routes.push_back({port, queue, peer_of(port, ports, topology), queue});
    return routes;
}

std::vector<std::vector<Route>> deal_routes(const std::vector<Route>& routes, unsigned lcores) {
    const std::size_t hands = std::min<std::size_t>(lcores, routes.size());
    std::vector<std::vector<Route>> dealt;
    auto next = routes.begin();
    for (std::size_t hand = 0; hand < hands; ++hand) {
        const bool one_more = hand >= hands - routes.size() % hands;
        const auto count = static_cast<std::ptrdiff_t>(routes.size() / hands + (one_more ? 1 : 0));
        dealt.emplace_back(next, next + count);
        next += count;
    }
    return dealt;
}

} // namespace sluice::testpmd
