// SPDX-License-Identifier: BSD-3-Clause
/// The driver over vhost-user, in front of a soft NIC that gives every frame back.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include <sluice/model/vhost_nic.hpp>

#include "fixture.hpp"

namespace virtio_test {
namespace {

/// A back-end with its thread.
class Server {
  public:
    Server(const std::string& path, const Format& format, unsigned queues, const char* backend) {
        model::NicOptions options;
        options.name = "behind vhost-user";
        options.backend.kind = backend;
        options.packed = format.packed;
        options.mergeable = format.mergeable;
        options.queues = queues;
        auto made = model::VhostNic::create(options, path);
        if (!made)
            ADD_FAILURE() << made.error().message();
        nic_ = std::move(*made);
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                nic_->pump();
                if (nic_->poll() == 0)
                    std::this_thread::yield();
            }
        });
    }
    std::uint64_t count(std::string_view name) const {
        for (const auto& each : nic_->statistics())
            if (each.name == name)
                return each.value;
        ADD_FAILURE() << name;
        return 0;
    }

  private:
    std::unique_ptr<model::VhostNic> nic_;
    std::jthread thread_;
};

class Vhost : public PortTest, public testing::WithParamInterface<Format> {
  protected:
    void serve(unsigned queues = 1, const char* backend = "loop") {
        server = std::make_unique<Server>(path, GetParam(), queues, backend);
    }

    Result<net::Port> try_open(const std::string& keys = "", net::Config config = {}) {
        static constexpr std::array<std::string_view, 3> known = {"server", "queues", "packed"};
        const std::array grammars = {net::SchemeGrammar{.name = "vhost-user", .keys = known, .raw = false}};
        const auto uri = net::Uri::parse("vhost-user:" + path + keys, grammars);
        if (!uri)
            return tl::unexpected(uri.error());
        auto driver = virtio::open_vhost_user(*uri);
        if (!driver)
            return propagate(std::move(driver));
        config.pool = pool;
        config.rx_descriptors = config.tx_descriptors = ring;
        return net::Port::create(std::move(*driver), uri->text(), config);
    }
    void open(const std::string& keys = "", net::Config config = {}) {
        auto made = try_open(keys, std::move(config));
        ASSERT_TRUE(made) << made.error().message();
        port = std::make_unique<net::Port>(std::move(*made));
    }

    /// Sends frames and receives each as it was.
    void pass(unsigned frames, std::uint16_t queue = 0) {
        for (unsigned i = 0; i < frames; ++i) {
            const std::size_t size = 60 + i * 37 % 1400;
            expect_back(i % 9 == 8 ? chain({size / 2, size - size / 2}, i) : packet(size, i), size, i, queue);
        }
    }

    const std::string path = testing::TempDir() + "sluice-vhost-port-" + std::to_string(::getpid());
    std::unique_ptr<Server> server;
};

INSTANTIATE_TEST_SUITE_P(, Vhost, testing::ValuesIn(all_formats(false)), format_name);

TEST_P(Vhost, passes_frames_both_ways) {
    serve();
    open();
    EXPECT_EQ(port->info().transport, "vhost-user");
    EXPECT_TRUE(port->link().up);
    EXPECT_FALSE(port->mac().multicast());
    pass(3 * ring);
    EXPECT_EQ(server->count("sent"), 3U * ring);
    EXPECT_EQ(server->count("lies"), 0U);
    EXPECT_EQ(port->stats().ipackets, 3U * ring);
}

TEST_P(Vhost, runs_several_queue_pairs) {
    serve(3);
    open("?queues=2", {.rx_queues = 2, .tx_queues = 2});
    EXPECT_EQ(port->info().limits.rx_queues, 2);
    pass(50, 0);
    pass(50, 1);
}

TEST_P(Vhost, goes_on_after_stops_and_resets) {
    serve();
    open();
    for (unsigned i = 0; i < 5; ++i) {
        pass(20);
        ASSERT_TRUE(port->reset());
    }
    port->stop();
    EXPECT_TRUE(rte_mempool_full(pool));
    ASSERT_TRUE(port->start());
    pass(20);
}

TEST_P(Vhost, outlives_its_back_end) {
    serve();
    open();
    for (unsigned i = 0; i < 3; ++i) {
        pass(20);
        ASSERT_EQ(send({packet(64, 1)}), 1);
        server.reset();
        ASSERT_TRUE(wait([&] { return port->service().link; }));
        EXPECT_FALSE(port->link().up);
        EXPECT_FALSE(port->service().any());
        for (rte_mbuf* mbuf : receive())
            rte_pktmbuf_free(mbuf);
        serve();
        ASSERT_TRUE(wait([&] { return port->service().error; }));
        ASSERT_TRUE(port->reset());
        EXPECT_TRUE(port->service().link);
        EXPECT_TRUE(port->link().up);
    }
    pass(20);
}

TEST_P(Vhost, receives_its_first_frame_within_10_ms_of_opening) {
    using Clock = std::chrono::steady_clock;
    serve(1, "gen");
    double best = 1e9;
    for (unsigned round = 0; round < 5; ++round) {
        const auto begin = Clock::now();
        open();
        rte_mbuf* got = nullptr;
        ASSERT_TRUE(wait([&] { return port->rx(0).burst({&got, 1}) == 1; }));
        best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        rte_pktmbuf_free(got);
        port.reset();
    }
    std::printf("first frame %.3f ms after open over vhost-user, best of 5\n", best);
    EXPECT_LE(best, 10.0);
}

TEST_P(Vhost, wakes_a_sleeper) {
    serve();
    open("", {.rx_interrupts = true});
    ASSERT_TRUE(port->rx(0).arm());
    ASSERT_EQ(send({packet(64, 1)}), 1);
    ASSERT_TRUE(wait([&] {
        std::uint64_t value = 0;
        return ::read(port->rx(0).fd(), &value, sizeof value) == sizeof value;
    }));
    ASSERT_TRUE(port->rx(0).disarm());
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Vhost, says_that_nobody_is_there) {
    const auto none = try_open();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), ENOENT);
    EXPECT_EQ(try_open("?queues=none").error().code(), EINVAL);
    EXPECT_EQ(try_open("?server=yes").error().code(), EINVAL);
}

} // namespace
} // namespace virtio_test
