// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

#include "../dma/eal.hpp"

namespace virtio_test {

namespace {
[[maybe_unused]] const auto* const eal = testing::AddGlobalTestEnvironment(new sluice::test::Eal);
} // namespace

ModelOptions Format::options() const {
    ModelOptions options = ModelOptions::full();
    if (packed)
        options.features.add(Feature::ring_packed);
    if (in_order)
        options.features.add(Feature::in_order);
    if (!mergeable)
        options.features.remove(Feature::mrg_rxbuf);
    return options;
}

std::vector<Format> all_formats(bool in_order) {
    std::vector<Format> formats;
    for (const bool packed : {false, true})
        for (const bool order : {false, true})
            for (const bool mergeable : {false, true})
                if (in_order || !order)
                    formats.push_back({packed, order, mergeable});
    return formats;
}

std::string format_name(const testing::TestParamInfo<Format>& test) {
    const Format& format = test.param;
    return std::string(format.packed ? "packed" : "split") + (format.in_order ? "_in_order" : "") +
           (format.mergeable ? "_mergeable" : "_plain");
}

void PortTest::SetUp() {
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
    const std::string name = "virtio_" + std::to_string(serial++);
    rte_mempool* made = rte_pktmbuf_pool_create(name.c_str(), count, 64, 0, room, SOCKET_ID_ANY);
    EXPECT_NE(made, nullptr);
    pools_.push_back(made);
    return made;
}

Result<net::Port> PortTest::try_open(const ModelOptions& options, net::Config config) {
    std::unique_ptr<device::Device> device;
    nic = &NetModel::create(options, device);
    auto driver = virtio::description.open(std::move(device));
    if (!driver)
        return propagate(std::move(driver));
    config.pool = config.pool != nullptr ? config.pool : pool;
    config.rx_descriptors = config.rx_descriptors != 0 ? config.rx_descriptors : ring;
    config.tx_descriptors = config.tx_descriptors != 0 ? config.tx_descriptors : ring;
    return net::Port::create(std::move(*driver), "test:", config);
}

void PortTest::open(const ModelOptions& options, net::Config config) {
    auto made = try_open(options, std::move(config));
    ASSERT_TRUE(made) << made.error().message();
    port = std::make_unique<net::Port>(std::move(*made));
}

Error PortTest::open_error(const ModelOptions& options, net::Config config) {
    auto made = try_open(options, std::move(config));
    nic = nullptr;
    if (!made)
        return made.error();
    ADD_FAILURE() << "it opened";
    return Error(0, "none");
}

Bytes PortTest::frame(std::size_t size, unsigned seed) {
    Bytes bytes(size);
    auto* const data = bytes.data();
    for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<std::byte>(seed * 31 + i * 7 + (i >> 8));
    return bytes;
}

rte_mbuf* PortTest::packet(std::size_t size, unsigned seed, rte_mempool* from) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(from != nullptr ? from : pool);
    const auto bytes = frame(size, seed);
    std::copy(bytes.begin(), bytes.end(),
              reinterpret_cast<std::byte*>(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size))));
    return mbuf;
}

rte_mbuf* PortTest::chain(std::vector<std::size_t> sizes, unsigned seed) {
    const auto bytes = frame(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), seed);
    rte_mbuf* head = nullptr;
    std::size_t done = 0;
    for (const std::size_t size : sizes) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
        std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size)), bytes.data() + done, size);
        done += size;
        if (head == nullptr)
            head = mbuf;
        else
            EXPECT_EQ(rte_pktmbuf_chain(head, mbuf), 0);
    }
    return head;
}

bool PortTest::holds(const rte_mbuf* mbuf, std::span<const std::byte> bytes) {
    if (mbuf->pkt_len != bytes.size())
        return false;
    unsigned segments = mbuf->nb_segs;
    for (; mbuf != nullptr; mbuf = mbuf->next, --segments) {
        if (bytes.size() < mbuf->data_len ||
            std::memcmp(rte_pktmbuf_mtod(mbuf, const void*), bytes.data(), mbuf->data_len) != 0)
            return false;
        bytes = bytes.subspan(mbuf->data_len);
    }
    return bytes.empty() && segments == 0;
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

void PortTest::expect_through(std::size_t size, unsigned seed) {
    const auto bytes = frame(size, seed);
    ASSERT_TRUE(nic->deliver(bytes));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_TRUE(holds(packets[0], bytes)) << "size " << size;
    rte_pktmbuf_free(packets[0]);
}

bool PortTest::wait(const std::function<bool()>& what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!what()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::yield();
    }
    return true;
}

void PortTest::expect_back(rte_mbuf* sent, std::size_t size, unsigned seed, std::uint16_t queue) {
    ASSERT_TRUE(wait([&] { return port->tx(queue).burst({&sent, 1}) == 1; }));
    rte_mbuf* got = nullptr;
    ASSERT_TRUE(wait([&] { return port->rx(queue).burst({&got, 1}) == 1; })) << "frame " << seed;
    EXPECT_TRUE(holds(got, frame(size, seed))) << "frame " << seed;
    rte_pktmbuf_free(got);
}

} // namespace virtio_test
