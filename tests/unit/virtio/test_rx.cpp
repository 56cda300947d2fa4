// SPDX-License-Identifier: BSD-3-Clause
#include <set>

#include "fixture.hpp"

namespace virtio_test {
namespace {

/// Every format of ring and of receive buffers.
class Receive : public PortTest, public testing::WithParamInterface<Format> {
  protected:
    ModelOptions options() const { return GetParam().options(); }
};

INSTANTIATE_TEST_SUITE_P(, Receive, testing::ValuesIn(all_formats()), format_name);

/// Those whose device may give buffers back in any order.
using ReceiveAnyOrder = Receive;
INSTANTIATE_TEST_SUITE_P(, ReceiveAnyOrder, testing::ValuesIn(all_formats(false)), format_name);

/// Those whose device may answer for several buffers at once.
using ReceiveInOrder = Receive;
INSTANTIATE_TEST_SUITE_P(, ReceiveInOrder,
                         testing::Values(Format{.in_order = true},
                                         Format{.in_order = true, .mergeable = false},
                                         Format{.packed = true, .in_order = true},
                                         Format{.packed = true, .in_order = true, .mergeable = false}),
                         format_name);

TEST_P(ReceiveInOrder, takes_one_answer_for_a_batch) {
    open(options());
    constexpr std::uint32_t header = sizeof(virtio::NetHeader);
    for (unsigned round = 0; round < 300; ++round) {
        // All but the last are full, as such an answer says.
        const unsigned count = 1 + round % 40;
        std::vector<Bytes> frames;
        std::vector<std::uint16_t> ids;
        for (unsigned i = 0; i < count; ++i) {
            auto chain = nic->take(0);
            ASSERT_TRUE(chain);
            const auto memory = chain->parts[0].memory;
            const std::size_t size = i + 1 < count ? memory.size() - header : 60 + round;
            virtio::NetHeader claims{};
            claims.num_buffers = 1;
            std::memcpy(memory.data(), &claims, header);
            frames.push_back(frame(size, round + i));
            std::memcpy(memory.data() + header, frames.back().data(), size);
            ids.push_back(chain->id);
        }
        nic->use_batch(0, ids.front(), ids.back(), static_cast<std::uint16_t>(count), header + 60 + round);
        unsigned seen = 0;
        for (unsigned turn = 0; seen < count && turn < 40; ++turn)
            for (rte_mbuf* mbuf : receive(1 + round % 7)) {
                ASSERT_LT(seen, count);
                EXPECT_TRUE(holds(mbuf, frames[seen++])) << round;
                rte_pktmbuf_free(mbuf);
            }
        ASSERT_EQ(seen, count) << round;
        EXPECT_TRUE(receive().empty());
        // Between two batches, as any other device.
        expect_through(64 + round, round);
    }
    EXPECT_FALSE(port->rx(0).broken());
    EXPECT_EQ(nic->available(0), ring);
}

TEST_P(Receive, hands_out_the_buffer_that_the_device_wrote) {
    open(options());
    const auto bytes = frame(64, 1);
    ASSERT_TRUE(nic->deliver(bytes));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    const auto* data = rte_pktmbuf_mtod(packets[0], const std::byte*);
    const auto iova = nic->space()->iova_of(data);
    ASSERT_TRUE(iova);
    EXPECT_NE(iova->value, reinterpret_cast<std::uintptr_t>(data));
    EXPECT_EQ(packets[0]->data_off, RTE_PKTMBUF_HEADROOM);
    EXPECT_TRUE(holds(packets[0], bytes));
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Receive, writes_into_the_very_memory_that_is_read) {
    open(options());
    auto chain = nic->take(0);
    ASSERT_TRUE(chain);
    std::byte* const buffer = chain->parts[0].memory.data();
    std::memset(buffer, 0, sizeof(virtio::NetHeader));
    std::memset(buffer + sizeof(virtio::NetHeader), 0x5a, 64);
    nic->use(0, chain->id, sizeof(virtio::NetHeader) + 64);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_EQ(rte_pktmbuf_mtod(packets[0], std::byte*), buffer + sizeof(virtio::NetHeader));
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Receive, fills_in_what_callers_read) {
    open(options(), {.port_id = 7});
    ASSERT_TRUE(nic->deliver(frame(100, 1)));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    const rte_mbuf& mbuf = *packets[0];
    EXPECT_EQ(mbuf.port, 7);
    EXPECT_EQ(mbuf.nb_segs, 1);
    EXPECT_EQ(mbuf.next, nullptr);
    EXPECT_EQ(mbuf.ol_flags, 0U);
    EXPECT_EQ(mbuf.packet_type, 0U);
    EXPECT_EQ(mbuf.vlan_tci, 0);
    EXPECT_EQ(mbuf.pkt_len, 100U);
    EXPECT_EQ(mbuf.data_len, 100);
    EXPECT_EQ(rte_mbuf_refcnt_read(&mbuf), 1);
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Receive, takes_every_size_that_fits_a_buffer) {
    open(options());
    for (const unsigned size : {14U, 60U, 64U, 128U, 512U, 1500U, 1514U, 2047U, 2048U})
        expect_through(size, size);
    EXPECT_FALSE(port->rx(0).broken());
    EXPECT_EQ(port->stats().ierrors, 0U);
}

TEST_P(Receive, keeps_order_through_many_laps_of_the_ring) {
    open(options());
    unsigned sent = 0;
    unsigned seen = 0;
    // Bursts that are no divisor of the ring.
    for (unsigned round = 0; round < 400; ++round) {
        for (unsigned i = 0; i < round % 37; ++i, ++sent)
            ASSERT_TRUE(nic->deliver(frame(60 + sent % 900, sent)));
        while (seen != sent) {
            for (rte_mbuf* mbuf : receive(1 + round % 40)) {
                EXPECT_TRUE(holds(mbuf, frame(60 + seen % 900, seen)));
                rte_pktmbuf_free(mbuf);
                ++seen;
            }
        }
    }
    EXPECT_EQ(seen, sent);
    EXPECT_EQ(port->stats().ipackets, sent);
    EXPECT_EQ(nic->available(0), ring);
}

TEST_P(Receive, gives_no_more_than_asked) {
    open(options());
    for (unsigned i = 0; i < 10; ++i)
        ASSERT_TRUE(nic->deliver(frame(64, i)));
    for (unsigned i = 0; i < 10; ++i) {
        const auto packets = receive(1);
        ASSERT_EQ(packets.size(), 1U);
        EXPECT_TRUE(holds(packets[0], frame(64, i)));
        rte_pktmbuf_free(packets[0]);
    }
    EXPECT_TRUE(receive().empty());
}

TEST_P(Receive, fills_a_whole_ring_in_one_burst) {
    open(options());
    for (unsigned i = 0; i < ring; ++i)
        ASSERT_TRUE(nic->deliver(frame(64, i)));
    EXPECT_FALSE(nic->deliver(frame(64, 0)));
    const auto packets = receive(ring + 50);
    EXPECT_EQ(packets.size(), ring);
    EXPECT_EQ(std::set(packets.begin(), packets.end()).size(), ring);
    for (rte_mbuf* mbuf : packets)
        rte_pktmbuf_free(mbuf);
}

TEST_P(ReceiveAnyOrder, takes_completions_out_of_order) {
    open(options());
    std::vector<Chain> chains;
    for (unsigned i = 0; i < 40; ++i)
        chains.push_back(*nic->take(0));
    // 3, 2, 1, 0, 7, 6, 5, 4 …
    for (unsigned i = 0; i < 40; ++i) {
        const Chain& chain = chains[(i & ~3U) + 3 - (i & 3U)];
        const auto bytes = frame(64, i);
        std::memset(chain.parts[0].memory.data(), 0, sizeof(virtio::NetHeader));
        std::memcpy(chain.parts[0].memory.data() + sizeof(virtio::NetHeader), bytes.data(), bytes.size());
        nic->use(0, chain.id, sizeof(virtio::NetHeader) + 64);
    }
    const auto packets = receive(64);
    ASSERT_EQ(packets.size(), 40U);
    for (unsigned i = 0; i < 40; ++i) {
        EXPECT_TRUE(holds(packets[i], frame(64, i)));
        rte_pktmbuf_free(packets[i]);
    }
    EXPECT_EQ(nic->available(0), ring);
    for (unsigned i = 0; i < 3 * ring; ++i)
        expect_through(64, i);
}

TEST_P(ReceiveAnyOrder, withholds_later_slots_until_older_ones_are_back) {
    open(options());
    const auto first = nic->take(0);
    for (unsigned i = 1; i < ring; ++i)
        ASSERT_TRUE(nic->deliver(frame(64, i)));
    auto packets = receive(ring);
    EXPECT_EQ(packets.size(), ring - 1U);
    EXPECT_EQ(nic->available(0), 0U);
    std::memset(first->parts[0].memory.data(), 0, sizeof(virtio::NetHeader));
    nic->use(0, first->id, sizeof(virtio::NetHeader) + 64);
    const auto last = receive(ring);
    ASSERT_EQ(last.size(), 1U);
    packets.push_back(last[0]);
    EXPECT_EQ(nic->available(0), ring);
    for (rte_mbuf* mbuf : packets)
        rte_pktmbuf_free(mbuf);
    expect_through(64, 1);
}

TEST_P(Receive, leaves_frames_in_the_ring_while_the_pool_is_empty) {
    rte_mempool* small = make_pool(ring + 8);
    open(options(), {.pool = small});
    for (unsigned i = 0; i < 20; ++i)
        ASSERT_TRUE(nic->deliver(frame(64, i)));
    auto packets = receive();
    EXPECT_EQ(packets.size(), 8U);
    EXPECT_EQ(port->stats().rx_nombuf, 1U);
    EXPECT_TRUE(receive().empty());
    unsigned seen = 0;
    while (!packets.empty()) {
        for (rte_mbuf* mbuf : packets) {
            EXPECT_TRUE(holds(mbuf, frame(64, seen++)));
            rte_pktmbuf_free(mbuf);
        }
        packets = receive();
    }
    EXPECT_EQ(seen, 20U);
}

TEST_P(Receive, discards_what_is_shorter_than_an_ethernet_header) {
    open(options());
    ASSERT_TRUE(nic->deliver(frame(0, 0)));
    ASSERT_TRUE(nic->deliver(frame(13, 0)));
    ASSERT_TRUE(nic->deliver(frame(64, 2)));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_TRUE(holds(packets[0], frame(64, 2)));
    rte_pktmbuf_free(packets[0]);
    EXPECT_EQ(port->stats().ierrors, 2U);
    EXPECT_EQ(nic->available(0), ring);
    EXPECT_FALSE(port->rx(0).broken());
}

TEST_P(Receive, rings_only_when_the_device_wants_it) {
    open(options());
    EXPECT_EQ(nic->doorbells(0), 1U);
    expect_through(64, 1);
    EXPECT_EQ(nic->doorbells(0), 2U);
    nic->want_doorbells(0, false);
    expect_through(64, 2);
    EXPECT_TRUE(receive().empty());
    EXPECT_EQ(nic->doorbells(0), 2U);
}

using Mergeable = Receive;
INSTANTIATE_TEST_SUITE_P(, Mergeable,
                         testing::Values(Format{}, Format{.packed = true}, Format{.in_order = true}),
                         format_name);
using MergeableInOrder = Receive;
INSTANTIATE_TEST_SUITE_P(, MergeableInOrder,
                         testing::Values(Format{.in_order = true}, Format{.packed = true, .in_order = true}),
                         format_name);

TEST_P(Mergeable, chains_the_buffers_of_a_long_frame) {
    open(options(), {.mtu = 9000, .rx_offloads = {.scatter = true}});
    for (const unsigned size : {2047U, 2048U, 2049U, 2048U + 2060U, 2048U + 2061U, 9014U})
        expect_through(size, size);
    EXPECT_EQ(nic->available(0), ring);
    EXPECT_FALSE(port->rx(0).broken());
}

TEST_P(MergeableInOrder, takes_one_answer_for_a_long_frame) {
    open(options(), {.mtu = 9000, .rx_offloads = {.scatter = true}});
    constexpr std::uint32_t header = sizeof(virtio::NetHeader);
    for (unsigned round = 0; round < 3 * ring; ++round) {
        const unsigned count = 1 + round % 4;
        const std::uint32_t rest = 100 + round;
        std::vector<std::uint16_t> ids;
        Bytes bytes;
        for (unsigned i = 0; i < count; ++i) {
            auto chain = nic->take(0);
            ASSERT_TRUE(chain);
            const auto memory = chain->parts[0].memory;
            const std::size_t room = i + 1 < count ? memory.size() : header + rest;
            std::memset(memory.data(), static_cast<int>(round + i), room);
            std::size_t skipped = 0;
            if (i == 0) {
                virtio::NetHeader claims{};
                claims.num_buffers = static_cast<std::uint16_t>(count);
                std::memcpy(memory.data(), &claims, header);
                skipped = header;
            }
            bytes.insert(bytes.end(), memory.begin() + static_cast<std::ptrdiff_t>(skipped),
                         memory.begin() + static_cast<std::ptrdiff_t>(room));
            ids.push_back(chain->id);
        }
        nic->use_batch(0, ids.front(), ids.back(), static_cast<std::uint16_t>(count), header + rest);
        const auto packets = receive();
        ASSERT_EQ(packets.size(), 1U);
        EXPECT_EQ(packets[0]->nb_segs, count);
        EXPECT_TRUE(holds(packets[0], bytes)) << round;
        rte_pktmbuf_free(packets[0]);
    }
    EXPECT_FALSE(port->rx(0).broken());
}

TEST_P(Mergeable, mixes_long_and_short_frames_across_the_ring_end) {
    open(options(), {.mtu = 9000, .rx_offloads = {.scatter = true}});
    for (unsigned i = 0; i < 300; ++i) {
        const std::size_t sizes[] = {60, 9000, 61, 3000};
        for (const std::size_t size : sizes)
            ASSERT_TRUE(nic->deliver(frame(size, i)));
        unsigned seen = 0;
        while (seen < 4) {
            for (rte_mbuf* mbuf : receive(3)) {
                EXPECT_TRUE(holds(mbuf, frame(sizes[seen++], i)));
                rte_pktmbuf_free(mbuf);
            }
        }
    }
}

TEST_P(Mergeable, discards_long_frames_when_chains_are_not_wanted) {
    open(options());
    ASSERT_TRUE(nic->deliver(frame(5000, 1)));
    ASSERT_TRUE(nic->deliver(frame(64, 2)));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_TRUE(holds(packets[0], frame(64, 2)));
    rte_pktmbuf_free(packets[0]);
    EXPECT_EQ(port->stats().ierrors, 1U);
    EXPECT_EQ(nic->available(0), ring);
}

TEST_P(Mergeable, keeps_a_long_frame_until_the_pool_has_enough) {
    rte_mempool* small = make_pool(ring + 3);
    open(options(), {.mtu = 9000, .pool = small, .rx_offloads = {.scatter = true}});
    ASSERT_TRUE(nic->deliver(frame(64, 1)));
    ASSERT_TRUE(nic->deliver(frame(6000, 2)));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_TRUE(receive().empty());
    rte_pktmbuf_free(packets[0]);
    const auto more = receive();
    ASSERT_EQ(more.size(), 1U);
    EXPECT_EQ(more[0]->nb_segs, 3);
    EXPECT_TRUE(holds(more[0], frame(6000, 2)));
    rte_pktmbuf_free(more[0]);
}

} // namespace
} // namespace virtio_test
