// SPDX-License-Identifier: BSD-3-Clause
#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <sluice/net/port.hpp>

#include "fake_driver.hpp"

namespace net_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Port : public testing::Test {
  protected:
    void SetUp() override {
        static unsigned serial = 0;
        pool = rte_pktmbuf_pool_create(("port_" + std::to_string(serial++)).c_str(), 255, 32, 0,
                                       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        ASSERT_NE(pool, nullptr);
    }
    void TearDown() override { rte_mempool_free(pool); }

    Result<net::Port> make(net::Config config = {}) {
        config.pool = pool;
        return net::Port::create(make_driver(script), "fake:0", config);
    }

    rte_mempool* pool = nullptr;
    Script script;
};

TEST_F(Port, configures_filters_and_starts_in_that_order) {
    {
        const auto port = make();
        ASSERT_TRUE(port);
        EXPECT_TRUE(port->started());
        EXPECT_EQ(port->uri(), "fake:0");
        EXPECT_EQ(port->config().rx_descriptors, 64);
        EXPECT_EQ(script.filter.addresses, std::vector{port->info().mac});
    }
    EXPECT_THAT(script.calls, ElementsAre("configure", "filter", "start", "stop", "close"));
}

TEST_F(Port, waits_with_the_start_when_told) {
    auto port = make({.start = false});
    ASSERT_TRUE(port);
    EXPECT_FALSE(port->started());
    std::array<rte_mbuf*, 4> packets{};
    EXPECT_EQ(port->rx(0).burst(packets), 0);
    ASSERT_TRUE(port->start());
    EXPECT_EQ(port->rx(0).burst(packets), 4);
    EXPECT_EQ(port->tx(0).burst(packets), 4);
    port->stop();
    EXPECT_EQ(port->rx(0).burst(packets), 0);
    EXPECT_EQ(port->tx(0).burst(packets), 0);
    EXPECT_EQ(script.bursts, 2u);
}

TEST_F(Port, validates_before_anything_is_applied) {
    const std::pair<net::Config, const char*> cases[] = {
        {{.rx_queues = 3}, "rx_queues 3 (allowed: 0 to 2)"},
        {{.tx_queues = 3}, "tx_queues 3 (allowed: 0 to 2)"},
        {{.rx_queues = 0, .tx_queues = 0}, "at least one queue"},
        {{.rx_descriptors = 16}, "rx_descriptors 16 (allowed: 32 to 1024)"},
        {{.tx_descriptors = 2048}, "tx_descriptors 2048"},
        {{.rx_descriptors = 100}, "multiple of 32"},
        {{.mtu = 9001}, "mtu 9001 (allowed: 68 to 9000)"},
        {{.mtu = 60}, "mtu 60"},
        {{.mtu = 4000}, "does not fit into the pool's mbufs"},
        {{.rx_offloads = {.checksum = true}}, "receive checksum"},
        {{.tx_offloads = {.tso = true}}, "TCP segmentation"},
        {{.rx_interrupts = true}, "no receive interrupts"},
        {{.queue_pools = {nullptr, nullptr}}, "one pool for each receive queue"},
        {{.queue_pools = {nullptr}}, "pool is null"},
    };
    for (const auto& [config, text] : cases) {
        script.calls.clear();
        const auto port = make(config);
        ASSERT_FALSE(port) << text;
        EXPECT_THAT(port.error().message(), HasSubstr(text));
        EXPECT_THAT(port.error().message(), HasSubstr("fake0"));
        EXPECT_THAT(script.calls, ElementsAre("close"));
    }
    EXPECT_TRUE(make({.mtu = 4000, .rx_offloads = {.scatter = true}}));
}

TEST_F(Port, keeps_its_configuration_when_a_new_one_fails) {
    auto port = make();
    ASSERT_TRUE(port);
    EXPECT_EQ(port->configure({.pool = pool}).error().code(), EBUSY);
    port->stop();
    script.fail = "configure";
    EXPECT_EQ(port->configure({.rx_queues = 2, .pool = pool}).error().code(), EIO);
    EXPECT_EQ(port->rx_queues(), 1);
    ASSERT_TRUE(port->configure({.rx_queues = 2, .tx_queues = 0, .pool = pool}));
    EXPECT_EQ(port->rx_queues(), 2);
    EXPECT_EQ(port->tx_queues(), 0);
    EXPECT_EQ(port->rx(1).index(), 1);
}

TEST_F(Port, makes_a_pool_of_its_own_and_makes_it_anew_with_a_configuration) {
    auto port = net::Port::create(make_driver(script), "fake:0",
                                  {.rx_descriptors = 32, .tx_descriptors = 32, .start = false});
    ASSERT_TRUE(port) << port.error().message();
    ASSERT_NE(script.config.pool, nullptr);
    EXPECT_GE(script.config.pool->size, 64u);
    net::Config next = port->config();
    next.mtu = 3000;
    ASSERT_TRUE(port->configure(next));
    ASSERT_NE(script.config.pool, nullptr);
    EXPECT_GE(rte_pktmbuf_data_room_size(script.config.pool), 3000 + RTE_PKTMBUF_HEADROOM);
}

TEST_F(Port, restarts_after_a_reset_only_what_was_started) {
    auto port = make();
    ASSERT_TRUE(port);
    script.calls.clear();
    ASSERT_TRUE(port->reset());
    EXPECT_THAT(script.calls, ElementsAre("stop", "reset", "start"));
    port->stop();
    script.calls.clear();
    ASSERT_TRUE(port->reset());
    EXPECT_THAT(script.calls, ElementsAre("stop", "reset"));
    ASSERT_TRUE(port->start());
    script.fail = "reset";
    EXPECT_FALSE(port->reset());
    EXPECT_FALSE(port->started());
    std::array<rte_mbuf*, 4> packets{};
    EXPECT_EQ(port->rx(0).burst(packets), 0);
}

TEST_F(Port, is_stopped_after_a_start_that_failed) {
    auto port = make({.start = false});
    ASSERT_TRUE(port);
    script.fail = "start";
    EXPECT_FALSE(port->start());
    EXPECT_FALSE(port->started());
    std::array<rte_mbuf*, 4> packets{};
    EXPECT_EQ(port->tx(0).burst(packets), 0);
    EXPECT_TRUE(port->start());
}

TEST_F(Port, counts_from_its_last_clear) {
    auto port = make();
    ASSERT_TRUE(port);
    script.totals = {.ipackets = 10,
                     .opackets = 20,
                     .ibytes = 30,
                     .obytes = 40,
                     .imissed = 5,
                     .ierrors = 6,
                     .oerrors = 7,
                     .rx_nombuf = 8};
    script.special = 100;
    port->clear_stats();
    script.totals.ipackets += 1;
    script.totals.rx_nombuf += 2;
    script.special += 3;
    const net::Stats stats = port->stats();
    EXPECT_EQ(stats.ipackets, 1u);
    EXPECT_EQ(stats.opackets, 0u);
    EXPECT_EQ(stats.obytes, 0u);
    EXPECT_EQ(stats.rx_nombuf, 2u);
    const auto all = port->xstats();
    EXPECT_EQ(all.front().name, "rx_good_packets");
    EXPECT_EQ(all.front().value, 1u);
    EXPECT_EQ(all.back().name, "special");
    EXPECT_EQ(all.back().value, 3u);
}

TEST_F(Port, changes_filters_whole_or_not_at_all) {
    auto port = make();
    ASSERT_TRUE(port);
    const net::MacAddress other{{2, 0, 0, 0, 0, 9}}, group{{1, 0, 0, 0, 0, 9}};
    ASSERT_TRUE(port->add_mac(other));
    ASSERT_TRUE(port->add_mac(group));
    EXPECT_THAT(script.filter.addresses, ElementsAre(port->info().mac, other));
    EXPECT_THAT(script.filter.multicast, ElementsAre(group));
    EXPECT_EQ(port->add_mac(other).error().code(), EEXIST);
    EXPECT_EQ(port->add_mac({}).error().code(), EINVAL);
    EXPECT_EQ(port->remove_mac({{2, 0, 0, 0, 0, 8}}).error().code(), ENOENT);
    EXPECT_EQ(port->remove_mac(port->mac()).error().code(), EINVAL);
    ASSERT_TRUE(port->add_mac({{2, 0, 0, 0, 0, 10}}));
    EXPECT_EQ(port->add_mac({{2, 0, 0, 0, 0, 11}}).error().code(), ENOSPC);

    ASSERT_TRUE(port->set_mac(other));
    EXPECT_EQ(port->mac(), other);
    EXPECT_THAT(script.filter.addresses, ElementsAre(other, net::MacAddress{{2, 0, 0, 0, 0, 10}}));
    EXPECT_EQ(port->set_mac(group).error().code(), EINVAL);

    script.fail = "filter";
    EXPECT_FALSE(port->set_promiscuous(true));
    EXPECT_FALSE(port->promiscuous());
    EXPECT_FALSE(port->config().promiscuous);
    ASSERT_TRUE(port->set_promiscuous(true));
    ASSERT_TRUE(port->set_all_multicast(true));
    EXPECT_TRUE(script.filter.promiscuous);
    EXPECT_TRUE(script.filter.all_multicast);
    EXPECT_TRUE(port->config().promiscuous);
}

TEST_F(Port, changes_its_mtu_only_when_stopped) {
    auto port = make();
    ASSERT_TRUE(port);
    EXPECT_EQ(port->set_mtu(1400).error().code(), EBUSY);
    port->stop();
    EXPECT_EQ(port->set_mtu(9001).error().code(), EINVAL);
    ASSERT_TRUE(port->set_mtu(1400));
    EXPECT_EQ(port->mtu(), 1400);
}

TEST_F(Port, arms_a_queue_through_its_driver) {
    auto port = make();
    ASSERT_TRUE(port);
    EXPECT_EQ(port->rx(0).arm().error().code(), ENOTSUP);
    EXPECT_EQ(port->rx(0).fd(), -1);
}

TEST_F(Port, hands_events_on) {
    auto port = make();
    ASSERT_TRUE(port);
    EXPECT_EQ(port->events_fd(), 42);
    script.events.link = true;
    EXPECT_TRUE(port->service().link);
    EXPECT_FALSE(port->service().any());
}

TEST_F(Port, moves) {
    auto port = make();
    ASSERT_TRUE(port);
    net::Port other = std::move(*port);
    EXPECT_TRUE(other.started());
    script.calls.clear();
    Script second;
    other = *net::Port::create(make_driver(second), "fake:1", {.pool = pool});
    EXPECT_THAT(script.calls, ElementsAre("stop", "close"));
    EXPECT_EQ(other.uri(), "fake:1");
    other.close();
    EXPECT_EQ(second.calls.back(), "close");
}

} // namespace
} // namespace net_test
