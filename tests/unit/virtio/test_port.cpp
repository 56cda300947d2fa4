// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>

#include <poll.h>

#include <sluice/config/space.hpp>

#include "fixture.hpp"

namespace virtio_test {
namespace {

using VirtioPort = PortTest;

bool readable(int fd) {
    pollfd wanted{fd, POLLIN, 0};
    return ::poll(&wanted, 1, 0) == 1;
}

std::string text(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(VirtioPort, says_what_it_drives) {
    open();
    const net::DriverInfo& info = port->info();
    EXPECT_EQ(info.driver, "virtio");
    EXPECT_EQ(info.device, "virtio-net");
    EXPECT_EQ(info.transport, "inproc");
    EXPECT_EQ(info.mac.to_string(), "52:54:00:12:34:56");
    EXPECT_EQ(info.limits.rx_queues, 1);
    EXPECT_EQ(info.limits.max_mtu, 9000);
    EXPECT_EQ(info.limits.rx_descriptors.max, 256);
    EXPECT_TRUE(info.limits.rx_offloads.scatter);
    EXPECT_TRUE(info.limits.rx_interrupts);
}

TEST_F(VirtioPort, follows_the_order_of_initialisation) {
    open();
    // Status writes of the second bring-up: reset, acknowledge, driver, features ok, driver ok.
    std::vector<std::uint64_t> statuses;
    for (const auto& [offset, value] : nic->writes())
        if (offset == 0x14)
            statuses.push_back(value);
    const std::vector<std::uint64_t> last(statuses.end() - 5, statuses.end());
    EXPECT_EQ(last, (std::vector<std::uint64_t>{0, 1, 3, 11, 15}));
    EXPECT_TRUE(nic->running());
    EXPECT_TRUE(nic->accepted().has(Feature::version_1));
    EXPECT_TRUE(nic->accepted().has(Feature::access_platform));
    EXPECT_FALSE(nic->accepted().has(Feature::mq));
    EXPECT_EQ(nic->size_of(0), ring);
    EXPECT_EQ(nic->vector_of(0), 0xffff);
    port->stop();
    EXPECT_EQ(nic->status(), 0);
}

TEST_F(VirtioPort, accepts_only_features_that_it_knows) {
    ModelOptions options = ModelOptions::full();
    options.features = virtio::Features(~std::uint64_t{0});
    open(options);
    EXPECT_TRUE((nic->accepted() & virtio::Features(std::uint64_t{1} << 38 | std::uint64_t{1} << 29 | 1)) ==
                virtio::Features());
    expect_through(64, 1);
}

TEST_F(VirtioPort, follows_a_device_that_offers_another_format) {
    open();
    expect_through(64, 1);
    for (const bool with_packed : {true, false}) {
        nic->offer(with_packed ? ModelOptions::full().with(Feature::ring_packed).features
                               : ModelOptions::full().with(Feature::in_order).features);
        ASSERT_TRUE(port->reset());
        EXPECT_EQ(nic->accepted().has(Feature::ring_packed), with_packed);
        for (unsigned i = 0; i < 2 * ring; ++i)
            expect_through(64, i);
    }
    EXPECT_EQ(port->stats().ipackets, 4U * ring + 1);
    EXPECT_EQ(port->rx(0).counters().packets.get(), 2U * ring);
    EXPECT_TRUE(port->set_promiscuous(true));
}

TEST_F(VirtioPort, leaves_out_what_needs_a_missing_control_queue) {
    open(ModelOptions::full().without(Feature::ctrl_vq));
    EXPECT_FALSE(nic->accepted().has(Feature::ctrl_rx));
    EXPECT_FALSE(nic->accepted().has(Feature::ctrl_mac_addr));
    EXPECT_TRUE(port->set_promiscuous(true));
    expect_through(64, 1);
}

TEST_F(VirtioPort, refuses_devices_that_it_cannot_drive) {
    const auto legacy = open_error(ModelOptions::full().without(Feature::version_1));
    EXPECT_EQ(legacy.code(), ENOTSUP);
    const auto around = open_error(ModelOptions::full().without(Feature::access_platform));
    EXPECT_EQ(around.code(), ENOTSUP);
    EXPECT_NE(std::string(around.text()).find("iommu_platform"), std::string::npos);
    ModelOptions small = ModelOptions::full();
    small.queue_size = 32;
    EXPECT_EQ(open_error(small).code(), ENOTSUP);
    EXPECT_EQ(open_error(ModelOptions::full(), {.rx_descriptors = 192}).code(), EINVAL);
}

TEST_F(VirtioPort, sets_addresses_and_modes_by_commands) {
    open();
    const auto find = [&](std::uint8_t cls, std::uint8_t command) {
        std::string last = "none";
        for (const Command& each : nic->commands())
            if (each.cls == cls && each.command == command)
                last = text(each.data);
        return last;
    };
    const std::string own("\x52\x54\x00\x12\x34\x56", 6);
    EXPECT_EQ(find(0, 0), std::string(1, 0));
    EXPECT_EQ(find(1, 1), own);
    ASSERT_TRUE(port->set_promiscuous(true));
    EXPECT_EQ(find(0, 0), std::string(1, 1));
    ASSERT_TRUE(port->set_all_multicast(true));
    EXPECT_EQ(find(0, 1), std::string(1, 1));
    ASSERT_TRUE(port->add_mac(*net::MacAddress::parse("02:00:00:00:00:07")));
    ASSERT_TRUE(port->add_mac(*net::MacAddress::parse("33:33:00:00:00:01")));
    EXPECT_EQ(find(1, 0), std::string("\2\0\0\0", 4) + own + std::string("\2\0\0\0\0\7", 6) +
                              std::string("\1\0\0\0", 4) + std::string("\x33\x33\0\0\0\1", 6));
    ASSERT_TRUE(port->set_mac(*net::MacAddress::parse("02:00:00:00:00:09")));
    EXPECT_EQ(find(1, 1), std::string("\2\0\0\0\0\x09", 6));
    // All of it again after a reset.
    const std::size_t before = nic->commands().size();
    ASSERT_TRUE(port->reset());
    EXPECT_GE(nic->commands().size(), before + 4);
    EXPECT_EQ(find(0, 0), std::string(1, 1));
}

TEST_F(VirtioPort, reports_a_command_that_is_refused_or_not_answered) {
    open();
    nic->answer_commands(1);
    const auto refused = port->set_promiscuous(true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), EIO);
    EXPECT_FALSE(port->promiscuous());
    nic->answer_commands(std::nullopt);
    const auto silent = port->set_promiscuous(true);
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().code(), ETIMEDOUT);
    nic->answer_commands(0);
    ASSERT_TRUE(port->reset());
    EXPECT_TRUE(port->set_promiscuous(true));
}

TEST_F(VirtioPort, tells_of_link_changes) {
    open();
    EXPECT_TRUE(port->link().up);
    EXPECT_EQ(port->link().mbps, 10000U);
    EXPECT_FALSE(readable(port->events_fd()));
    nic->set_link(false);
    EXPECT_TRUE(readable(port->events_fd()));
    EXPECT_TRUE(port->service().link);
    EXPECT_FALSE(port->link().up);
    EXPECT_FALSE(readable(port->events_fd()));
    EXPECT_FALSE(port->service().any());
}

TEST_F(VirtioPort, tells_of_errors_and_requests) {
    open();
    nic->device().lines().fire(device::Irq::error, 0);
    nic->device().lines().fire(device::Irq::request, 0);
    EXPECT_TRUE(readable(port->events_fd()));
    const net::Events events = port->service();
    EXPECT_TRUE(events.error);
    EXPECT_TRUE(events.request);
    EXPECT_FALSE(readable(port->events_fd()));
}

TEST_F(VirtioPort, wakes_a_sleeper_and_stays_silent_otherwise) {
    open(ModelOptions::full(), {.rx_interrupts = true});
    const int fd = port->rx(0).fd();
    ASSERT_GE(fd, 0);
    EXPECT_EQ(nic->vector_of(0), 1);
    ASSERT_TRUE(nic->deliver(frame(64, 1)));
    EXPECT_FALSE(nic->interrupt(0));
    EXPECT_FALSE(readable(fd));
    ASSERT_TRUE(port->rx(0).arm());
    ASSERT_TRUE(nic->deliver(frame(64, 2)));
    EXPECT_TRUE(nic->interrupt(0));
    EXPECT_TRUE(readable(fd));
    ASSERT_TRUE(port->rx(0).disarm());
    EXPECT_FALSE(readable(fd));
    EXPECT_FALSE(nic->interrupt(0));
    for (rte_mbuf* mbuf : receive())
        rte_pktmbuf_free(mbuf);
    // The same descriptor after a reset.
    ASSERT_TRUE(port->reset());
    EXPECT_EQ(port->rx(0).fd(), fd);
    ASSERT_TRUE(port->rx(0).arm());
    EXPECT_TRUE(nic->interrupt(0));
    EXPECT_TRUE(readable(fd));
}

TEST_F(VirtioPort, runs_without_interrupts) {
    ModelOptions options = ModelOptions::full();
    options.vectors = 0;
    open(options);
    expect_through(64, 1);
    EXPECT_FALSE(port->info().limits.rx_interrupts);
}

class QueuePairs : public PortTest, public testing::WithParamInterface<Format> {};
INSTANTIATE_TEST_SUITE_P(, QueuePairs, testing::ValuesIn(all_formats()), format_name);

TEST_P(QueuePairs, are_driven_as_many_as_asked) {
    ModelOptions options = GetParam().options();
    options.features.add(Feature::mq);
    options.pairs = 4;
    open(options, {.rx_queues = 3, .tx_queues = 3});
    EXPECT_TRUE(nic->accepted().has(Feature::mq));
    EXPECT_TRUE(nic->enabled(4));
    EXPECT_FALSE(nic->enabled(6));
    EXPECT_TRUE(nic->enabled(8));
    bool told = false;
    for (const Command& command : nic->commands())
        told = told || (command.cls == 4 && text(command.data) == std::string("\3\0", 2));
    EXPECT_TRUE(told);
    for (std::uint16_t pair = 0; pair < 3; ++pair) {
        ASSERT_TRUE(nic->deliver(frame(64, pair), pair));
        rte_mbuf* mbuf = nullptr;
        ASSERT_EQ(port->rx(pair).burst({&mbuf, 1}), 1);
        EXPECT_TRUE(holds(mbuf, frame(64, pair)));
        ASSERT_EQ(port->tx(pair).burst({&mbuf, 1}), 1);
        const auto sent = nic->sent(pair);
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].bytes, frame(64, pair));
    }
    EXPECT_EQ(port->stats().ipackets, 3U);
    EXPECT_EQ(port->stats().opackets, 3U);
}

