// SPDX-License-Identifier: BSD-3-Clause
// The virtio driver over soft NICs, opened by URI as an application does.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include <unistd.h>

#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <sluice/net/port.hpp>

#include "../dma/eal.hpp"

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;

[[maybe_unused]] const auto* const eal = testing::AddGlobalTestEnvironment(new sluice::test::Eal);

class Soft : public testing::Test {
  protected:
    void SetUp() override {
        static unsigned serial = 0;
        const std::string name = "soft_" + std::to_string(serial++);
        pool = rte_pktmbuf_pool_create(name.c_str(), 4095, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        ASSERT_NE(pool, nullptr);
    }
    void TearDown() override {
        EXPECT_EQ(rte_mempool_in_use_count(pool), 0U) << "mbufs were lost";
        rte_mempool_free(pool);
    }

    net::Port open(const std::string& uri, net::Config config = {}) {
        config.pool = pool;
        config.promiscuous = true;
        auto port = net::open(uri, config);
        EXPECT_TRUE(port) << port.error().message();
        if (!port)
            std::abort();
        return std::move(*port);
    }
    static std::string complaint(const std::string& uri) {
        const auto port = net::open(uri);
        return port ? "it opened" : port.error().message();
    }
    static std::uint64_t counted(const net::Port& port, const std::string& name) {
        for (const auto& [each, value] : port.xstats())
            if (each == name)
                return value;
        ADD_FAILURE() << "no statistic " << name;
        return 0;
    }
    rte_mbuf* packet(std::uint16_t size, unsigned char fill) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
        std::memset(rte_pktmbuf_append(mbuf, size), fill, size);
        return mbuf;
    }
    /// Receives at most `most` frames on `queue`, with the model polled in between.
    static std::vector<rte_mbuf*> receive(net::Port& port, std::size_t most, std::uint16_t queue = 0) {
        std::vector<rte_mbuf*> all;
        for (unsigned turn = 0; turn < 1000 && all.size() < most; ++turn) {
            port.poll_model();
            rte_mbuf* some[32];
            const std::uint16_t got =
                port.rx(queue).burst({some, std::min<std::size_t>(32, most - all.size())});
            all.insert(all.end(), some, some + got);
        }
        return all;
    }

    rte_mempool* pool = nullptr;
};

TEST_F(Soft, brings_back_what_it_was_sent_in_a_loop) {
    auto port = open("soft:virtio?backend=loop");
    EXPECT_EQ(port.info().driver, "virtio");
    EXPECT_EQ(port.info().transport, "inproc");
    EXPECT_TRUE(port.has_model());
    EXPECT_TRUE(port.link().up);
    for (unsigned char i = 1; i <= 100; ++i) {
        rte_mbuf* mbuf = packet(static_cast<std::uint16_t>(60 + 10 * i), i);
        ASSERT_EQ(port.tx(0).burst({&mbuf, 1}), 1);
        const auto got = receive(port, 1);
        ASSERT_EQ(got.size(), 1U);
        EXPECT_EQ(got[0]->pkt_len, 60U + 10U * i);
        EXPECT_EQ(*rte_pktmbuf_mtod_offset(got[0], unsigned char*, got[0]->data_len - 1), i);
        rte_pktmbuf_free(got[0]);
    }
    EXPECT_EQ(counted(port, "model_sent"), 100U);
    EXPECT_EQ(counted(port, "model_received"), 100U);
}

TEST_F(Soft, gives_each_port_what_the_other_sends_in_a_pair) {
    auto a = open("soft:virtio?backend=pair&peer=cable");
    auto b = open("soft:virtio?backend=pair&peer=cable");
    EXPECT_NE(complaint("soft:virtio?backend=pair&peer=cable").find("two devices"), std::string::npos);
    rte_mbuf* mbuf = packet(64, 7);
    ASSERT_EQ(a.tx(0).burst({&mbuf, 1}), 1);
    a.poll_model();
    const auto got = receive(b, 1);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(*rte_pktmbuf_mtod(got[0], unsigned char*), 7);
    rte_pktmbuf_free(got[0]);
    EXPECT_EQ(receive(a, 1).size(), 0U);
}

