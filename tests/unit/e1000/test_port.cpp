// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.hpp"

#include <poll.h>

namespace e1000_test {
namespace {

using Port = PortTest;
INSTANTIATE_TEST_SUITE_P(Chips, Port, testing::Values(id_82574, id_82540));

bool readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

constexpr std::uint32_t rctl = 0x0100, upe = 1u << 3, mpe = 1u << 4;

TEST_P(Port, says_what_it_drives) {
    open();
    EXPECT_EQ(port->info().driver, "e1000");
    EXPECT_EQ(port->info().device, chip() == id_82574 ? "82574L" : "82540EM");
    EXPECT_EQ(port->info().mac.to_string(), "02:00:00:00:12:34");
    EXPECT_EQ(port->info().transport, "inproc");
    EXPECT_EQ(port->info().kernel_driver, "");
    EXPECT_EQ(port->mac(), port->info().mac);
}

TEST_P(Port, reads_the_address_from_the_nvm_when_the_reset_left_none) {
    std::unique_ptr<device::Device> device;
    NicModel& model = NicModel::create(chip(), device);
    // What the NVM answers to every word; the registers lose their address with each reset.
    model.set_reg(0x5404, 0);
    model.set_reg(0x0014, 0x3412'0000);
    const auto driver = e1000::description.open(std::move(device));
    ASSERT_TRUE(driver) << driver.error().message();
    EXPECT_EQ((*driver)->info().mac.to_string(), "02:00:00:00:12:34"); // the reset brought it back
}

TEST_P(Port, sees_the_link_and_its_changes) {
    open();
    EXPECT_TRUE(port->link().up);
    EXPECT_EQ(port->link().mbps, 1000u);
    EXPECT_TRUE(port->link().full_duplex);
    EXPECT_FALSE(readable(port->events_fd()));
    for (const bool up : {false, true}) {
        nic->set_link(up);
        ASSERT_TRUE(readable(port->events_fd()));
        EXPECT_TRUE(port->service().link);
        EXPECT_EQ(port->link().up, up);
        EXPECT_FALSE(readable(port->events_fd()));
        EXPECT_FALSE(port->service().any());
    }
}

TEST_P(Port, hands_on_errors_and_requests) {
    open();
    nic->device().lines().fire(device::Irq::request, 0);
    ASSERT_TRUE(readable(port->events_fd()));
    EXPECT_TRUE(port->service().request);
    nic->device().lines().fire(device::Irq::error, 0);
    ASSERT_TRUE(readable(port->events_fd()));
    EXPECT_TRUE(port->service().error);
    EXPECT_FALSE(readable(port->events_fd()));
}

TEST_P(Port, wakes_for_a_frame_only_when_armed) {
    if (chip() == id_82540) {
        std::unique_ptr<device::Device> device;
        NicModel::create(chip(), device);
        auto driver = e1000::description.open(std::move(device));
        ASSERT_TRUE(driver);
        const auto refused =
            net::Port::create(std::move(*driver), "test:", {.pool = pool, .rx_interrupts = true});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ENOTSUP);
        return;
    }
    open({.rx_interrupts = true});
    const int fd = port->rx(0).fd();
    ASSERT_GE(fd, 0);
    ASSERT_NE(nic->receive(frame(64, 0)), nullptr);
    EXPECT_FALSE(readable(fd));
    ASSERT_TRUE(port->rx(0).arm());
    EXPECT_FALSE(readable(fd)); // that one was there before
    ASSERT_NE(nic->receive(frame(64, 1)), nullptr);
    EXPECT_TRUE(readable(fd));
    ASSERT_TRUE(port->rx(0).disarm());
    EXPECT_FALSE(readable(fd));
    ASSERT_NE(nic->receive(frame(64, 2)), nullptr);
    EXPECT_FALSE(readable(fd));
    EXPECT_FALSE(readable(port->events_fd()));
    for (rte_mbuf* each : receive())
        rte_pktmbuf_free(each);
}

TEST_P(Port, refuses_to_arm_what_was_not_configured) {
    open();
    const auto refused = port->rx(0).arm();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ENOTSUP);
}

TEST_P(Port, programs_its_filters) {
    open();
    EXPECT_EQ(nic->reg(rctl) & (upe | mpe), 0u);
    ASSERT_TRUE(port->set_promiscuous(true));
    EXPECT_EQ(nic->reg(rctl) & (upe | mpe), upe | mpe);
    ASSERT_TRUE(port->set_promiscuous(false));
    ASSERT_TRUE(port->set_all_multicast(true));
    EXPECT_EQ(nic->reg(rctl) & (upe | mpe), mpe);

    ASSERT_TRUE(port->add_mac({{2, 0, 0, 0, 0, 9}}));
    EXPECT_EQ(nic->reg(0x5408), 0x00000002u);
    EXPECT_EQ(nic->reg(0x540c), 0x80000900u);
    ASSERT_TRUE(port->remove_mac({{2, 0, 0, 0, 0, 9}}));
    EXPECT_EQ(nic->reg(0x540c), 0u);

    // Bits 47:36 of 01:00:5e:00:00:fb are 0xfb0: register 125, bit 16.
    ASSERT_TRUE(port->add_mac({{1, 0, 0x5e, 0, 0, 0xfb}}));
    EXPECT_EQ(nic->reg(0x5200 + 125 * 4), 1u << 16);

    ASSERT_TRUE(port->set_mac({{2, 1, 1, 1, 1, 1}}));
    EXPECT_EQ(nic->reg(0x5400), 0x01010102u);
    for (std::uint8_t i = 0; i < 14; ++i)
        ASSERT_TRUE(port->add_mac({{2, 2, 2, 2, 2, i}}));
    EXPECT_EQ(port->add_mac({{2, 2, 2, 2, 2, 99}}).error().code(), ENOSPC);
}

TEST_P(Port, keeps_filters_over_stop_start_and_reset) {
    open({.promiscuous = true});
    ASSERT_TRUE(port->set_mac({{2, 1, 1, 1, 1, 1}}));
    port->stop();
    ASSERT_TRUE(port->start());
    EXPECT_EQ(nic->reg(rctl) & upe, upe);
    EXPECT_EQ(nic->reg(0x5400), 0x01010102u);
    ASSERT_TRUE(port->reset());
    EXPECT_EQ(nic->reg(rctl) & upe, upe);
    EXPECT_EQ(nic->reg(0x5400), 0x01010102u);
}

TEST_P(Port, adds_up_registers_that_a_read_clears) {
    open();
    for (unsigned i = 0; i < 5; ++i)
        ASSERT_NE(nic->receive(frame(64, i)), nullptr);
    EXPECT_EQ(xstat("rx_device_packets"), 5u);
    EXPECT_EQ(xstat("rx_device_packets"), 5u);
    nic->set_reg(0x4010, 3);
    EXPECT_EQ(port->stats().imissed, 3u);
    nic->set_reg(0x4010, 4);
    port->stop();
    ASSERT_TRUE(port->start());
    EXPECT_EQ(port->stats().imissed, 7u);
    nic->set_reg(0x4088, 7);
    nic->set_reg(0x408c, 1);
    EXPECT_EQ(xstat("rx_device_bytes"), (std::uint64_t{1} << 32) + 7);
    port->clear_stats();
    EXPECT_EQ(port->stats().imissed, 0u);
    EXPECT_EQ(xstat("rx_device_packets"), 0u);
}

TEST_P(Port, counts_frames_and_bytes_of_both_directions) {
    open();
    ASSERT_NE(nic->receive(frame(100, 0)), nullptr);
    for (rte_mbuf* each : receive())
        ASSERT_EQ(send({each}), 1);
    const net::Stats stats = port->stats();
    EXPECT_EQ(stats.ipackets, 1u);
    EXPECT_EQ(stats.ibytes, 100u);
    EXPECT_EQ(stats.opackets, 1u);
    EXPECT_EQ(stats.obytes, 100u);
    nic->transmit();
    ASSERT_TRUE(port->reset());
    EXPECT_EQ(port->stats().opackets, 1u);
    EXPECT_EQ(xstat("rx_q0_packets"), 1u);
}

TEST_P(Port, loses_no_mbuf_in_a_thousand_resets_under_traffic) {
    open();
    const unsigned in_use = rte_mempool_in_use_count(pool);
    for (unsigned turn = 0; turn < 1000; ++turn) {
        for (unsigned i = 0; i < 20; ++i)
            nic->receive(frame(64, i));
        std::vector<rte_mbuf*> packets = receive(16);
        const std::uint16_t sent = port->tx(0).burst(packets);
        for (std::size_t i = sent; i < packets.size(); ++i)
            rte_pktmbuf_free(packets[i]);
        nic->transmit(turn % 16);
        if (turn % 2 == 0) {
            ASSERT_TRUE(port->reset());
        } else {
            port->stop();
            ASSERT_EQ(receive().size(), 0u);
            ASSERT_EQ(rte_mempool_in_use_count(pool), 0u);
            ASSERT_TRUE(port->start());
        }
        ASSERT_EQ(rte_mempool_in_use_count(pool), in_use) << turn;
    }
    ASSERT_NE(nic->receive(frame(64, 5)), nullptr);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u);
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Port, fails_to_start_without_losing_an_mbuf_when_the_pool_is_too_small) {
    rte_mempool* small = make_pool(100);
    std::unique_ptr<device::Device> device;
    nic = &NicModel::create(chip(), device);
    auto driver = e1000::description.open(std::move(device));
    ASSERT_TRUE(driver);
    const auto failed =
        net::Port::create(std::move(*driver), "test:", {.rx_descriptors = 128, .pool = small});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ENOMEM);
}

