// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.hpp"

namespace e1000_test {
namespace {

using Receive = PortTest;
INSTANTIATE_TEST_SUITE_P(Chips, Receive, testing::Values(id_82574, id_82540, id_82574 | scalar));

TEST_P(Receive, hands_out_the_very_buffer_that_the_device_wrote) {
    open({.port_id = 7});
    for (unsigned i = 0; i < 9; ++i) {
        const auto bytes = frame(60 + i, i);
        const std::byte* written = nic->receive(bytes);
        ASSERT_NE(written, nullptr);
        const auto packets = receive();
        ASSERT_EQ(packets.size(), 1u);
        EXPECT_EQ(rte_pktmbuf_mtod(packets[0], std::byte*), written);
        EXPECT_TRUE(holds(packets[0], bytes));
        EXPECT_EQ(packets[0]->port, 7);
        EXPECT_EQ(packets[0]->nb_segs, 1);
        EXPECT_EQ(packets[0]->ol_flags, 0u);
        EXPECT_EQ(rte_mbuf_refcnt_read(packets[0]), 1);
        rte_pktmbuf_free(packets[0]);
    }
    EXPECT_EQ(nic->dma_faults, 0u);
}

TEST_P(Receive, gives_the_device_addresses_that_are_no_pointers) {
    open();
    const std::uint64_t address = nic->rx_address(0);
    EXPECT_GE(address, device::inproc::TableSpace::default_offset);
}

TEST_P(Receive, keeps_order_over_many_turns_of_the_ring) {
    open();
    unsigned sent = 0, got = 0;
    while (got < 20 * ring) {
        for (unsigned i = 0; i < 1 + sent % 37; ++i, ++sent)
            ASSERT_NE(nic->receive(frame(60 + sent % 1400, sent)), nullptr);
        for (auto packets = receive(1 + got % 41); !packets.empty(); packets = receive(1 + got % 41))
            for (rte_mbuf* each : packets) {
                ASSERT_TRUE(holds(each, frame(60 + got % 1400, got))) << got;
                ++got;
                rte_pktmbuf_free(each);
            }
        ASSERT_EQ(got, sent);
    }
    EXPECT_EQ(port->stats().ipackets, got);
    EXPECT_EQ(port->stats().imissed, 0u);
}

TEST_P(Receive, gives_nothing_from_an_empty_ring) {
    open();
    EXPECT_TRUE(receive().empty());
}

TEST_P(Receive, counts_what_the_device_missed_when_the_ring_is_full) {
    open();
    for (unsigned i = 0; i < ring - 1u; ++i)
        ASSERT_NE(nic->receive(frame(60, i)), nullptr);
    EXPECT_EQ(nic->receive(frame(60, 0)), nullptr);
    EXPECT_EQ(port->stats().imissed, 1u);
    const auto packets = receive(256);
    EXPECT_EQ(packets.size(), ring - 1u);
    for (rte_mbuf* each : packets)
        rte_pktmbuf_free(each);
    EXPECT_NE(nic->receive(frame(60, 0)), nullptr);
}

TEST_P(Receive, leaves_frames_in_the_ring_while_the_pool_is_empty) {
    open();
    std::vector<rte_mbuf*> hoard;
    while (rte_mbuf* mbuf = rte_pktmbuf_alloc(pool))
        hoard.push_back(mbuf);
    for (unsigned i = 0; i < 8; ++i)
        ASSERT_NE(nic->receive(frame(60, i)), nullptr);
    EXPECT_TRUE(receive().empty());
    EXPECT_GT(port->stats().rx_nombuf, 0u);
    for (rte_mbuf* each : hoard)
        rte_pktmbuf_free(each);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 8u);
    for (unsigned i = 0; i < 8; ++i) {
        EXPECT_TRUE(holds(packets[i], frame(60, i)));
        rte_pktmbuf_free(packets[i]);
    }
}

TEST_P(Receive, chains_long_frames_when_scatter_is_on) {
    open({.mtu = 9000, .rx_offloads = {.scatter = true}});
    const auto bytes = frame(9000, 3);
    ASSERT_NE(nic->receive(frame(64, 1)), nullptr);
    ASSERT_NE(nic->receive(bytes), nullptr);
    ASSERT_NE(nic->receive(frame(64, 2)), nullptr);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 3u);
    EXPECT_EQ(packets[1]->nb_segs, 5);
    EXPECT_TRUE(holds(packets[1], bytes));
    EXPECT_TRUE(holds(packets[2], frame(64, 2)));
    EXPECT_EQ(port->stats().ibytes, 9000u + 128u);
    for (rte_mbuf* each : packets)
        rte_pktmbuf_free(each);
}

TEST_P(Receive, drops_and_counts_longer_frames_when_it_is_off) {
    open();
    ASSERT_NE(nic->receive(frame(5000, 0)), nullptr);
    ASSERT_NE(nic->receive(frame(64, 1)), nullptr);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_TRUE(holds(packets[0], frame(64, 1)));
    EXPECT_EQ(port->stats().ierrors, 1u);
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Receive, drops_and_counts_frames_that_the_device_calls_damaged) {
    open();
    for (unsigned i = 0; i < 8; ++i)
        ASSERT_NE(nic->receive(frame(64, i), 0, i == 5 ? 0x01 : 0), nullptr);
    const auto packets = receive();
    EXPECT_EQ(packets.size(), 7u);
    EXPECT_EQ(port->stats().ierrors, 1u);
    EXPECT_EQ(port->stats().ipackets, 7u);
    for (rte_mbuf* each : packets)
        rte_pktmbuf_free(each);
}

TEST_P(Receive, reports_checksums_and_tags_when_asked) {
    open({.rx_offloads = {.checksum = true, .vlan_strip = true}});
    ASSERT_NE(nic->receive(frame(64, 0), 0x60), nullptr);            // both good
    ASSERT_NE(nic->receive(frame(64, 1), 0x60, 0x60), nullptr);      // both bad
    ASSERT_NE(nic->receive(frame(64, 2), 0x64, 0x60), nullptr);      // not to be trusted
    ASSERT_NE(nic->receive(frame(64, 3), 0x08, 0, 0x1234), nullptr); // tagged
    ASSERT_NE(nic->receive(frame(64, 4)), nullptr);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 5u);
    EXPECT_EQ(packets[0]->ol_flags, RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD);
    EXPECT_EQ(packets[1]->ol_flags, RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD);
    EXPECT_EQ(packets[2]->ol_flags, 0u);
    EXPECT_EQ(packets[3]->ol_flags, RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
    EXPECT_EQ(packets[3]->vlan_tci, 0x1234);
    EXPECT_EQ(packets[4]->vlan_tci, 0);
    for (rte_mbuf* each : packets)
        rte_pktmbuf_free(each);
}

TEST_P(Receive, writes_its_tail_once_for_a_burst_of_32) {
    open();
    for (unsigned turn = 0; turn < 10; ++turn) {
        for (unsigned i = 0; i < 32; ++i)
            ASSERT_NE(nic->receive(frame(64, i)), nullptr);
        const unsigned before = nic->rx_doorbells;
        for (rte_mbuf* each : receive())
            rte_pktmbuf_free(each);
        EXPECT_EQ(nic->rx_doorbells, before + 1);
    }
}

} // namespace
} // namespace e1000_test
