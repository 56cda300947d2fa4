// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.hpp"

#include <cstring>

#include "eal.hpp"

namespace e1000_test {
namespace {

[[maybe_unused]] const auto* const eal = testing::AddGlobalTestEnvironment(new sluice::test::Eal);

} // namespace

void PortTest::SetUp() {
    net::allow_avx2((GetParam() & scalar) == 0);
    pool = make_pool(pool_size);
}

void PortTest::TearDown() {
    port.reset();
    for (rte_mempool* each : pools_) {
        EXPECT_TRUE(rte_mempool_full(each)) << "mbufs were lost: " << rte_mempool_in_use_count(each);
        rte_mempool_free(each);
    }
}

rte_mempool* PortTest::make_pool(unsigned count, std::uint16_t room) {
    static unsigned serial = 0;
    const std::string name = "test_" + std::to_string(serial++);
    rte_mempool* made = rte_pktmbuf_pool_create(name.c_str(), count, 64, 0, room, SOCKET_ID_ANY);
    EXPECT_NE(made, nullptr);
    pools_.push_back(made);
    return made;
}

void PortTest::open(net::Config config) {
    std::unique_ptr<device::Device> device;
    nic = &NicModel::create(chip(), device);
    auto driver = e1000::description.open(std::move(device));
    ASSERT_TRUE(driver) << driver.error().message();
    config.pool = config.pool != nullptr ? config.pool : pool;
    config.rx_descriptors = config.rx_descriptors != 0 ? config.rx_descriptors : ring;
    config.tx_descriptors = config.tx_descriptors != 0 ? config.tx_descriptors : ring;
    auto made = net::Port::create(std::move(*driver), "test:", config);
    ASSERT_TRUE(made) << made.error().message();
    port = std::make_unique<net::Port>(std::move(*made));
}

std::vector<std::byte> PortTest::frame(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(seed * 31 + i * 7 + (i >> 8));
    std::memcpy(bytes.data(), &seed, sizeof(seed));
    return bytes;
}

rte_mbuf* PortTest::packet(std::size_t size, unsigned seed, rte_mempool* from) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(from != nullptr ? from : pool);
    const auto bytes = frame(size, seed);
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size)), bytes.data(), size);
    return mbuf;
}

bool PortTest::holds(const rte_mbuf* mbuf, std::span<const std::byte> bytes) {
    if (mbuf->pkt_len != bytes.size())
        return false;
    for (; mbuf != nullptr; mbuf = mbuf->next) {
        if (std::memcmp(rte_pktmbuf_mtod(mbuf, const void*), bytes.data(), mbuf->data_len) != 0)
            return false;
        bytes = bytes.subspan(mbuf->data_len);
    }
    return bytes.empty();
}

std::vector<rte_mbuf*> PortTest::receive(std::size_t most) {
    std::vector<rte_mbuf*> packets(most);
    packets.resize(port->rx(0).burst(packets));
    return packets;
}

std::uint16_t PortTest::send(std::vector<rte_mbuf*> packets) {
    return port->tx(0).burst(packets);
}

std::uint64_t PortTest::xstat(std::string_view name) const {
    for (const net::XStat& each : port->xstats())
        if (each.name == name)
            return each.value;
    ADD_FAILURE() << "no statistic " << name;
    return 0;
}

} // namespace e1000_test
