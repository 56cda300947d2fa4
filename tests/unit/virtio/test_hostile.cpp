// SPDX-License-Identifier: BSD-3-Clause
/// A device that lies: its queue breaks, nothing is lost, and a reset recovers.
#include <atomic>
#include <cstring>
#include <functional>
#include <random>

#include <sluice/base/log.hpp>

#include "fixture.hpp"

namespace virtio_test {
namespace {

std::atomic<unsigned> lines{0};

class Hostile : public PortTest, public testing::WithParamInterface<Format> {
  protected:
    void open(net::Config config = {}) { PortTest::open(GetParam().options(), std::move(config)); }
    /// A packed ring's ids have 16 bits.
    static bool possible(std::uint32_t id) { return !GetParam().packed || id <= 0xffff; }

    void SetUp() override {
        PortTest::SetUp();
        lines = 0;
        set_log_sink([](LogLevel level, std::string_view) { lines += level == LogLevel::error; });
    }
    void TearDown() override {
        set_log_sink(nullptr);
        PortTest::TearDown();
    }

    /// The lie was noticed, the queue does nothing more, the application is told, and a reset recovers.
    void expect_broken_receive(std::size_t frames_before = 0) {
        std::size_t frames = 0;
        for (unsigned i = 0; i < 3; ++i) {
            for (rte_mbuf* mbuf : receive(64)) {
                ++frames;
                rte_pktmbuf_free(mbuf);
            }
        }
        EXPECT_EQ(frames, frames_before);
        EXPECT_TRUE(port->rx(0).broken());
        EXPECT_EQ(port->rx(0).counters().broken.get(), 1U);
        EXPECT_EQ(lines.load(), 1U);
        EXPECT_TRUE(port->service().broken);
        EXPECT_FALSE(port->service().any());
        EXPECT_EQ(xstat("broken_queue_events"), 1U);
        recover();
    }

    void expect_broken_transmit() {
        // A burst looks at lumps of completions, reclaim at each of the others.
        rte_mbuf* const first = packet(64, 8);
        if (send({first}) == 0)
            rte_pktmbuf_free(first);
        port->tx(0).reclaim();
        rte_mbuf* const mbuf = packet(64, 9);
        EXPECT_EQ(send({mbuf}), 0);
        rte_pktmbuf_free(mbuf);
        EXPECT_TRUE(port->tx(0).broken());
        EXPECT_EQ(port->tx(0).counters().broken.get(), 1U);
        EXPECT_EQ(lines.load(), 1U);
        EXPECT_TRUE(port->service().broken);
        recover();
    }

    void recover() {
        const auto ok = port->reset();
        ASSERT_TRUE(ok) << ok.error().message();
        EXPECT_FALSE(port->rx(0).broken());
        EXPECT_FALSE(port->tx(0).broken());
        for (unsigned i = 0; i < 2 * ring; ++i)
            expect_through(64 + i, i);
        rte_mbuf* const mbuf = packet(64, 1);
        EXPECT_EQ(send({mbuf}), 1);
        EXPECT_EQ(nic->sent().size(), 1U);
    }

    void post(unsigned frames) {
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i < frames; ++i)
            packets.push_back(packet(64, i));
        ASSERT_EQ(send(packets), frames);
    }

    static net::Config scattered() { return {.mtu = 9000, .rx_offloads = {.scatter = true}}; }
    static constexpr std::uint32_t header = sizeof(virtio::NetHeader);
    static constexpr std::uint32_t posted = header + RTE_MBUF_DEFAULT_DATAROOM;

