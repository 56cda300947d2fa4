// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.hpp"

namespace e1000_test {
namespace {

using Transmit = PortTest;
INSTANTIATE_TEST_SUITE_P(Chips, Transmit, testing::Values(id_82574, id_82540, id_82574 | scalar));

TEST_P(Transmit, lets_the_device_read_the_callers_own_buffer) {
    open();
    rte_mbuf* mbuf = packet(64, 1);
    ASSERT_EQ(send({mbuf}), 1);
    const auto sent = nic->transmit();
    ASSERT_EQ(sent.size(), 1u);
    ASSERT_EQ(sent[0].fragments.size(), 1u);
    EXPECT_EQ(sent[0].fragments[0].at, rte_pktmbuf_mtod(mbuf, std::byte*));
    EXPECT_EQ(sent[0].bytes, frame(64, 1));
    EXPECT_EQ(port->tx(0).reclaim(), 1u);
    EXPECT_EQ(nic->dma_faults, 0u);
}

TEST_P(Transmit, respects_a_moved_data_offset) {
    open();
    rte_mbuf* mbuf = packet(100, 2);
    rte_pktmbuf_adj(mbuf, 20);
    ASSERT_EQ(send({mbuf}), 1);
    const auto sent = nic->transmit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].fragments[0].at, rte_pktmbuf_mtod(mbuf, std::byte*));
    EXPECT_EQ(sent[0].bytes.size(), 80u);
}

TEST_P(Transmit, keeps_order_over_many_turns_of_the_ring) {
    open();
    unsigned offered = 0, seen = 0;
    while (seen < 20 * ring) {
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i < 1 + offered % 53; ++i)
            packets.push_back(packet(60 + (offered + i) % 1400, offered + i));
        const std::uint16_t taken = send(packets);
        for (std::size_t i = taken; i < packets.size(); ++i)
            rte_pktmbuf_free(packets[i]);
        offered += taken;
        for (const SentFrame& each : nic->transmit(1 + seen % 47)) {
            ASSERT_EQ(each.bytes, frame(60 + seen % 1400, seen)) << seen;
            ++seen;
        }
    }
    EXPECT_EQ(port->stats().opackets, offered);
}

TEST_P(Transmit, takes_what_fits_and_leaves_the_rest_to_the_caller) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < 200; ++i)
        packets.push_back(packet(64, i));
    const std::uint16_t taken = send(packets);
    EXPECT_EQ(taken, ring - 1);
    std::vector<rte_mbuf*> rest(packets.begin() + taken, packets.end());
    EXPECT_EQ(send(rest), 0);
    EXPECT_EQ(nic->transmit(64).size(), 64u);
    // Two lumps are done.
    const std::uint16_t more = send(rest);
    EXPECT_EQ(more, 64);
    EXPECT_EQ(nic->transmit().size(), std::size_t{ring} - 1 - 64 + 64);
    for (std::size_t i = std::size_t{taken} + more; i < packets.size(); ++i)
        rte_pktmbuf_free(packets[i]);
}

TEST_P(Transmit, rings_once_a_burst) {
    open();
    const unsigned before = nic->tx_doorbells;
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < 70; ++i)
        packets.push_back(packet(64, i));
    EXPECT_EQ(send(packets), 70);
    EXPECT_EQ(nic->tx_doorbells, before + 1);
    EXPECT_EQ(send({}), 0);
    EXPECT_EQ(nic->tx_doorbells, before + 1);
}

TEST_P(Transmit, returns_every_mbuf_when_traffic_stops) {
    open();
    for (unsigned count = 1; count < 100; ++count) {
        const unsigned before = rte_mempool_avail_count(pool);
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i < count; ++i)
            packets.push_back(packet(64, i));
        ASSERT_EQ(send(packets), count);
        ASSERT_EQ(nic->transmit().size(), count);
        port->tx(0).reclaim();
        ASSERT_EQ(rte_mempool_avail_count(pool), before) << count;
    }
    EXPECT_EQ(port->tx(0).reclaim(), 0u);
}

TEST_P(Transmit, frees_nothing_that_the_device_has_not_sent) {
    open();
    const unsigned before = rte_mempool_avail_count(pool);
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < 64; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), 64);
    EXPECT_EQ(port->tx(0).reclaim(), 0u);
    nic->transmit(40);
    EXPECT_EQ(port->tx(0).reclaim(), 32u);
    EXPECT_EQ(rte_mempool_avail_count(pool), before - 32);
    nic->transmit();
    EXPECT_EQ(port->tx(0).reclaim(), 32u);
}

