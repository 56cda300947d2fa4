// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include "ports.hpp"

namespace sluice::ethdev {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& address) {
    const auto driver = open(address);
    EXPECT_FALSE(driver) << address;
    return driver ? std::string{} : driver.error().message();
}

TEST(Ethdev, says_what_it_opened) {
    Pool pool;
    auto port = open_port("net_null0,size=100", {.pool = pool.get()});
    ASSERT_TRUE(port) << port.error().message();
    EXPECT_EQ(port->info().driver, "ethdev");
    EXPECT_EQ(port->info().device, "net_null");
    EXPECT_EQ(port->info().name, "net_null0");
    EXPECT_EQ(port->info().transport, "dpdk");
    EXPECT_EQ(port->info().kernel_driver, "");
    EXPECT_EQ(port->uri(), "ethdev:net_null0,size=100");
    EXPECT_TRUE(port->link().up);
    EXPECT_EQ(port->link().mbps, 10000U);
}

TEST(Ethdev, receives_from_the_device_that_the_arguments_describe) {
    Pool pool;
    auto port = open_port("net_null0,size=100", {.port_id = 77, .pool = pool.get()});
    ASSERT_TRUE(port);
    rte_mbuf* frames[32];
    ASSERT_EQ(port->rx(0).burst(frames), 32);
    for (const rte_mbuf* frame : frames) {
        EXPECT_EQ(frame->pkt_len, 100U);
        EXPECT_EQ(frame->pool, pool.get());
        EXPECT_EQ(frame->port, 77);
    }
    EXPECT_EQ(port->tx(0).burst({frames, 20}), 20);
    rte_pktmbuf_free_bulk(frames + 20, 12);
    const net::Stats stats = port->stats();
    EXPECT_EQ(stats.ipackets, 32U);
    EXPECT_EQ(stats.ibytes, 3200U);
    EXPECT_EQ(stats.opackets, 20U);
    EXPECT_EQ(stats.obytes, 2000U);
    EXPECT_EQ(value_of(*port, "rx_q0_packets"), 32U);
    EXPECT_EQ(value_of(*port, "ethdev_rx_good_packets"), 32U) << "DPDK's driver counts the same";
}

TEST(Ethdev, hands_on_the_mbufs_themselves) {
    Pool pool;
    auto port = open_port("net_ring0", {.port_id = 5, .pool = pool.get()});
    ASSERT_TRUE(port) << port.error().message();
    rte_mbuf* sent[32];
    for (unsigned i = 0; i < 32; ++i)
        sent[i] = pool.frame(static_cast<std::uint16_t>(60 + i), static_cast<std::uint8_t>(i));
    ASSERT_EQ(port->tx(0).burst(sent), 32);
    rte_mbuf* received[64] = {};
    ASSERT_EQ(port->rx(0).burst(received), 32);
    for (unsigned i = 0; i < 32; ++i) {
        ASSERT_EQ(received[i], sent[i]);
        EXPECT_EQ(received[i]->port, 5);
        EXPECT_EQ(received[i]->data_len, 60 + i);
        EXPECT_EQ(*rte_pktmbuf_mtod(received[i], std::uint8_t*), i);
    }
    rte_pktmbuf_free_bulk(received, 32);
}

TEST(Ethdev, leaves_what_a_full_queue_does_not_take) {
    Pool pool;
    auto port = open_port("net_ring0", {.pool = pool.get()});
    ASSERT_TRUE(port);
    std::uint64_t sent = 0;
    for (unsigned turn = 0; turn < 64; ++turn) {
        rte_mbuf* frames[32];
        for (rte_mbuf*& frame : frames)
            frame = pool.frame(60);
        const std::uint16_t taken = port->tx(0).burst(frames);
        sent += taken;
        rte_pktmbuf_free_bulk(frames + taken, 32U - taken);
    }
    EXPECT_GT(sent, 0U);
    EXPECT_LT(sent, 64U * 32U);
    EXPECT_EQ(port->stats().opackets, sent);
    EXPECT_EQ(port->stats().obytes, sent * 60);
    rte_mbuf* frames[32];
    std::uint64_t received = 0;
    while (const std::uint16_t got = port->rx(0).burst(frames)) {
        received += got;
        rte_pktmbuf_free_bulk(frames, got);
    }
    EXPECT_EQ(received, sent);
}

TEST(Ethdev, serves_several_queues) {
    Pool pool;
    auto port = open_port("net_null0", {.rx_queues = 3, .tx_queues = 2, .pool = pool.get()});
    ASSERT_TRUE(port) << port.error().message();
    rte_mbuf* frames[4];
    for (std::uint16_t queue = 0; queue < 3; ++queue) {
        ASSERT_EQ(port->rx(queue).burst(frames), 4);
        ASSERT_EQ(port->tx(queue % 2).burst(frames), 4);
    }
    EXPECT_EQ(value_of(*port, "rx_q2_packets"), 4U);
    EXPECT_EQ(value_of(*port, "tx_q0_packets"), 8U);
    EXPECT_EQ(port->stats().ipackets, 12U);
}