TEST_F(Soft, forwards_what_generators_make_and_sinks_check) {
    auto a = open("soft:virtio?backend=gen");
    auto b = open("soft:virtio?backend=gen&size=1500&mrg=0");
    const auto pass = [](net::Port& from, net::Port& to) {
        rte_mbuf* some[32];
        const std::uint16_t got = from.rx(0).burst(some);
        const std::uint16_t sent = to.tx(0).burst({some, got});
        rte_pktmbuf_free_bulk(some + sent, got - sent);
        return std::uint64_t{sent};
    };
    std::uint64_t passed = 0;
    for (unsigned turn = 0; turn < 3000; ++turn) {
        passed += pass(a, b);
        passed += pass(b, a);
        a.poll_model();
        b.poll_model();
    }
    EXPECT_GT(passed, 50'000U);
    EXPECT_EQ(counted(a, "model_sink_bad") + counted(b, "model_sink_bad"), 0U);
    EXPECT_EQ(counted(a, "model_sink_missing") + counted(b, "model_sink_missing"), 0U);
    EXPECT_GE(counted(a, "model_sink_received") + counted(b, "model_sink_received"), passed - 64);
}

TEST_F(Soft, moves_frames_over_packed_rings) {
    for (const char* uri :
         {"soft:virtio?backend=gen&packed=1", "soft:virtio?backend=gen&packed=1&mrg=0&size=700"}) {
        auto port = open(uri);
        for (unsigned turn = 0; turn < 2000; ++turn) {
            port.poll_model();
            rte_mbuf* some[32];
            const std::uint16_t got = port.rx(0).burst(some);
            const std::uint16_t sent = port.tx(0).burst({some, got});
            rte_pktmbuf_free_bulk(some + sent, got - sent);
        }
        EXPECT_GT(counted(port, "model_sink_received"), 30'000U) << uri;
        EXPECT_EQ(counted(port, "model_sink_bad"), 0U);
        EXPECT_EQ(counted(port, "model_sink_missing"), 0U);
        EXPECT_EQ(counted(port, "model_lies"), 0U);
    }
}

TEST_F(Soft, sees_a_frame_that_was_changed_on_its_way) {
    auto port = open("soft:virtio?backend=gen");
    auto got = receive(port, 3);
    ASSERT_EQ(got.size(), 3U);
    *rte_pktmbuf_mtod(got[0], unsigned char*) ^= 1;             // an address: allowed
    *rte_pktmbuf_mtod_offset(got[1], unsigned char*, 59) ^= 1;  // payload
    *rte_pktmbuf_mtod_offset(got[2], unsigned char*, 27) ^= 16; // IPv4 source
    ASSERT_EQ(port.tx(0).burst(got), 3);
    port.poll_model();
    EXPECT_EQ(counted(port, "model_sink_received"), 3U);
    EXPECT_EQ(counted(port, "model_sink_bad"), 2U);
}

TEST_F(Soft, moves_frames_on_every_queue_pair) {
    auto port = open("soft:virtio?backend=loop&queues=4", {.rx_queues = 4, .tx_queues = 4});
    for (std::uint16_t queue = 0; queue < 4; ++queue) {
        rte_mbuf* mbuf = packet(64, static_cast<unsigned char>(queue));
        ASSERT_EQ(port.tx(queue).burst({&mbuf, 1}), 1);
        const auto got = receive(port, 1, queue);
        ASSERT_EQ(got.size(), 1U) << queue;
        EXPECT_EQ(*rte_pktmbuf_mtod(got[0], unsigned char*), queue);
        rte_pktmbuf_free(got[0]);
    }
}

TEST_F(Soft, chains_buffers_for_a_frame_that_needs_them) {
    auto port = open("soft:virtio?backend=gen&size=9018", {.mtu = 9000, .rx_offloads = {.scatter = true}});
    const auto got = receive(port, 5);
    ASSERT_EQ(got.size(), 5U);
    for (rte_mbuf* mbuf : got) {
        EXPECT_EQ(mbuf->pkt_len, 9018U);
        EXPECT_GT(mbuf->nb_segs, 4);
    }
    auto again = got;
    ASSERT_EQ(port.tx(0).burst(again), 5);
    port.poll_model();
    EXPECT_EQ(counted(port, "model_sink_received"), 5U);
    EXPECT_EQ(counted(port, "model_sink_bad"), 0U);
}

TEST_F(Soft, wakes_a_sleeping_receiver) {
    auto port = open("soft:virtio?backend=loop", {.rx_interrupts = true});
    ASSERT_TRUE(port.rx(0).arm());
    rte_mbuf* mbuf = packet(64, 1);
    ASSERT_EQ(port.tx(0).burst({&mbuf, 1}), 1);
    std::uint64_t value = 0;
    EXPECT_LT(::read(port.rx(0).fd(), &value, sizeof value), 0);
    port.poll_model();
    port.poll_model();
    EXPECT_EQ(::read(port.rx(0).fd(), &value, sizeof value), 8);
    const auto got = receive(port, 1);
    ASSERT_EQ(got.size(), 1U);
    rte_pktmbuf_free(got[0]);
}

TEST_F(Soft, survives_resets_and_restarts_under_traffic) {
    auto port = open("soft:virtio?backend=gen");
    std::atomic<bool> stop{false};
    std::thread poller([&] {
        while (!stop.load(std::memory_order_relaxed))
            if (port.poll_model() == 0)
                std::this_thread::yield();
    });
    for (unsigned round = 0; round < 30; ++round) {
        std::size_t moved = 0;
        const auto end = Clock::now() + std::chrono::seconds(5);
        while (moved < 200 && Clock::now() < end) {
            rte_mbuf* some[32];
            const std::uint16_t got = port.rx(0).burst(some);
            const std::uint16_t sent = port.tx(0).burst({some, got});
            rte_pktmbuf_free_bulk(some + sent, got - sent);
            moved += got;
        }
        EXPECT_GE(moved, 200U) << round;
        if (round % 2 == 0) {
            ASSERT_TRUE(port.reset());
        } else {
            port.stop();
            ASSERT_TRUE(port.start());
        }
    }
    stop = true;
    poller.join();
    EXPECT_EQ(counted(port, "model_sink_bad"), 0U);
    EXPECT_EQ(counted(port, "model_lies"), 0U);
}

TEST_F(Soft, refuses_what_it_does_not_know) {
    EXPECT_NE(complaint("soft:e1000").find("soft:virtio is the one"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?colour=red").find("backend"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?backend=magic").find("loop, pair, pcap, tap or gen"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?queues=65").find("1 to 64"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?packed=yes").find("0 or 1"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?backend=gen&size=59").find("60 to 9018"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?mac=01:00:00:00:00:01").find("multicast"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?mac=02:00:00:00:00").find("no address"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?backend=pair").find("peer=NAME"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?backend=pcap").find("rx=FILE"), std::string::npos);
    EXPECT_NE(complaint("soft:virtio?backend=pcap&rx=/nowhere/frames").find("/nowhere/frames"),
              std::string::npos);
}

TEST_F(Soft, has_the_address_that_it_was_given) {
    auto port = open("soft:virtio?mac=02:11:22:33:44:55");
    EXPECT_EQ(port.mac().to_string(), "02:11:22:33:44:55");
}

TEST_F(Soft, receives_its_first_frame_within_10_ms_of_opening) {
    double best = 1e9;
    for (unsigned round = 0; round < 5; ++round) {
        const auto begin = Clock::now();
        auto port = open("soft:virtio?backend=gen");
        const auto got = receive(port, 1);
        best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        ASSERT_EQ(got.size(), 1U);
        rte_pktmbuf_free(got[0]);
    }
    std::printf("first frame %.3f ms after open, best of 5\n", best);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr double limit = 100;
#else
    constexpr double limit = 10;
#endif
    EXPECT_LT(best, limit);
}

} // namespace