TEST_P(Transmit, sends_chains_across_lumps_and_the_end_of_the_ring) {
    open();
    for (unsigned turn = 0; turn < 400; ++turn) {
        rte_mbuf* first = nullptr;
        std::vector<std::byte> bytes;
        const unsigned parts = 1 + turn % 9;
        for (unsigned i = 0; i < parts; ++i) {
            rte_mbuf* part = packet(40 + i, turn + i);
            const auto piece = frame(40 + i, turn + i);
            bytes.insert(bytes.end(), piece.begin(), piece.end());
            if (first == nullptr)
                first = part;
            else
                ASSERT_EQ(rte_pktmbuf_chain(first, part), 0);
        }
        std::vector<rte_mbuf*> packets = {packet(64, 1), first, packet(64, 2)};
        ASSERT_EQ(send(packets), 3);
        const auto sent = nic->transmit();
        ASSERT_EQ(sent.size(), 3u);
        ASSERT_EQ(sent[1].fragments.size(), parts);
        ASSERT_EQ(sent[1].bytes, bytes);
        if (turn % 5 == 0)
            port->tx(0).reclaim();
    }
    EXPECT_EQ(port->stats().oerrors, 0u);
    EXPECT_EQ(port->stats().opackets, 1200u);
}

TEST_P(Transmit, takes_a_chain_whole_or_not_at_all) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < ring - 3u; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), ring - 3);
    rte_mbuf* chain = packet(64, 0);
    for (unsigned i = 0; i < 2; ++i)
        ASSERT_EQ(rte_pktmbuf_chain(chain, packet(64, i)), 0);
    EXPECT_EQ(send({chain}), 0);
    nic->transmit();
    EXPECT_EQ(send({chain}), 1);
    EXPECT_EQ(nic->transmit().size(), 1u);
}

TEST_P(Transmit, counts_and_frees_frames_that_can_never_be_sent) {
    open();
    rte_mbuf* long_chain = packet(64, 0);
    for (unsigned i = 0; i < e1000::tx_segments; ++i)
        ASSERT_EQ(rte_pktmbuf_chain(long_chain, packet(64, i)), 0);
    rte_mbuf* empty = rte_pktmbuf_alloc(pool);
    rte_mbuf* tiny = packet(16, 0);
    std::vector<rte_mbuf*> packets = {packet(64, 1), long_chain, empty, tiny, packet(64, 2)};
    EXPECT_EQ(send(packets), 5);
    const auto sent = nic->transmit();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[1].bytes, frame(64, 2));
    EXPECT_EQ(port->stats().oerrors, 3u);
    EXPECT_EQ(port->stats().opackets, 2u);
    EXPECT_EQ(xstat("tx_q0_errors"), 3u);
}

TEST_P(Transmit, gives_one_reference_back_of_a_shared_mbuf) {
    open();
    rte_mbuf* shared = packet(64, 1);
    rte_mbuf_refcnt_update(shared, 1);
    ASSERT_EQ(send({shared, packet(64, 2)}), 2);
    nic->transmit();
    EXPECT_EQ(port->tx(0).reclaim(), 2u);
    EXPECT_EQ(rte_mbuf_refcnt_read(shared), 1);
    rte_pktmbuf_free(shared);
}

TEST_P(Transmit, returns_clones_and_foreign_mbufs_to_their_own_pools) {
    open();
    rte_mempool* foreign = make_pool(255);
    rte_mbuf* original = packet(64, 1);
    rte_mbuf* clone = rte_pktmbuf_clone(original, foreign);
    ASSERT_NE(clone, nullptr);
    for (unsigned i = 0; i < 40; ++i) {
        ASSERT_EQ(send({packet(64, 3), packet(64, 4, foreign), packet(64, 5)}), 3);
        ASSERT_EQ(nic->transmit().size(), 3u);
    }
    ASSERT_EQ(send({clone}), 1);
    const auto sent = nic->transmit();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].fragments[0].at, rte_pktmbuf_mtod(original, std::byte*));
    port->tx(0).reclaim();
    EXPECT_EQ(rte_mempool_avail_count(foreign), 255u);
    EXPECT_EQ(rte_mbuf_refcnt_read(original), 1);
    rte_pktmbuf_free(original);
}

} // namespace
} // namespace e1000_test
