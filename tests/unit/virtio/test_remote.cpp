// SPDX-License-Identifier: BSD-3-Clause
/// The driver over vfio-user, in front of a soft NIC that gives every frame back, whose server ends.
#include <poll.h>
#include <unistd.h>

#include <thread>

#include <sluice/device/vfio_user.hpp>
#include <sluice/model/soft_nic.hpp>
#include <sluice/serve/server.hpp>

#include "fixture.hpp"

namespace virtio_test {
namespace {

class NicServer {
  public:
    NicServer(const std::string& path, const Format& format) {
        model::NicOptions options;
        options.name = "looped";
        options.backend.kind = "loop";
        options.packed = format.packed;
        options.mergeable = format.mergeable;
        auto nic = model::make_soft_nic(options);
        if (!nic) {
            ADD_FAILURE() << nic.error().message();
            return;
        }
        nic_ = std::move(*nic);
        auto server = serve::Server::listen(*nic_, path);
        if (!server) {
            ADD_FAILURE() << server.error().message();
            return;
        }
        server_ = std::move(*server);
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                server_->pump();
                if (nic_->poll() == 0)
                    std::this_thread::yield();
            }
        });
    }

  private:
    std::unique_ptr<device::Device> nic_;
    std::unique_ptr<serve::Server> server_;
    std::jthread thread_;
};

class Remote : public PortTest, public testing::WithParamInterface<Format> {
  protected:
    void serve() { server = std::make_unique<NicServer>(path, GetParam()); }

    void open() {
        serve();
        auto device = device::connect(path);
        ASSERT_TRUE(device) << device.error().message();
        auto driver = virtio::Port::open(std::move(*device));
        ASSERT_TRUE(driver) << driver.error().message();
        net::Config config;
        config.pool = pool;
        config.rx_descriptors = config.tx_descriptors = ring;
        auto made = net::Port::create(std::move(*driver), "vfio-user:" + path, config);
        ASSERT_TRUE(made) << made.error().message();
        port = std::make_unique<net::Port>(std::move(*made));
        ASSERT_TRUE(port->set_promiscuous(true));
    }

    bool readable(int timeout_ms) const {
        pollfd waits{port->events_fd(), POLLIN, 0};
        return ::poll(&waits, 1, timeout_ms) == 1;
    }

    void pass(unsigned frames) {
        for (unsigned i = 0; i < frames; ++i) {
            const std::size_t size = 60 + i * 37 % 1400;
            expect_back(packet(size, i), size, i);
        }
    }

    const std::string path = testing::TempDir() + "sluice-remote-port-" + std::to_string(::getpid());
    std::unique_ptr<NicServer> server;
};

INSTANTIATE_TEST_SUITE_P(, Remote, testing::ValuesIn(all_formats(false)), format_name);

TEST_P(Remote, sees_its_server_end_while_it_only_polls) {
    open();
    pass(2 * ring);
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
    EXPECT_TRUE(receive().empty());
    const auto begun = std::chrono::steady_clock::now();
    const auto reset = port->reset();
    ASSERT_FALSE(reset);
    EXPECT_EQ(reset.error().code(), ENODEV);
    EXPECT_NE(reset.error().message().find("start it again"), std::string::npos) << reset.error().message();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
    port->stop();
    EXPECT_TRUE(rte_mempool_full(pool));
}

TEST_P(Remote, goes_on_with_another_server) {
    open();
    for (unsigned i = 0; i < 3; ++i) {
        pass(20);
        ASSERT_EQ(send({packet(64, 1)}), 1);
        server.reset();
        ASSERT_TRUE(wait([&] { return port->service().link; }));
        for (rte_mbuf* mbuf : receive())
            rte_pktmbuf_free(mbuf);
        serve();
        ASSERT_TRUE(readable(1000));
        ASSERT_TRUE(wait([&] { return port->service().error; }));
        const auto reset = port->reset();
        ASSERT_TRUE(reset) << reset.error().message();
        EXPECT_TRUE(port->link().up);
    }
    pass(20);
    // Its end is seen as the first one's was.
    server.reset();
    ASSERT_TRUE(readable(1000));
    EXPECT_TRUE(port->service().link);
}

} // namespace
} // namespace virtio_test
