// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>

#include "fixture.hpp"

namespace virtio_test {
namespace {

class Transmit : public PortTest, public testing::WithParamInterface<Format> {
  protected:
    void open(net::Config config = {}) { PortTest::open(GetParam().options(), std::move(config)); }

    static bool zero(const virtio::NetHeader& header) {
        const virtio::NetHeader none{};
        return std::memcmp(&header, &none, sizeof none) == 0;
    }

    /// Sends frames of one mbuf, in bursts of `size`, and completes them at once.
    void pass(unsigned frames, unsigned size) {
        unsigned seed = 0;
        while (frames != 0) {
            const unsigned count = std::min(frames, size);
            std::vector<rte_mbuf*> packets;
            for (unsigned i = 0; i < count; ++i)
                packets.push_back(packet(60 + (seed + i) % 1000, seed + i));
            ASSERT_EQ(send(packets), count);
            const auto sent = nic->sent();
            ASSERT_EQ(sent.size(), count);
            for (unsigned i = 0; i < count; ++i) {
                EXPECT_EQ(sent[i].bytes, frame(60 + (seed + i) % 1000, seed + i));
                EXPECT_TRUE(zero(sent[i].header));
            }
            seed += count;
            frames -= count;
        }
    }

    /// Mbufs of the pool that are neither in it nor in a receive ring.
    unsigned held() const { return rte_mempool_in_use_count(pool) - ring; }
};

constexpr Format formats[] = {{}, {.packed = true}, {.in_order = true}, {.packed = true, .in_order = true}};
INSTANTIATE_TEST_SUITE_P(, Transmit, testing::ValuesIn(formats), format_name);

using TransmitAnyOrder = Transmit;
INSTANTIATE_TEST_SUITE_P(, TransmitAnyOrder, testing::Values(formats[0], formats[1]), format_name);

using TransmitInOrder = Transmit;
INSTANTIATE_TEST_SUITE_P(, TransmitInOrder, testing::Values(formats[2], formats[3]), format_name);

TEST_P(TransmitInOrder, takes_one_answer_for_a_batch) {
    open();
    // Batches of every size up to 40, with a chain in some, and answers for the last alone.
    for (unsigned round = 0; round < 300; ++round) {
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i <= round % 40; ++i)
            packets.push_back(i == 7 ? chain({60, 70}, i) : packet(64, i));
        ASSERT_EQ(send(packets), packets.size());
        const auto sent = nic->sent(0, false);
        ASSERT_EQ(sent.size(), packets.size());
        nic->use_batch(1, sent.front().id, sent.back().id, static_cast<std::uint16_t>(sent.size()));
        if (round % 5 == 0) {
            port->tx(0).reclaim();
            EXPECT_EQ(held(), 0U);
        }
    }
    EXPECT_FALSE(port->tx(0).broken());
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
}

TEST_P(Transmit, sends_from_the_callers_own_memory) {
    open();
    rte_mbuf* const mbuf = packet(64, 1);
    const auto* const data = rte_pktmbuf_mtod(mbuf, const std::byte*);
    ASSERT_EQ(send({mbuf}), 1);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].data, data);
    EXPECT_EQ(sent[0].bytes, frame(64, 1));
    EXPECT_EQ(sent[0].descriptors, 1U);
    EXPECT_TRUE(zero(sent[0].header));
}

TEST_P(Transmit, forwards_the_buffer_that_was_received) {
    open();
    const auto bytes = frame(200, 5);
    ASSERT_TRUE(nic->deliver(bytes));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    const auto* const data = rte_pktmbuf_mtod(packets[0], const std::byte*);
    ASSERT_EQ(send(packets), 1);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].data, data);
    EXPECT_EQ(sent[0].bytes, bytes);
    // The receive header that lay there is gone.
    EXPECT_TRUE(zero(sent[0].header));
}

TEST_P(Transmit, passes_any_number_of_frames_in_any_burst) {
    open();
    for (const unsigned size : {1U, 3U, 31U, 32U, 33U, 64U, unsigned{ring}})
        pass(1000, size);
    EXPECT_FALSE(port->tx(0).broken());
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
    EXPECT_EQ(port->stats().opackets, 7000U);
}

TEST_P(Transmit, rings_once_a_burst_and_only_when_wanted) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < 40; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), 40);
    EXPECT_EQ(nic->doorbells(1), 1U);
    nic->sent();
    nic->want_doorbells(1, false);
    ASSERT_EQ(send({packet(64, 1)}), 1);
    EXPECT_EQ(nic->doorbells(1), 1U);
    EXPECT_EQ(send({}), 0);
    EXPECT_EQ(nic->doorbells(1), 1U);
}

