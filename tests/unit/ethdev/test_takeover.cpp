// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "ports.hpp"

namespace sluice::ethdev {
namespace {

using testing::HasSubstr;

std::uint16_t probed(const char* devargs, const char* name) {
    EXPECT_EQ(rte_dev_probe(devargs), 0);
    std::uint16_t id = RTE_MAX_ETHPORTS;
    EXPECT_EQ(rte_eth_dev_get_port_by_name(name, &id), 0);
    return id;
}

bool exists(const char* name) {
    std::uint16_t id = 0;
    return rte_eth_dev_get_port_by_name(name, &id) == 0;
}

void remove(std::uint16_t id) {
    rte_eth_dev_info info{};
    ASSERT_EQ(rte_eth_dev_info_get(id, &info), 0);
    rte_eth_dev_close(id);
    ASSERT_EQ(rte_dev_remove(const_cast<rte_device*>(info.device)), 0);
}

TEST(Takeover, opens_a_port_that_eal_holds) {
    Pool pool;
    probed("net_null7,size=128", "net_null7");
    auto port = open_port("net_null7", {.pool = pool.get()});
    ASSERT_TRUE(port) << port.error().message();
    rte_mbuf* frames[4];
    ASSERT_EQ(port->rx(0).burst(frames), 4);
    EXPECT_EQ(frames[0]->pkt_len, 128U);
    EXPECT_EQ(port->tx(0).burst(frames), 4);
}

TEST(Takeover, accepts_the_arguments_that_eal_made_it_with_and_no_others) {
    const std::uint16_t id = probed("net_null7,size=128", "net_null7");
    const auto other = open("net_null7,size=64");
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error().message(), HasSubstr("EAL holds the device already"));
    EXPECT_EQ(other.error().code(), EEXIST);
    EXPECT_TRUE(exists("net_null7")) << "a refusal leaves the port alone";
    static_cast<void>(id);
    EXPECT_TRUE(open("net_null7,size=128")) << "and opening changes nothing before it is configured";
    EXPECT_TRUE(exists("net_null7"));
    remove(id);
}

TEST(Takeover, leaves_a_port_alone_that_its_maker_runs) {
    Pool pool;
    const std::uint16_t id = probed("net_null7", "net_null7");
    const rte_eth_conf conf{};
    ASSERT_EQ(rte_eth_dev_configure(id, 1, 1, &conf), 0);
    ASSERT_EQ(rte_eth_rx_queue_setup(id, 0, 512, 0, nullptr, pool.get()), 0);
    ASSERT_EQ(rte_eth_tx_queue_setup(id, 0, 512, 0, nullptr), 0);
    ASSERT_EQ(rte_eth_dev_start(id), 0);
    const auto port = open_port("net_null7", {.pool = pool.get()});
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code(), EBUSY);
    rte_mbuf* frames[4];
    EXPECT_EQ(rte_eth_rx_burst(id, 0, frames, 4), 4) << "it runs on";
    EXPECT_EQ(rte_eth_tx_burst(id, 0, frames, 4), 4);
    rte_eth_dev_stop(id);
    remove(id);
}

TEST(Takeover, refuses_a_port_that_is_open_already) {
    const auto first = open("net_null7");
    ASSERT_TRUE(first) << first.error().message();
    const auto second = open("net_null7");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), EBUSY);
    EXPECT_THAT(second.error().message(), HasSubstr("owns the DPDK port"));
}

TEST(Takeover, gives_the_device_up_when_it_is_closed) {
    Pool pool;
    for (int turn = 0; turn < 10; ++turn) {
        auto port = open_port("net_null7", {.pool = pool.get()});
        ASSERT_TRUE(port) << turn << ": " << port.error().message();
        rte_mbuf* frames[4];
        ASSERT_EQ(port->rx(0).burst(frames), 4);
        ASSERT_EQ(port->tx(0).burst(frames), 4);
        EXPECT_TRUE(exists("net_null7"));
        port->close();
        EXPECT_FALSE(exists("net_null7"));
    }
}

} // namespace
} // namespace sluice::ethdev