TEST_P(Port, takes_a_new_configuration_when_stopped) {
    open();
    EXPECT_EQ(port->configure({.pool = pool}).error().code(), EBUSY);
    port->stop();
    EXPECT_EQ(port->configure({.rx_queues = 3, .pool = pool}).error().code(), EINVAL);
    EXPECT_EQ(port->configure({.rx_descriptors = 100, .pool = pool}).error().code(), EINVAL);
    EXPECT_EQ(port->config().rx_descriptors, ring);
    ASSERT_TRUE(port->configure({.rx_descriptors = 1024, .tx_descriptors = 64, .pool = pool}));
    ASSERT_TRUE(port->start());
    EXPECT_EQ(nic->rx_ring_size(), 1024u);
    EXPECT_EQ(nic->reg(0x3808), 64u * 16);
}

TEST_P(Port, refuses_an_mtu_whose_frames_fit_no_buffer) {
    open();
    port->stop();
    EXPECT_EQ(port->set_mtu(4000).error().code(), EINVAL);
    EXPECT_EQ(port->mtu(), 1500);
    ASSERT_TRUE(port->set_mtu(1000));
    EXPECT_EQ(port->configure({.mtu = 9000, .pool = make_pool(255, 10000)}).error().code(), EINVAL);
    ASSERT_TRUE(port->configure({.rx_descriptors = 64, .mtu = 9000, .pool = make_pool(255, 16384 + 128)}));
    ASSERT_TRUE(port->start());
    EXPECT_EQ(nic->reg(rctl) & 1u << 5, 1u << 5);
    ASSERT_NE(nic->receive(frame(9014, 1)), nullptr);
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_TRUE(holds(packets[0], frame(9014, 1)));
    rte_pktmbuf_free(packets[0]);
}

TEST_P(Port, ends_within_a_second_when_the_device_is_unplugged) {
    open();
    ASSERT_EQ(send({packet(64, 0)}), 1);
    nic->unplug();
    EXPECT_FALSE(port->link().up);
    const auto before = std::chrono::steady_clock::now();
    const auto refused = port->reset();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ENODEV);
    EXPECT_FALSE(port->start());
    port->close();
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
}

TEST_P(Port, is_quiet_after_it_was_closed) {
    open();
    std::unique_ptr<device::Device> device;
    NicModel& model = NicModel::create(chip(), device);
    auto driver = e1000::description.open(std::move(device));
    ASSERT_TRUE(driver);
    auto made = net::Port::create(std::move(*driver), "test:", {.rx_descriptors = 64, .pool = pool});
    ASSERT_TRUE(made);
    EXPECT_NE(model.reg(rctl) & 2, 0u);
    made->stop();
    EXPECT_EQ(model.reg(rctl) & 2, 0u);
    EXPECT_EQ(model.receive(frame(64, 0)), nullptr);
}

} // namespace
} // namespace e1000_test