TEST_P(Transmit, takes_what_fits_and_leaves_the_rest) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < ring + 20U; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), ring);
    EXPECT_EQ(send({packets[ring]}), 0);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), ring);
    const std::vector<rte_mbuf*> rest(packets.begin() + ring, packets.end());
    EXPECT_EQ(send(rest), 20);
    const auto more = nic->sent();
    ASSERT_EQ(more.size(), 20U);
    EXPECT_EQ(more[0].bytes, frame(64, ring));
    pass(500, 32);
}

TEST_P(Transmit, goes_on_as_slots_come_back_one_by_one) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < ring; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), ring);
    auto waiting = nic->sent(0, false);
    ASSERT_EQ(waiting.size(), ring);
    for (unsigned i = 0; i < 5; ++i)
        nic->use(1, waiting[i].id, 0);
    packets.clear();
    for (unsigned i = 0; i < 8; ++i)
        packets.push_back(packet(64, i));
    EXPECT_EQ(send(packets), 5);
    for (unsigned i = 5; i < 8; ++i)
        rte_pktmbuf_free(packets[i]);
    for (unsigned i = 5; i < ring; ++i)
        nic->use(1, waiting[i].id, 0);
    EXPECT_EQ(nic->sent().size(), 5U);
    pass(1000, 32);
}

TEST_P(Transmit, reclaims_when_asked) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < 10; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), 10);
    EXPECT_EQ(port->tx(0).reclaim(), 0U);
    nic->sent();
    EXPECT_EQ(held(), 10U);
    EXPECT_EQ(port->tx(0).reclaim(), 10U);
    EXPECT_EQ(held(), 0U);
    pass(500, 32);
}

TEST_P(TransmitAnyOrder, takes_completions_out_of_order) {
    open();
    for (unsigned round = 0; round < 20; ++round) {
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i < 64; ++i)
            packets.push_back(packet(64, i));
        ASSERT_EQ(send(packets), 64);
        const auto waiting = nic->sent(0, false);
        ASSERT_EQ(waiting.size(), 64U);
        for (unsigned i = 0; i < 64; ++i)
            nic->use(1, waiting[(i * 13) % 64].id, 0);
    }
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
    EXPECT_FALSE(port->tx(0).broken());
    pass(500, 32);
}

TEST_P(Transmit, chains_the_segments_of_a_frame) {
    open();
    ASSERT_EQ(send({chain({100, 200, 300}, 1), packet(64, 2), chain({14, 1}, 3)}), 3);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[0].descriptors, 3U);
    EXPECT_EQ(sent[0].bytes, frame(600, 1));
    EXPECT_EQ(sent[1].bytes, frame(64, 2));
    EXPECT_EQ(sent[2].bytes, frame(15, 3));
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
    pass(500, 32);
}

TEST_P(Transmit, mixes_chains_and_single_mbufs_through_many_laps) {
    open();
    for (unsigned round = 0; round < 500; ++round) {
        std::vector<rte_mbuf*> packets;
        std::vector<Bytes> expected;
        for (unsigned i = 0; i < 7; ++i) {
            const unsigned seed = round * 7 + i;
            if (seed % 3 == 0) {
                packets.push_back(chain({60, 1 + seed % 50, 300}, seed));
                expected.push_back(frame(361 + seed % 50, seed));
            } else {
                packets.push_back(packet(60 + seed % 500, seed));
                expected.push_back(frame(60 + seed % 500, seed));
            }
        }
        ASSERT_EQ(send(packets), packets.size());
        const auto sent = nic->sent();
        ASSERT_EQ(sent.size(), expected.size());
        for (std::size_t i = 0; i < sent.size(); ++i) {
            EXPECT_EQ(sent[i].bytes, expected[i]);
            EXPECT_TRUE(zero(sent[i].header));
        }
    }
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
}

TEST_P(TransmitAnyOrder, completes_chains_out_of_order) {
    open();
    ASSERT_EQ(send({packet(64, 0), chain({60, 60}, 1), packet(64, 2), chain({60, 60, 60}, 3)}), 4);
    const auto waiting = nic->sent(0, false);
    for (const unsigned i : {3U, 1U, 2U, 0U})
        nic->use(1, waiting[i].id, 0);
    EXPECT_EQ(port->tx(0).reclaim(), 7U);
    EXPECT_EQ(held(), 0U);
    pass(500, 32);
}