TEST(Ethdev, counts_on_over_stop_start_reset_and_new_queues) {
    Pool pool;
    auto port = open_port("net_null0", {.pool = pool.get()});
    ASSERT_TRUE(port);
    const auto move = [&] {
        rte_mbuf* frames[8];
        ASSERT_EQ(port->rx(0).burst(frames), 8);
        ASSERT_EQ(port->tx(0).burst(frames), 8);
    };
    move();
    port->stop();
    rte_mbuf* none[1];
    EXPECT_EQ(port->rx(0).burst(none), 0) << "a stopped queue moves nothing";
    ASSERT_TRUE(port->start());
    move();
    ASSERT_TRUE(port->reset());
    move();
    port->stop();
    ASSERT_TRUE(port->configure({.rx_queues = 2, .tx_queues = 2, .pool = pool.get()}));
    ASSERT_TRUE(port->start());
    move();
    EXPECT_EQ(port->stats().ipackets, 32U);
    EXPECT_EQ(port->stats().opackets, 32U);
    EXPECT_EQ(value_of(*port, "ethdev_rx_good_packets"), 32U);
    port->clear_stats();
    EXPECT_EQ(port->stats().ipackets, 0U);
    EXPECT_EQ(value_of(*port, "ethdev_rx_good_packets"), 0U);
}

TEST(Ethdev, keeps_the_former_configuration_when_a_new_one_is_refused) {
    Pool pool;
    auto port = open_port("net_null0", {.pool = pool.get()});
    ASSERT_TRUE(port);
    port->stop();
    EXPECT_FALSE(port->configure({.rx_queues = 2000, .pool = pool.get()}));
    ASSERT_TRUE(port->start());
    rte_mbuf* frames[8];
    EXPECT_EQ(port->rx(0).burst(frames), 8);
    EXPECT_EQ(port->tx(0).burst(frames), 8);
}

TEST(Ethdev, sets_address_filters_and_mtu) {
    Pool pool;
    auto port = open_port("net_null0,copy=1", {.pool = pool.get(), .promiscuous = true});
    ASSERT_TRUE(port) << port.error().message();
    EXPECT_TRUE(port->promiscuous());
    const net::MacAddress mac{{2, 0, 0, 0, 0, 9}};
    ASSERT_TRUE(port->set_mac(mac));
    std::uint16_t id = 0;
    rte_ether_addr now{};
    ASSERT_EQ(rte_eth_dev_get_port_by_name("net_null0", &id), 0);
    ASSERT_EQ(rte_eth_macaddr_get(id, &now), 0);
    EXPECT_EQ(now.addr_bytes[5], 9);
    port->stop();
    ASSERT_TRUE(port->set_mtu(1400));
    std::uint16_t mtu = 0;
    ASSERT_EQ(rte_eth_dev_get_mtu(id, &mtu), 0);
    EXPECT_EQ(mtu, 1400);
    EXPECT_TRUE(port->start());
}

TEST(Ethdev, refuses_receive_interrupts_where_the_driver_has_none) {
    Pool pool;
    const auto port = open_port("net_null0", {.pool = pool.get(), .rx_interrupts = true});
    ASSERT_FALSE(port);
    EXPECT_THAT(port.error().message(), HasSubstr("receive interrupts"));
}

TEST(Ethdev, refuses_what_dpdk_cannot_open) {
    EXPECT_THAT(refusal("net_bogus0"), HasSubstr("net_bogus0: DPDK cannot open the device"));
    EXPECT_THAT(refusal("net_null0,bogus=1"), HasSubstr("net_null0,bogus=1: DPDK cannot open the device"));
    EXPECT_THAT(refusal("net_pcap0,rx_pcap=/nonexistent/file"), HasSubstr("DPDK cannot open the device"));
    EXPECT_THAT(refusal(""), HasSubstr("names no device"));
    EXPECT_THAT(refusal(",size=64"), HasSubstr("names no device"));
}

TEST(Ethdev, refuses_a_pci_device_when_eal_runs_without_pci) {
    EXPECT_THAT(refusal("0000:ff:1f.7"), HasSubstr("0000:ff:1f.7: EAL runs without PCI"));
    EXPECT_THAT(refusal("ff:1f.7"), HasSubstr("0000:ff:1f.7: EAL runs without PCI"));
}

} // namespace
} // namespace sluice::ethdev