TEST_F(VirtioPort, counts_on_through_stop_reset_and_reconfiguration) {
    open();
    expect_through(100, 1);
    ASSERT_TRUE(port->reset());
    expect_through(100, 2);
    port->stop();
    net::Config config = port->config();
    config.rx_descriptors = 64;
    ASSERT_TRUE(port->configure(config));
    ASSERT_TRUE(port->start());
    expect_through(100, 3);
    EXPECT_EQ(port->stats().ipackets, 3U);
    EXPECT_EQ(port->stats().ibytes, 300U);
    EXPECT_EQ(nic->size_of(0), 64);
}

TEST_F(VirtioPort, loses_no_mbuf_in_a_thousand_resets_under_load) {
    open();
    for (unsigned round = 0; round < 1000; ++round) {
        for (unsigned i = 0; i < 20; ++i)
            ASSERT_TRUE(nic->deliver(frame(64, i)));
        const auto packets = receive(round % 25);
        ASSERT_EQ(send(packets), packets.size());
        if (round % 3 == 0) {
            ASSERT_EQ(send({chain({60, 60}, 1)}), 1);
        }
        if (round % 2 == 0)
            nic->sent(0, round % 4 == 0);
        ASSERT_TRUE(port->reset());
        ASSERT_EQ(rte_mempool_in_use_count(pool), ring);
    }
    port->stop();
    EXPECT_TRUE(rte_mempool_full(pool));
}

