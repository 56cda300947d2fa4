// SPDX-License-Identifier: BSD-3-Clause
// Every driver over the rings that its instructions are counted on.
#include <algorithm>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <sluice/model/ring_nic.hpp>
#include <sluice/net/port.hpp>

#include "../dma/eal.hpp"
#include "tables.hpp"

namespace {

using namespace sluice;

[[maybe_unused]] const auto* const eal = testing::AddGlobalTestEnvironment(new sluice::test::Eal);

class RingNics : public testing::TestWithParam<model::RingNic> {
  protected:
    static constexpr std::uint16_t burst = 32;

    void SetUp() override {
        static unsigned serial = 0;
        const std::string name = "rings_" + std::to_string(serial++);
        pool = rte_pktmbuf_pool_create(name.c_str(), 2047, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        ASSERT_NE(pool, nullptr);
        auto device = GetParam().make();
        ASSERT_TRUE(device) << device.error().message();
        nic = device->get();
        const net::Description* description = drivers::find_driver(GetParam().vendor, GetParam().device);
        ASSERT_NE(description, nullptr);
        auto driver = description->open(std::move(*device));
        ASSERT_TRUE(driver) << driver.error().message();
        net::Config config;
        config.pool = pool;
        config.rx_descriptors = config.tx_descriptors = 128;
        auto made = net::Port::create(std::move(*driver), "test:", config);
        ASSERT_TRUE(made) << made.error().message();
        port = std::make_unique<net::Port>(std::move(*made));
    }
    void TearDown() override {
        port.reset();
        EXPECT_EQ(rte_mempool_in_use_count(pool), 0U) << "mbufs were lost";
        rte_mempool_free(pool);
    }

    /// A broadcast frame whose bytes say which it is.
    static std::vector<std::uint8_t> frame(std::size_t size, unsigned seed) {
        std::vector<std::uint8_t> bytes(size);
        for (std::size_t i = 0; i < size; ++i)
            bytes[i] = static_cast<std::uint8_t>(i < 6 ? 0xff : seed * 31 + i * 7 + (i >> 8));
        return bytes;
    }
    rte_mbuf* packet(std::size_t size, unsigned seed) const {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
        const auto bytes = frame(size, seed);
        std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size)), bytes.data(), size);
        return mbuf;
    }
    static bool holds(const rte_mbuf* mbuf, const std::vector<std::uint8_t>& bytes) {
        std::vector<std::uint8_t> held(bytes.size());
        const void* at = rte_pktmbuf_read(mbuf, 0, static_cast<std::uint32_t>(bytes.size()), held.data());
        return mbuf->pkt_len == bytes.size() && at != nullptr &&
               std::memcmp(at, bytes.data(), bytes.size()) == 0;
    }
    void move() const {
        while (nic->poll() != 0) {
        }
    }

    rte_mempool* pool = nullptr;
    device::Device* nic = nullptr;
    std::unique_ptr<net::Port> port;
};

TEST_P(RingNics, brings_back_what_is_sent_in_order) {
    for (unsigned round = 0; round < 40; ++round) { // ten times round each ring
        std::vector<rte_mbuf*> sent;
        for (unsigned i = 0; i < burst; ++i)
            sent.push_back(packet(60 + 13 * i, round * burst + i));
        ASSERT_EQ(port->tx(0).burst(sent), burst);
        move();
        std::vector<rte_mbuf*> received(burst);
        ASSERT_EQ(port->rx(0).burst(received), burst);
        for (unsigned i = 0; i < burst; ++i) {
            EXPECT_TRUE(holds(received[i], frame(60 + 13 * i, round * burst + i)));
            rte_pktmbuf_free(received[i]);
        }
    }
    port->tx(0).reclaim();
}

TEST_P(RingNics, leaves_with_the_driver_what_no_slot_is_there_for) {
    std::vector<rte_mbuf*> sent;
    for (unsigned i = 0; i < 4 * burst; ++i)
        sent.push_back(packet(64, i));
    std::size_t taken = 0;
    std::vector<rte_mbuf*> received;
    for (unsigned tries = 0; tries < 16 && received.size() < sent.size(); ++tries) {
        taken += port->tx(0).burst(std::span(sent).subspan(taken));
        move();
        std::vector<rte_mbuf*> some(burst);
        some.resize(port->rx(0).burst(some));
        received.insert(received.end(), some.begin(), some.end());
    }
    ASSERT_EQ(received.size(), sent.size());
    for (unsigned i = 0; i < received.size(); ++i) {
        EXPECT_TRUE(holds(received[i], frame(64, i)));
        rte_pktmbuf_free(received[i]);
    }
    port->tx(0).reclaim();
}

TEST_P(RingNics, moves_frames_of_several_pieces) {
    rte_mbuf* first = packet(100, 1);
    rte_mbuf* const second = rte_pktmbuf_alloc(pool);
    std::memset(rte_pktmbuf_append(second, 1000), 0x5a, 1000);
    ASSERT_EQ(rte_pktmbuf_chain(first, second), 0);
    auto bytes = frame(100, 1);
    bytes.insert(bytes.end(), 1000, 0x5a);
    ASSERT_EQ(port->tx(0).burst({&first, 1}), 1);
    move();
    rte_mbuf* received = nullptr;
    ASSERT_EQ(port->rx(0).burst({&received, 1}), 1);
    EXPECT_TRUE(holds(received, bytes));
    rte_pktmbuf_free(received);
    port->tx(0).reclaim();
}

TEST_P(RingNics, comes_back_after_a_reset) {
    for (unsigned round = 0; round < 3; ++round) {
        rte_mbuf* sent = packet(64, round);
        ASSERT_EQ(port->tx(0).burst({&sent, 1}), 1);
        move();
        rte_mbuf* received = nullptr;
        ASSERT_EQ(port->rx(0).burst({&received, 1}), 1);
        EXPECT_TRUE(holds(received, frame(64, round)));
        rte_pktmbuf_free(received);
        ASSERT_TRUE(port->reset());
    }
}

INSTANTIATE_TEST_SUITE_P(All, RingNics,
                         testing::ValuesIn(model::ring_nics().begin(), model::ring_nics().end()),
                         [](const auto& nic) {
                             std::string name(nic.param.name);
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

} // namespace