TEST_P(Transmit, keeps_its_hands_off_a_shared_mbufs_headroom) {
    open();
    rte_mbuf* const mbuf = packet(64, 1);
    rte_mbuf_refcnt_set(mbuf, 2);
    auto* const before = rte_pktmbuf_mtod_offset(mbuf, std::byte*, -12);
    std::memset(before, 0x77, 12);
    ASSERT_EQ(send({mbuf}), 1);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].descriptors, 2U);
    EXPECT_EQ(sent[0].bytes, frame(64, 1));
    EXPECT_TRUE(zero(sent[0].header));
    EXPECT_EQ(before[0], std::byte{0x77});
    EXPECT_EQ(before[11], std::byte{0x77});
    port->tx(0).reclaim();
    // One owner less, and still the caller's.
    EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 1);
    rte_pktmbuf_free(mbuf);
    pass(100, 32);
}

TEST_P(Transmit, sends_clones_and_frames_without_headroom) {
    open();
    rte_mbuf* const mbuf = packet(100, 1);
    rte_mbuf* const clone = rte_pktmbuf_clone(mbuf, pool);
    rte_mbuf* const flush = packet(64, 2);
    ASSERT_NE(rte_pktmbuf_prepend(flush, RTE_PKTMBUF_HEADROOM), nullptr);
    std::memcpy(rte_pktmbuf_mtod(flush, void*), frame(192, 2).data(), 192);
    ASSERT_EQ(send({clone, flush, mbuf}), 3);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[0].bytes, frame(100, 1));
    EXPECT_EQ(sent[1].bytes, frame(192, 2));
    EXPECT_EQ(sent[2].bytes, frame(100, 1));
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
    pass(300, 32);
}

TEST_P(Transmit, returns_each_mbuf_to_its_own_pool) {
    rte_mempool* const other = make_pool(511);
    open();
    for (unsigned round = 0; round < 200; ++round) {
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i < 20; ++i)
            packets.push_back(packet(64, i, (round / 5 + i / 7) % 2 != 0 ? other : pool));
        ASSERT_EQ(send(packets), 20);
        ASSERT_EQ(nic->sent().size(), 20U);
    }
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
    EXPECT_EQ(rte_mempool_in_use_count(other), 0U);
}

TEST_P(Transmit, skips_empty_segments) {
    open();
    ASSERT_EQ(send({chain({0, 60, 0, 40}, 1), chain({64, 0}, 2)}), 2);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].bytes, frame(100, 1));
    EXPECT_EQ(sent[1].bytes, frame(64, 2));
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
}

TEST_P(Transmit, drops_and_counts_what_can_never_be_sent) {
    open();
    const std::vector<std::size_t> many(virtio::TxQueue::max_segments + 1, 20);
    ASSERT_EQ(send({packet(64, 1), packet(0, 0), packet(13, 0), chain(many, 0), packet(64, 2)}), 5);
    const auto sent = nic->sent();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[1].bytes, frame(64, 2));
    EXPECT_EQ(port->stats().oerrors, 3U);
    EXPECT_EQ(port->stats().opackets, 2U);
    port->tx(0).reclaim();
    EXPECT_EQ(held(), 0U);
}

TEST_P(Transmit, sends_the_longest_chain_through_the_smallest_ring) {
    open({.tx_descriptors = 64});
    const std::vector<std::size_t> many(virtio::TxQueue::max_segments, 20);
    for (unsigned i = 0; i < 50; ++i) {
        rte_mbuf* const mbuf = chain(many, i);
        rte_pktmbuf_refcnt_update(mbuf, 1);
        ASSERT_EQ(send({mbuf}), 1);
        const auto sent = nic->sent();
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].descriptors, many.size() + 1);
        EXPECT_EQ(sent[0].bytes, frame(640, i));
        port->tx(0).reclaim();
        rte_pktmbuf_free(mbuf);
    }
}

TEST_P(Transmit, counts_frames_and_bytes) {
    open();
    ASSERT_EQ(send({packet(64, 1), chain({60, 40}, 2), packet(1514, 3)}), 3);
    const net::Stats stats = port->stats();
    EXPECT_EQ(stats.opackets, 3U);
    EXPECT_EQ(stats.obytes, 64U + 100U + 1514U);
    EXPECT_EQ(xstat("tx_q0_packets"), 3U);
}

} // namespace
} // namespace virtio_test