    /// Writes a header that claims `buffers` into the next buffer, and takes it.
    std::uint16_t claim(std::uint16_t buffers) {
        auto chain = nic->take(0);
        virtio::NetHeader claimed{};
        claimed.num_buffers = buffers;
        std::memcpy(chain->parts[0].memory.data(), &claimed, sizeof claimed);
        return chain->id;
    }
};

constexpr Format split{};
constexpr Format packed{.packed = true};
constexpr Format split_in_order{.in_order = true};
constexpr Format packed_in_order{.packed = true, .in_order = true};

INSTANTIATE_TEST_SUITE_P(, Hostile, testing::Values(split, packed, split_in_order, packed_in_order),
                         format_name);
using HostileAnyOrder = Hostile;
INSTANTIATE_TEST_SUITE_P(, HostileAnyOrder, testing::Values(split, packed), format_name);
using HostileInOrder = Hostile;
INSTANTIATE_TEST_SUITE_P(, HostileInOrder, testing::Values(split_in_order, packed_in_order), format_name);
using HostileSplit = Hostile;
INSTANTIATE_TEST_SUITE_P(, HostileSplit, testing::Values(split, split_in_order), format_name);
using HostileSplitAnyOrder = Hostile;
INSTANTIATE_TEST_SUITE_P(, HostileSplitAnyOrder, testing::Values(split), format_name);
using HostilePacked = Hostile;
INSTANTIATE_TEST_SUITE_P(, HostilePacked, testing::Values(packed, packed_in_order), format_name);
using HostilePackedAnyOrder = Hostile;
INSTANTIATE_TEST_SUITE_P(, HostilePackedAnyOrder, testing::Values(packed), format_name);

TEST_P(HostileInOrder, receive_keeps_no_order) {
    open();
    ASSERT_TRUE(nic->take(0));
    ASSERT_TRUE(nic->take(0));
    nic->use(0, 1, header + 64);
    expect_broken_receive();
}

TEST_P(HostileInOrder, transmit_goes_back) {
    open();
    post(10);
    nic->sent(0, false);
    nic->use_batch(1, 0, 5, 6);
    EXPECT_EQ(port->tx(0).reclaim(), 6U);
    nic->use(1, 3, 0);
    expect_broken_transmit();
}

TEST_P(HostilePacked, receive_flags_beyond_the_device_are_not_seen) {
    open();
    // A lap and a half: what lies behind the last used descriptor is of the lap before.
    for (unsigned i = 0; i < ring + ring / 2; ++i)
        expect_through(64, i);
    // Every descriptor says it is used with its own id and a length that nothing can have.
    for (unsigned i = 0; i < ring; ++i) {
        ASSERT_TRUE(nic->take(0));
        nic->use(0, (i + ring / 2) % ring, posted + 1);
    }
    expect_broken_receive();
}

TEST_P(HostilePackedAnyOrder, receive_used_where_nothing_is_posted) {
    open();
    // All but slot 0 come back, in an order that withholds them; then the device goes on as if it had them
    // all.
    for (unsigned i = 0; i < ring; ++i)
        ASSERT_TRUE(nic->take(0));
    for (std::uint16_t id = 1; id < ring; ++id)
        nic->use(0, id, header + 64);
    const auto packets = receive(ring);
    EXPECT_EQ(packets.size(), ring - 1U);
    for (rte_mbuf* mbuf : packets)
        rte_pktmbuf_free(mbuf);
    nic->add_to_used_index(0, 3);
    // One descriptor was the device's, with an id that is not.
    expect_broken_receive();
}

TEST_P(HostilePacked, transmit_used_where_nothing_is_posted) {
    open();
    nic->add_to_used_index(1, ring);
    EXPECT_EQ(port->tx(0).reclaim(), 0U);
    EXPECT_FALSE(port->tx(0).broken());
}

TEST_P(HostilePacked, transmit_span_stays_the_drivers) {
    open();
    // The device says that the first frame, a chain, is done, and overwrites all descriptors.
    ASSERT_EQ(send({chain({60, 60, 60}, 1), packet(64, 2)}), 2);
    nic->sent(0, false);
    nic->add_to_used_index(1, ring);
    EXPECT_EQ(port->tx(0).reclaim(), 4U);
    EXPECT_FALSE(port->tx(0).broken());
}

TEST_P(Hostile, receive_id_beyond_the_ring) {
    for (const std::uint32_t id : {std::uint32_t{ring}, 0xffffU, 0x10000U, 0x80000000U, 0xffffffffU}) {
        if (!possible(id))
            continue;
        lines = 0;
        open();
        ASSERT_TRUE(nic->take(0));
        nic->use(0, id, header + 64);
        expect_broken_receive();
    }
}

TEST_P(HostileAnyOrder, receive_id_twice) {
    open();
    ASSERT_TRUE(nic->take(0));
    ASSERT_TRUE(nic->take(0));
    nic->use(0, 1, header + 64);
    nic->use(0, 1, header + 64);
    expect_broken_receive(1);
}

TEST_P(HostileSplit, receive_used_index_jumps) {
    for (const std::uint16_t by : {std::uint16_t{ring + 1}, std::uint16_t{0x8000}, std::uint16_t{0xffff}}) {
        lines = 0;
        open();
        // A lap leaves elements behind that would pass for new ones.
        for (unsigned i = 0; i < ring; ++i)
            expect_through(64, i);
        nic->add_to_used_index(0, by);
        expect_broken_receive();
    }
}

TEST_P(HostileSplitAnyOrder, receive_used_index_passes_what_is_withheld) {
    open();
    // Slots 1 to 10 come back before slot 0, so that the device has eleven buffers less.
    for (unsigned i = 0; i < 11; ++i)
        ASSERT_TRUE(nic->take(0));
    for (std::uint16_t id = 1; id <= 10; ++id)
        nic->use(0, id, header + 64);
    const auto packets = receive();
    EXPECT_EQ(packets.size(), 10U);
    for (rte_mbuf* mbuf : packets)
        rte_pktmbuf_free(mbuf);
    nic->add_to_used_index(0, ring - 9);
    expect_broken_receive();
}

TEST_P(Hostile, receive_lengths) {
    for (const bool mergeable : {false, true}) {
        for (const std::uint32_t length :
             {0U, 1U, header - 1, posted + 1, 0xffffU, 0x10000U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
            lines = 0;
            PortTest::open(mergeable ? GetParam().options()
                                     : GetParam().options().without(Feature::mrg_rxbuf));
            ASSERT_TRUE(nic->deliver(frame(64, 1)));
            const std::uint16_t id = claim(1);
            nic->use(0, id, length);
            expect_broken_receive(1);
        }
    }
}

TEST_P(Hostile, receive_claims_of_buffers) {
    for (const unsigned buffers : {0U, 2U, 3U, unsigned{ring}, 0x7fffU, 0xffffU}) {
        lines = 0;
        open(scattered());
        nic->use(0, claim(static_cast<std::uint16_t>(buffers)), posted);
        expect_broken_receive();
    }
}

TEST_P(Hostile, receive_chain_longer_than_any_frame) {
    open(scattered());
    const std::uint16_t first = claim(40);
    nic->use(0, first, posted);
    for (unsigned i = 1; i < 40; ++i)
        nic->use(0, nic->take(0)->id, posted);
    expect_broken_receive();
}

TEST_P(Hostile, receive_chain_with_bad_parts) {
    struct Part {
        std::uint32_t second_length;
        std::uint32_t third_length;
        bool repeat;
    };
    for (const Part& part :
         {Part{posted - 1, 10, false}, Part{posted, 0, false}, Part{posted, posted + 1, false},
          Part{0, 10, false}, Part{0xffffffff, 10, false}, Part{posted, 10, true}}) {
        lines = 0;
        open(scattered());
        const std::uint16_t first = claim(3);
        const std::uint16_t second = nic->take(0)->id;
        const std::uint16_t third = nic->take(0)->id;
        nic->use(0, first, posted);
        nic->use(0, second, part.second_length);
        nic->use(0, part.repeat ? second : third, part.third_length);
        expect_broken_receive();
    }
}

TEST_P(Hostile, receive_frames_before_the_lie_are_handed_out) {
    open();
    for (unsigned i = 0; i < 5; ++i)
        ASSERT_TRUE(nic->deliver(frame(64, i)));
    nic->use(0, 0xbad, header + 64);
    expect_broken_receive(5);
}

TEST_P(Hostile, transmit_id_beyond_the_ring) {
    for (const std::uint32_t id : {std::uint32_t{ring}, 0xffffU, 0x10000U, 0xffffffffU}) {
        for (const unsigned frames : {1U, 32U}) {
            if (!possible(id))
                continue;
            lines = 0;
            open();
            post(frames);
            for (unsigned i = 0; i + 1 < frames; ++i)
                nic->use(1, i, 0);
            nic->use(1, id, 0);
            expect_broken_transmit();
        }
    }
}

TEST_P(Hostile, transmit_id_of_nothing) {
    open();
    post(3);
    nic->use(1, 50, 0);
    expect_broken_transmit();
}

TEST_P(Hostile, transmit_id_twice) {
    open();
    post(40);
    for (unsigned i = 0; i < 31; ++i)
        nic->use(1, i, 0);
    nic->use(1, 5, 0);
    expect_broken_transmit();
}

TEST_P(Hostile, transmit_id_inside_a_chain) {
    open();
    ASSERT_EQ(send({chain({60, 60, 60}, 1)}), 1);
    nic->use(1, 1, 0);
    expect_broken_transmit();
}

TEST_P(HostileSplit, transmit_used_index_jumps) {
    for (const std::uint16_t by :
         {std::uint16_t{11}, std::uint16_t{ring}, std::uint16_t{0x8000}, std::uint16_t{0xffff}}) {
        lines = 0;
        open();
        post(10);
        nic->add_to_used_index(1, by);
        expect_broken_transmit();
    }
}

TEST_P(HostileSplit, transmit_completes_more_frames_than_chains) {
    open();
    ASSERT_EQ(send({chain({60, 60, 60}, 1)}), 1);
    nic->use(1, 0, 0);
    nic->use(1, 1, 0);
    expect_broken_transmit();
}

TEST_P(HostileSplit, logs_once_a_second_however_often_it_breaks) {
    open();
    for (unsigned i = 0; i < 50; ++i) {
        nic->add_to_used_index(0, 0x8000);
        EXPECT_TRUE(receive().empty());
        ASSERT_TRUE(port->reset());
    }
    EXPECT_LE(lines.load(), 3U);
    EXPECT_GE(lines.load(), 1U);
    EXPECT_EQ(port->rx(0).counters().broken.get(), 50U);
}

/// Random completions, true and false ones: whatever happens, every mbuf is accounted for at the end.
TEST_P(Hostile, random_completions) {
    std::mt19937 engine(20240517);
    const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
    const auto odds = [&](unsigned of) { return random() % of == 0; };
    constexpr unsigned rounds = 20000;
    for (const bool mergeable : {false, true}) {
        PortTest::open(mergeable ? GetParam().options() : GetParam().options().without(Feature::mrg_rxbuf),
                       mergeable ? scattered() : net::Config{});
        unsigned breaks = 0;
        for (unsigned round = 0; round < rounds; ++round) {
            for (unsigned i = random() % 12; i != 0; --i) {
                if (odds(200)) {
                    const std::uint32_t ids[] = {random() % ring, random(), ring};
                    const std::uint32_t lengths[] = {0,          header,     posted,
                                                     posted + 1, 0xffffffff, random() % (posted + 20)};
                    const unsigned queue = random() % 2;
                    // A packed ring has room for an answer where a buffer was taken.
                    if (GetParam().packed && !nic->take(queue))
                        continue;
                    nic->use(queue, ids[random() % 3], lengths[random() % 6]);
                } else if (odds(1000) && !GetParam().packed) {
                    nic->add_to_used_index(random() % 2, static_cast<std::uint16_t>(random()));
                } else if (mergeable && odds(20)) {
                    nic->deliver(frame(random() % 9000, round));
                } else {
                    nic->deliver(frame(random() % 1600, round));
                }
            }
            for (rte_mbuf* mbuf : receive(1 + random() % 64))
                if (send({mbuf}) == 0)
                    rte_pktmbuf_free(mbuf);
            if (odds(3))
                nic->sent();
            if (port->rx(0).broken() || port->tx(0).broken() || odds(2000)) {
                ++breaks;
                ASSERT_TRUE(port->reset());
            }
        }
        // In order, many an id that is made up stands for a batch.
        EXPECT_GT(breaks, GetParam().in_order ? 50U : 100U);
        port.reset();
        EXPECT_TRUE(rte_mempool_full(pool));
    }
}

} // namespace
} // namespace virtio_test