TEST_F(VirtioPort, gives_up_on_a_device_that_does_not_finish_its_reset) {
    open();
    nic->finish_resets(false);
    // The function reset behind it helps.
    ASSERT_TRUE(port->reset());
    expect_through(64, 1);
}

TEST_F(VirtioPort, refuses_features_only_with_an_error) {
    open();
    nic->refuse_features(true);
    const auto ok = port->reset();
    ASSERT_FALSE(ok);
    EXPECT_EQ(ok.error().code(), ENOTSUP);
    EXPECT_EQ(rte_mempool_in_use_count(pool), 0U);
    nic->refuse_features(false);
    ASSERT_TRUE(port->start());
    expect_through(64, 1);
}

TEST_F(VirtioPort, ends_orderly_when_the_device_is_gone) {
    open();
    ASSERT_TRUE(nic->deliver(frame(64, 1)));
    ASSERT_EQ(send({packet(64, 1)}), 1);
    nic->be_gone();
    EXPECT_FALSE(port->link().up);
    const auto ok = port->reset();
    ASSERT_FALSE(ok);
    EXPECT_EQ(ok.error().code(), ENODEV);
    EXPECT_TRUE(rte_mempool_full(pool));
}

/// All ones from every register read in turn: an error or success, within bounded time.
TEST_F(VirtioPort, survives_all_ones_from_each_read_on) {
    for (unsigned reads = 0;; ++reads) {
        ASSERT_LT(reads, 1000U);
        std::unique_ptr<device::Device> device;
        NetModel& model = NetModel::create(ModelOptions::full(), device);
        model.be_gone_after(reads);
        auto driver = virtio::description.open(std::move(device));
        if (!driver)
            continue;
        net::Config config;
        config.pool = pool;
        config.rx_descriptors = config.tx_descriptors = ring;
        auto made = net::Port::create(std::move(*driver), "test:", config);
        if (made && model.running())
            break; // more reads than bring-up makes
    }
}

TEST_F(VirtioPort, masters_the_bus_only_while_open) {
    open();
    auto command = nic->device().config().read16(4);
    ASSERT_TRUE(command);
    EXPECT_EQ(*command & 6, 6);
}

TEST_F(VirtioPort, refuses_a_pool_that_cannot_fill_the_ring) {
    rte_mempool* const small = make_pool(ring - 1);
    const auto error = open_error(ModelOptions::full(), {.pool = small});
    EXPECT_EQ(error.code(), ENOMEM);
}

} // namespace
} // namespace virtio_test
