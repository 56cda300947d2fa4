// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <unordered_set>

#include <poll.h>

#include <sluice/base/log.hpp>

#include "fixture.hpp"

namespace e1000_test {
namespace {

constexpr std::uint64_t dd = std::uint64_t{1} << 32;
constexpr std::uint64_t eop = std::uint64_t{1} << 33;

std::vector<std::string> lines;

class Hostile : public PortTest {
  protected:
    void SetUp() override {
        PortTest::SetUp();
        lines.clear();
        set_log_sink([](LogLevel level, std::string_view line) {
            if (level == LogLevel::error)
                lines.emplace_back(line);
        });
    }
    void TearDown() override {
        set_log_sink(nullptr);
        PortTest::TearDown();
    }

    /// The device has been caught: one counter, one line, an event; and a reset recovers.
    void expect_broken_then_recovers(const char* counter) {
        EXPECT_EQ(xstat(counter), 1u);
        ASSERT_EQ(lines.size(), 1u);
        EXPECT_NE(lines[0].find(port->info().name), std::string::npos);
        EXPECT_TRUE(receive().empty() || !port->rx(0).broken());
        EXPECT_TRUE(port->service().broken);
        EXPECT_FALSE(port->service().any());

        nic->tamper = nullptr;
        ASSERT_TRUE(port->reset());
        EXPECT_FALSE(port->rx(0).broken());
        EXPECT_FALSE(port->tx(0).broken());
        for (unsigned i = 0; i < 3u * ring; ++i) {
            ASSERT_NE(nic->receive(frame(64, i)), nullptr);
            const auto packets = receive();
            ASSERT_EQ(packets.size(), 1u);
            ASSERT_TRUE(holds(packets[0], frame(64, i)));
            ASSERT_EQ(send(packets), 1);
            ASSERT_EQ(nic->transmit().size(), 1u);
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Chips, Hostile, testing::Values(id_82574, id_82540, id_82574 | scalar));

struct Lie {
    const char* what;
    std::uint64_t word;
};

TEST_P(Hostile, receive_breaks_on_each_word_that_cannot_be) {
    static constexpr Lie lies[] = {
        {"length 0", dd | eop},
        {"length 0 with a checksum behind it", dd | eop | 0xabcd'0000},
        {"one byte more than was posted", dd | eop | 2049},
        {"length 4096", dd | eop | 4096},
        {"the longest length", dd | eop | 0xffff},
        {"all ones", ~std::uint64_t{0}},
        {"a first part longer than its buffer", dd | 2049},
        {"a first part of nothing", dd},
    };
    for (const Lie& lie : lies)
        for (unsigned before : {0u, 1u, 3u, 4u, 5u}) {
            SCOPED_TRACE(std::string(lie.what) + " after " + std::to_string(before));
            lines.clear();
            open();
            for (unsigned i = 0; i < before; ++i)
                ASSERT_NE(nic->receive(frame(64, i)), nullptr);
            nic->write_rx_word(lie.word);
            for (unsigned i = 0; i < 6; ++i)
                ASSERT_NE(nic->receive(frame(64, i)), nullptr);
            const auto packets = receive();
            EXPECT_EQ(packets.size(), before); // what came before the lie is good
            for (rte_mbuf* each : packets)
                rte_pktmbuf_free(each);
            EXPECT_TRUE(port->rx(0).broken());
            expect_broken_then_recovers("rx_q0_broken");
            port.reset();
        }
}

TEST_P(Hostile, receive_ignores_a_slot_that_is_done_before_its_turn) {
    open();
    nic->write_rx_word(dd | eop | 64, 5, false);
    EXPECT_TRUE(receive().empty());
    EXPECT_FALSE(port->rx(0).broken());
}

TEST_P(Hostile, receive_ends_a_frame_that_has_no_end) {
    for (const bool scatter : {false, true}) {
        lines.clear();
        open({.rx_offloads = {.scatter = scatter}});
        for (unsigned i = 0; i < 40; ++i)
            nic->write_rx_word(dd | 2048);
        EXPECT_TRUE(receive(256).empty());
        EXPECT_TRUE(port->rx(0).broken());
        expect_broken_then_recovers("rx_q0_broken");
        port.reset();
    }
}

TEST_P(Hostile, receive_never_gives_one_buffer_twice) {
    open();
    // The ring is claimed done over and over, with nothing behind it.
    std::unordered_set<rte_mbuf*> out;
    for (unsigned turn = 0; turn < 6; ++turn) {
        for (unsigned i = 0; i < ring; ++i)
            nic->write_rx_word(dd | eop | 64);
        for (rte_mbuf* each : receive(256)) {
            EXPECT_TRUE(out.insert(each).second);
            EXPECT_EQ(each->data_len, 64);
        }
    }
    for (rte_mbuf* each : out)
        rte_pktmbuf_free(each);
}

TEST_P(Hostile, receive_reads_a_word_that_changes_under_it_once) {
    open({.rx_offloads = {.scatter = true}});
    // Whatever it saw, lengths agree with one another and stay inside the buffer.
    std::mt19937_64 random(7);
    for (unsigned i = 0; i < 2000; ++i) {
        nic->write_rx_word(dd | (random() & 1 ? eop : 0) | (1 + random() % 2048));
        for (rte_mbuf* each : receive()) {
            std::uint32_t sum = 0;
            for (const rte_mbuf* part = each; part != nullptr; part = part->next) {
                ASSERT_LE(part->data_off + part->data_len, part->buf_len);
                sum += part->data_len;
            }
            ASSERT_EQ(sum, each->pkt_len);
            rte_pktmbuf_free(each);
        }
        if (port->rx(0).broken()) {
            ASSERT_TRUE(port->reset());
        }
    }
}

TEST_P(Hostile, transmit_breaks_on_a_status_that_does_not_exist) {
    for (const std::uint64_t bits :
         {std::uint64_t{0xff} << 32, std::uint64_t{0x11} << 32, std::uint64_t{0x81} << 32}) {
        lines.clear();
        open();
        std::vector<rte_mbuf*> packets;
        for (unsigned i = 0; i < 32; ++i)
            packets.push_back(packet(64, i));
        ASSERT_EQ(send(packets), 32);
        nic->write_tx_word(bits, 31);
        rte_mbuf* another = packet(64, 0);
        if (send({another}) == 0)
            rte_pktmbuf_free(another);
        EXPECT_TRUE(port->tx(0).broken());
        EXPECT_EQ(port->tx(0).reclaim(), 0u);
        rte_mbuf* refused = packet(64, 1);
        EXPECT_EQ(send({refused}), 0);
        rte_pktmbuf_free(refused);
        expect_broken_then_recovers("tx_q0_broken");
        port.reset();
    }
}

TEST_P(Hostile, transmit_frees_nothing_early_for_slots_without_a_report) {
    open();
    std::vector<rte_mbuf*> packets;
    for (unsigned i = 0; i < 40; ++i)
        packets.push_back(packet(64, i));
    ASSERT_EQ(send(packets), 40);
    for (std::uint32_t slot = 0; slot < 31; ++slot)
        nic->write_tx_word(dd, slot);
    EXPECT_EQ(port->tx(0).reclaim(), 0u);
}

TEST_P(Hostile, every_buffer_is_accounted_for_after_random_completions) {
    open({.rx_offloads = {.checksum = true, .vlan_strip = true, .scatter = true}});
    const unsigned in_use = rte_mempool_in_use_count(pool);
    std::mt19937_64 random(42);
    std::uint64_t broken = 0, got = 0;
    for (unsigned i = 0; i < 50'000; ++i) {
        std::uint64_t word = random();
        switch (random() % 8) {
        case 0:
            break; // anything
        case 1:
            word = ~std::uint64_t{0};
            break;
        default: // plausible but for one thing
            word = dd | (random() % 4 != 0 ? eop : 0) | (random() % 2050) |
                   (random() % 16 == 0 ? random() << 34 : 0);
        }
        nic->write_rx_word(word, static_cast<std::uint32_t>(random() % 16 == 0 ? random() % ring : 0),
                           random() % 8 != 0);
        if (random() % 4 == 0)
            nic->write_tx_word(random(), static_cast<std::uint32_t>(random() % ring));
        auto packets = receive(1 + random() % 40);
        got += packets.size();
        for (const rte_mbuf* each : packets)
            for (const rte_mbuf* part = each; part != nullptr; part = part->next)
                ASSERT_LE(part->data_off + part->data_len, part->buf_len);
        const std::uint16_t sent = port->tx(0).burst(packets);
        for (std::size_t left = sent; left < packets.size(); ++left)
            rte_pktmbuf_free(packets[left]);
        if (random() % 16 == 0)
            nic->transmit(random() % 40);
        if (port->rx(0).broken() || port->tx(0).broken()) {
            ++broken;
            ASSERT_TRUE(port->reset());
            ASSERT_EQ(rte_mempool_in_use_count(pool), in_use);
        }
    }
    EXPECT_GT(broken, 500u);
    EXPECT_GT(got, 1000u);
    EXPECT_LT(lines.size(), 600u) << "a line is logged at most once a second";
    port->stop();
    EXPECT_EQ(rte_mempool_in_use_count(pool), 0u);
}

TEST_P(Hostile, all_ones_from_each_register_in_turn_ends_in_a_second) {
    static constexpr std::uint32_t registers[] = {0x0000, 0x0008, 0x0014, 0x0018, 0x0020, 0x00c0,
                                                  0x00e4, 0x0100, 0x0400, 0x4010, 0x5400, 0x5404};
    for (const std::uint32_t offset : registers) {
        SCOPED_TRACE(offset);
        std::unique_ptr<device::Device> device;
        nic = &NicModel::create(chip(), device);
        nic->stick = {offset, 0xffffffff};
        const auto begin = std::chrono::steady_clock::now();
        auto driver = e1000::description.open(std::move(device));
        if (driver) {
            auto made = net::Port::create(std::move(*driver), "test:", {.rx_descriptors = 64, .pool = pool});
            if (made) {
                (void)made->link();
                (void)made->stats();
                (void)made->reset();
            }
        }
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
    }
}

} // namespace
} // namespace e1000_test
