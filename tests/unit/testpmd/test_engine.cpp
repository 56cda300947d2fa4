// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "engine.hpp"
#include "ports.hpp"

namespace sluice::testpmd {
namespace {

/// Two ports that make and swallow frames by themselves, or two that keep what is sent to them.
class EngineTest : public testing::Test {
  protected:
    void open(std::vector<std::string> uris) {
        auto pool = Pool::create(settings_, uris.size(), rte_lcore_count());
        ASSERT_TRUE(pool) << pool.error().message();
        pool_ = std::make_unique<Pool>(std::move(*pool));
        auto ports = open_ports(uris, settings_, pool_->get());
        ASSERT_TRUE(ports) << ports.error().message();
        ports_ = std::move(*ports);
        for (net::Port& port : ports_)
            ASSERT_TRUE(port.start());
        engine_ = std::make_unique<Engine>(ports_, settings_, pool_->get());
    }

    void TearDown() override {
        engine_.reset();
        ports_.clear();
        EXPECT_EQ(pool_ ? pool_->missing() : 0U, 0U) << "mbufs were lost";
    }

    void forward_until(std::uint64_t frames) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (total().rx_packets + total().tx_packets < frames && std::chrono::steady_clock::now() < limit)
            std::this_thread::yield();
    }

    ForwardCounters total() const {
        ForwardCounters sum;
        for (std::uint16_t port = 0; port < ports_.size(); ++port)
            sum += engine_->counters(port);
        return sum;
    }

    Settings settings_ = {.total_num_mbufs = 8191};
    std::unique_ptr<Pool> pool_;
    std::vector<net::Port> ports_;
    std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, counts_what_the_ports_count) {
    settings_.rxq = settings_.txq = 2;
    settings_.nb_cores = 2;
    open({"ethdev:net_null0", "ethdev:net_null1"});
    ASSERT_TRUE(engine_->start(false));
    EXPECT_TRUE(engine_->running());
    forward_until(20000);
    engine_->stop();
    for (std::uint16_t port = 0; port < 2; ++port) {
        const ForwardCounters counters = engine_->counters(port);
        EXPECT_GT(counters.rx_packets, 0U);
        EXPECT_EQ(counters.rx_packets, ports_[port].stats().ipackets);
        EXPECT_EQ(counters.tx_packets, ports_[port].stats().opackets);
        EXPECT_EQ(counters.rx_packets, engine_->counters(port ^ 1).tx_packets);
    }
}

TEST_F(EngineTest, counts_each_frame_that_a_full_queue_refuses) {
    settings_.mode = Mode::io;
    // What goes to net_ring1 stays there: its queue fills, and the rest is dropped by us.
    open({"ethdev:net_null0", "ethdev:net_ring1"});
    settings_.topology = Topology::paired;
    auto pool = pool_->get();
    Stream stream;
    stream.rx = &ports_[0].rx(0);
    stream.tx = &ports_[1].tx(0);
    stream.pool = pool;
    const FrameMaker maker(64);
    rte_mbuf* space[32];
    for (int turn = 0; turn < 100; ++turn)
        step(Mode::io, stream, maker, space);
    EXPECT_EQ(stream.received.get(), 3200U);
    EXPECT_GT(stream.dropped.get(), 0U);
    EXPECT_EQ(stream.sent.get() + stream.dropped.get(), 3200U);
    EXPECT_EQ(rte_mempool_in_use_count(pool), stream.sent.get()) << "dropped frames are back in their pool";
    while (const std::uint16_t got = ports_[1].rx(0).burst(space))
        rte_pktmbuf_free_bulk(space, got);
}

TEST_F(EngineTest, frees_what_rxonly_receives) {
    settings_.mode = Mode::rxonly;
    open({"ethdev:net_null0", "ethdev:net_null1"});
    ASSERT_TRUE(engine_->start(false));
    forward_until(1000);
    engine_->stop();
    EXPECT_EQ(total().consumed, total().rx_packets);
    EXPECT_EQ(total().tx_packets, 0U);
}

TEST_F(EngineTest, receives_nothing_in_txonly) {
    settings_.mode = Mode::txonly;
    open({"ethdev:net_null0", "ethdev:net_null1"});
    ASSERT_TRUE(engine_->start(false));
    forward_until(1000);
    engine_->stop();
    EXPECT_EQ(total().rx_packets, 0U);
    EXPECT_GE(total().tx_packets, 1000U);
    EXPECT_EQ(ports_[0].stats().ibytes, 0U);
    EXPECT_EQ(ports_[0].stats().obytes, ports_[0].stats().opackets * 64);
}

TEST_F(EngineTest, starts_from_zero_and_goes_on_over_a_pause) {
    open({"ethdev:net_null0", "ethdev:net_null1"});
    ASSERT_TRUE(engine_->start(false));
    EXPECT_FALSE(engine_->start(false)) << "it runs already";
    forward_until(100);
    engine_->pause();
    const std::uint64_t paused = total().rx_packets;
    EXPECT_EQ(total().rx_packets, paused);
    ASSERT_TRUE(ports_[0].reset());
    ASSERT_TRUE(engine_->resume());
    forward_until(2 * paused + 1000);
    engine_->stop();
    EXPECT_GT(total().rx_packets, paused);
    EXPECT_EQ(total().rx_packets, ports_[0].stats().ipackets + ports_[1].stats().ipackets);
    engine_->clear_counters();
    EXPECT_EQ(total().rx_packets, 0U);
}

TEST_F(EngineTest, sends_one_burst_from_every_stream_first) {
    settings_.mode = Mode::rxonly;
    settings_.burst = 7;
    open({"ethdev:net_null0", "ethdev:net_null1"});
    ASSERT_TRUE(engine_->start(true));
    engine_->stop();
    EXPECT_EQ(engine_->counters(0).tx_packets, 7U);
    EXPECT_EQ(engine_->counters(1).tx_packets, 7U);
}

TEST_F(EngineTest, keeps_forwarding_counters_when_a_port_is_cleared) {
    open({"ethdev:net_null0", "ethdev:net_null1"});
    ASSERT_TRUE(engine_->start(false));
    forward_until(100);
    const ForwardCounters before = engine_->counters(0);
    engine_->clear_port_stats(0);
    const ForwardCounters after = engine_->counters(0);
    EXPECT_GE(after.rx_packets, before.rx_packets);
    EXPECT_EQ(after.rx_missed, before.rx_missed);
    engine_->stop();
    EXPECT_LT(ports_[0].stats().ipackets, engine_->counters(0).rx_packets);
}

TEST_F(EngineTest, uses_no_more_lcores_than_eal_has) {
    settings_.nb_cores = 100;
    settings_.rxq = settings_.txq = 4;
    open({"ethdev:net_null0", "ethdev:net_null1"});
    EXPECT_EQ(engine_->assignments().size(), rte_lcore_count() - 1);
}

TEST(Pools, hold_all_rings_caches_and_bursts) {
    Settings settings;
    settings.rxd = 512;
    settings.txd = 256;
    settings.rxq = settings.txq = 2;
    const auto size = pool_size(settings, 2, 2);
    EXPECT_GE(size, 2U * 2U * (512 + 256) + 2U * (250 + 32));
    EXPECT_GT(pool_size(settings, 3, 2), size);
    settings.total_num_mbufs = 5000;
    EXPECT_EQ(pool_size(settings, 2, 2), 5000U);
}

} // namespace
} // namespace sluice::testpmd
