// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "streams.hpp"

namespace sluice::testpmd {
namespace {

using Dealt = std::vector<std::vector<Route>>;

TEST(Streams, pairs_zero_with_one_and_two_with_three) {
    EXPECT_EQ(peer_of(0, 4, Topology::paired), 1);
    EXPECT_EQ(peer_of(1, 4, Topology::paired), 0);
    EXPECT_EQ(peer_of(2, 4, Topology::paired), 3);
    EXPECT_EQ(peer_of(3, 4, Topology::paired), 2);
}

TEST(Streams, pairs_the_odd_last_port_with_itself) {
    EXPECT_EQ(peer_of(2, 3, Topology::paired), 2);
    EXPECT_EQ(peer_of(0, 1, Topology::paired), 0);
}

TEST(Streams, chains_each_port_to_the_next) {
    EXPECT_EQ(peer_of(0, 3, Topology::chained), 1);
    EXPECT_EQ(peer_of(2, 3, Topology::chained), 0);
    EXPECT_EQ(peer_of(2, 3, Topology::loop), 2);
}

TEST(Streams, routes_queue_by_queue_in_port_order) {
    const std::vector<Route> expected{{0, 0, 1, 0}, {1, 0, 0, 0}, {0, 1, 1, 1}, {1, 1, 0, 1}};
    EXPECT_EQ(make_routes(2, 2, Topology::paired), expected);
}

TEST(Streams, gives_each_queue_to_one_lcore_in_every_shape) {
    for (std::uint16_t ports = 1; ports <= 5; ++ports)
        for (std::uint16_t queues = 1; queues <= 4; ++queues)
            for (const Topology topology : {Topology::paired, Topology::chained, Topology::loop})
                for (unsigned lcores = 1; lcores <= 8; ++lcores) {
                    std::set<std::pair<int, int>> received, sent;
                    for (const auto& hand : deal_routes(make_routes(ports, queues, topology), lcores)) {
                        EXPECT_FALSE(hand.empty());
                        for (const Route& route : hand) {
                            EXPECT_TRUE(received.emplace(route.rx_port, route.rx_queue).second);
                            EXPECT_TRUE(sent.emplace(route.tx_port, route.tx_queue).second);
                        }
                    }
                    EXPECT_EQ(received.size(), std::size_t{ports} * queues);
                    EXPECT_EQ(sent.size(), std::size_t{ports} * queues);
                }
}

TEST(Streams, deals_one_more_to_the_last_lcores_when_it_does_not_divide) {
    const auto dealt = deal_routes(make_routes(5, 1, Topology::loop), 3);
    ASSERT_EQ(dealt.size(), 3U);
    EXPECT_EQ(dealt[0].size(), 1U);
    EXPECT_EQ(dealt[1].size(), 2U);
    EXPECT_EQ(dealt[2].size(), 2U);
}

TEST(Streams, leaves_lcores_idle_when_there_are_more_than_routes) {
    EXPECT_EQ(deal_routes(make_routes(2, 1, Topology::paired), 4).size(), 2U);
}

} // namespace
} // namespace sluice::testpmd
