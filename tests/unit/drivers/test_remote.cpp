// SPDX-License-Identifier: BSD-3-Clause
/// Every driver over vfio-user, in front of a model that gives each frame back, whose server ends.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <sluice/model/ring_nic.hpp>
#include <sluice/net/port.hpp>
#include <sluice/serve/server.hpp>

#include "eal.hpp"

namespace {

using namespace sluice;

[[maybe_unused]] const auto* const eal = testing::AddGlobalTestEnvironment(new test::Eal);

/// A model behind a socket, moved by a thread of its own.
class NicServer {
  public:
    NicServer(const std::string& path, const model::RingNic& kind)
        : nic_(kind.make().value())
        , server_(serve::Server::listen(*nic_, path).value())
        , thread_([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                server_->pump();
                if (nic_->poll() == 0)
                    std::this_thread::yield();
            }
        }) {}

  private:
    std::unique_ptr<device::Device> nic_;
    std::unique_ptr<serve::Server> server_;
    std::jthread thread_;
};

class RemotePort : public testing::TestWithParam<model::RingNic> {
  protected:
    void SetUp() override {
        pool = rte_pktmbuf_pool_create("remote", 2047, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        ASSERT_NE(pool, nullptr);
        serve();
        auto made =
            net::open("vfio-user:" + path,
                      {.rx_descriptors = 128, .tx_descriptors = 128, .pool = pool, .promiscuous = true});
        ASSERT_TRUE(made) << made.error().message();
        port = std::make_unique<net::Port>(std::move(*made));
    }
    void TearDown() override {
        port.reset();
        EXPECT_TRUE(rte_mempool_full(pool)) << "mbufs were lost: " << rte_mempool_in_use_count(pool);
        rte_mempool_free(pool);
    }
    void serve() { server = std::make_unique<NicServer>(path, GetParam()); }

    bool readable(int timeout_ms) const {
        pollfd waits{port->events_fd(), POLLIN, 0};
        return ::poll(&waits, 1, timeout_ms) == 1;
    }
    static bool wait(const std::function<bool()>& what) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (!what())
            if (std::chrono::steady_clock::now() > end)
                return false;
        return true;
    }

    rte_mbuf* packet(std::size_t size, unsigned seed) const {
        rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool);
        std::memset(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size)), static_cast<int>(seed), size);
        return mbuf;
    }
    /// Sends frames one by one, and receives each as it was.
    void pass(unsigned frames) {
        for (unsigned i = 0; i < frames; ++i) {
            const std::size_t size = 60 + i * 37 % 1400;
            rte_mbuf* mbuf = packet(size, i);
            const std::vector<char> bytes(size, static_cast<char>(i));
            ASSERT_EQ(port->tx(0).burst({&mbuf, 1}), 1);
            ASSERT_TRUE(wait([&] { return port->rx(0).burst({&mbuf, 1}) == 1; })) << i;
            EXPECT_EQ(mbuf->pkt_len, size);
            EXPECT_EQ(std::memcmp(rte_pktmbuf_mtod(mbuf, const void*), bytes.data(),
                                  std::min<std::size_t>(size, mbuf->data_len)),
                      0);
            rte_pktmbuf_free(mbuf);
        }
    }

    const std::string path = testing::TempDir() + "sluice-remote-port-" + std::to_string(::getpid());
    rte_mempool* pool = nullptr;
    std::unique_ptr<NicServer> server;
    std::unique_ptr<net::Port> port;
};

std::string name_of(const testing::TestParamInfo<model::RingNic>& test) {
    std::string name(test.param.name);
    std::ranges::replace(name, '-', '_');
    return name;
}
INSTANTIATE_TEST_SUITE_P(, RemotePort,
                         testing::ValuesIn(model::ring_nics().begin(), model::ring_nics().end()), name_of);

TEST_P(RemotePort, sees_its_server_end_while_it_only_polls) {
    pass(140);
    EXPECT_TRUE(port->link().up);
    EXPECT_FALSE(port->service().any());
    EXPECT_FALSE(readable(0));
    server.reset();
    ASSERT_TRUE(readable(1000));
    const net::Events events = port->service();
    EXPECT_TRUE(events.link);
    EXPECT_FALSE(events.request || events.gone || events.error || events.broken);
    EXPECT_FALSE(port->link().up);
    EXPECT_FALSE(port->service().any());
    rte_mbuf* sent = packet(60, 1);
    if (port->tx(0).burst({&sent, 1}) == 0)
        rte_pktmbuf_free(sent);
    EXPECT_EQ(port->rx(0).burst({&sent, 1}), 0);
    const auto begun = std::chrono::steady_clock::now();
    const auto reset = port->reset();
    ASSERT_FALSE(reset);
    EXPECT_EQ(reset.error().code(), ENODEV);
    EXPECT_NE(reset.error().message().find("start it again"), std::string::npos) << reset.error().message();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
    port->stop();
    EXPECT_TRUE(rte_mempool_full(pool));
}

TEST_P(RemotePort, sees_an_end_that_another_call_has_met) {
    server.reset();
    EXPECT_FALSE(port->link().up);
    ASSERT_TRUE(readable(1000));
    EXPECT_TRUE(port->service().link);
}

TEST_P(RemotePort, goes_on_with_another_server) {
    for (unsigned i = 0; i < 3; ++i) {
        pass(20);
        const std::uint64_t received = port->stats().ipackets;
        rte_mbuf* last = packet(64, 1);
        ASSERT_EQ(port->tx(0).burst({&last, 1}), 1);
        server.reset();
        ASSERT_TRUE(wait([&] { return port->service().link; }));
        if (port->rx(0).burst({&last, 1}) == 1)
            rte_pktmbuf_free(last);
        serve();
        ASSERT_TRUE(readable(1000));
        ASSERT_TRUE(wait([&] { return port->service().error; }));
        EXPECT_FALSE(port->link().up) << "before the reset";
        const auto reset = port->reset();
        ASSERT_TRUE(reset) << reset.error().message();
        EXPECT_TRUE(port->link().up);
        EXPECT_GE(port->stats().ipackets, received);
    }
    pass(20);
    // Its end is seen as the first one's was.
    server.reset();
    ASSERT_TRUE(readable(1000));
    EXPECT_TRUE(port->service().link);
}

} // namespace
