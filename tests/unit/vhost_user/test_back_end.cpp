// SPDX-License-Identifier: BSD-3-Clause
/// Front-ends that behave, and front-ends that do not, in front of the back-end's engine.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/vhost_user/back_end.hpp>
#include <sluice/vhost_user/front_end.hpp>
#include <sluice/vhost_user/socket.hpp>

#include "fds.hpp"

namespace {

using namespace sluice;
using namespace sluice::vhost_user;

constexpr std::uint64_t packed = std::uint64_t{1} << 34;
constexpr std::uint64_t modern = std::uint64_t{1} << 32;
constexpr std::uint64_t guest_base = 0x1'0000'0000;
constexpr std::uint64_t user_base = 0x7f00'0000'0000;
constexpr std::size_t memory_size = 1 << 20;

struct Device final : Rings {
    std::uint64_t features() const noexcept override { return modern | packed; }
    std::span<const std::byte> config() const noexcept override { return bytes; }
    unsigned pairs() const noexcept override { return 2; }
    void set_features(std::uint64_t features) noexcept override { accepted = features; }
    void start(unsigned index, const RingSetup& ring, const MemoryTable& table) noexcept override {
        EXPECT_FALSE(running.contains(index));
        running[index] = ring;
        memory = &table;
        ++starts;
    }
    std::uint32_t stop(unsigned index) noexcept override {
        EXPECT_EQ(running.erase(index), 1U);
        return base;
    }
    void set_call(unsigned index, int call) noexcept override { running.at(index).call = call; }

    std::array<std::byte, 16> bytes{std::byte{0x52}, std::byte{0x54}};
    std::uint64_t accepted = 0;
    std::uint32_t base = 17;
    unsigned starts = 0;
    std::map<unsigned, RingSetup> running;
    const MemoryTable* memory = nullptr;
};

class BackEndTest : public testing::Test {
  protected:
    void SetUp() override {
        fds_before_ = vhost_user_test::open_fds();
        auto pair = socket_pair();
        ASSERT_TRUE(pair);
        back = std::make_unique<BackEnd>(std::move(pair->first), device);
        front = std::make_unique<FrontEnd>(std::move(pair->second));
        // The engine is pumped by a thread, as a server's would be, until the front-end has gone.
        pump_ = std::thread([this] {
            while (back->pump())
                std::this_thread::sleep_for(std::chrono::microseconds(100));
        });
        memory = UniqueFd(::memfd_create("front", MFD_CLOEXEC));
        ASSERT_EQ(::ftruncate(memory.get(), memory_size), 0);
    }
    void TearDown() override {
        front.reset();
        pump_.join();
        back.reset();
        EXPECT_TRUE(device.running.empty());
        memory.reset();
        EXPECT_EQ(vhost_user_test::open_fds(), fds_before_);
    }

    void agree(std::uint64_t features) {
        ASSERT_TRUE(front->features());
        const auto agreed = front->negotiate_protocol(~std::uint64_t{0});
        ASSERT_TRUE(agreed);
        EXPECT_EQ(*agreed, protocol::mq | protocol::reply_ack | protocol::config | protocol::status);
        ASSERT_TRUE(front->set_owner());
        ASSERT_TRUE(front->set_features(features | protocol_features_bit));
    }
    Result<> share(MemoryRegion region = {guest_base, memory_size, user_base, 0}) {
        const int fd = memory.get();
        return front->set_memory({&region, 1}, {&fd, 1});
    }
    Result<> start_ring(std::uint32_t index, std::uint32_t size = 256, RingAddresses where = {}) {
        if (where.desc == 0)
            where = {index, 0, user_base, user_base + 0x8000, user_base + 0x4000, 0};
        const auto call = EventFd::create();
        const auto kick = EventFd::create();
        if (auto ok = front->set_ring_fd(Request::set_vring_call, index, call->fd()); !ok)
            return ok;
        if (auto ok = front->set_ring(Request::set_vring_num, index, size); !ok)
            return ok;
        if (auto ok = front->set_ring(Request::set_vring_base, index, 0); !ok)
            return ok;
        if (auto ok = front->set_ring_addresses(where); !ok)
            return ok;
        if (auto ok = front->set_ring_fd(Request::set_vring_kick, index, kick->fd()); !ok)
            return ok;
        return front->set_ring(Request::set_vring_enable, index, 1);
    }

    Device device;
    std::unique_ptr<BackEnd> back;
    std::unique_ptr<FrontEnd> front;
    UniqueFd memory;

  private:
    std::size_t fds_before_ = 0;
    std::thread pump_;
};

TEST_F(BackEndTest, starts_and_stops_a_ring) {
    agree(modern);
    EXPECT_EQ(device.accepted, modern);
    EXPECT_EQ(*front->queue_pairs(), 2U);
    ASSERT_TRUE(share());
    EXPECT_TRUE(device.running.empty());
    ASSERT_TRUE(start_ring(1));
    ASSERT_TRUE(device.running.contains(1));
    const RingSetup ring = device.running[1];
    EXPECT_EQ(ring.size, 256);
    EXPECT_EQ(ring.driver - ring.desc, 0x4000);
    EXPECT_EQ(ring.device - ring.desc, 0x8000);
    EXPECT_GE(ring.call, 0);
    EXPECT_GE(ring.kick, 0);
    const auto window = device.memory->guest(guest_base + 5);
    EXPECT_EQ(window.first, guest_base);
    EXPECT_EQ(window.size, memory_size);
    EXPECT_EQ(window.data, ring.desc);
    EXPECT_EQ(device.memory->guest(guest_base + memory_size).size, 0U);
    EXPECT_EQ(device.memory->guest(guest_base - 1).size, 0U);
    const auto base = front->stop_ring(1);
    ASSERT_TRUE(base);
    EXPECT_EQ(*base, 17U);
    EXPECT_TRUE(device.running.empty());
    // It does not start again without a kick.
    ASSERT_TRUE(front->set_ring(Request::set_vring_enable, 1, 1));
    EXPECT_TRUE(device.running.empty());
}

TEST_F(BackEndTest, goes_on_in_new_memory_where_it_stood) {
    agree(modern);
    ASSERT_TRUE(share());
    ASSERT_TRUE(start_ring(0));
    ASSERT_TRUE(start_ring(1));
    ASSERT_TRUE(share());
    EXPECT_EQ(device.starts, 4U);
    EXPECT_EQ(device.running.size(), 2U);
    EXPECT_EQ(device.running[0].base, 17U);
    // Memory without the rings: they stay stopped, and the front-end is told.
    EXPECT_FALSE(share({guest_base, 4096, user_base, 0}));
    EXPECT_TRUE(device.running.empty());
}

TEST_F(BackEndTest, refuses_rings_that_lie_outside_the_memory) {
    agree(modern);
    ASSERT_TRUE(share());
    const std::uint64_t end = user_base + memory_size;
    const RingAddresses bad[] = {
        {0, 0, user_base - 16, user_base + 0x8000, user_base + 0x4000, 0},
        {0, 0, end - 16, user_base + 0x8000, user_base + 0x4000, 0},
        {0, 0, user_base, end - 8, user_base + 0x4000, 0},
        {0, 0, user_base, user_base + 0x8000, end, 0},
        {0, 0, user_base + 8, user_base + 0x8000, user_base + 0x4000, 0}, // misaligned
        {0, 0, user_base, user_base + 0x8002, user_base + 0x4000, 0},
        {0, 0, ~std::uint64_t{0} - 15, user_base + 0x8000, user_base + 0x4000, 0},
        {0, 0, guest_base, guest_base + 0x8000, guest_base + 0x4000,
         0}, // guest addresses are not user addresses
    };
    for (const RingAddresses& where : bad) {
        EXPECT_FALSE(start_ring(0, 256, where));
        EXPECT_TRUE(device.running.empty());
    }
    ASSERT_TRUE(start_ring(0));
}

TEST_F(BackEndTest, refuses_memory_that_is_not_there) {
    agree(modern);
    const MemoryRegion bad[] = {
        {guest_base, 0, user_base, 0},
        {guest_base, memory_size + 1, user_base, 0},
        {guest_base, memory_size, user_base, 1},
        {guest_base, memory_size, user_base, ~std::uint64_t{0} - 4095},
        {~std::uint64_t{0} - 4095, memory_size, user_base, 0},
        {guest_base, memory_size, ~std::uint64_t{0} - 4095, 0},
        {guest_base, ~std::uint64_t{0}, user_base, 0},
    };
    for (const MemoryRegion& region : bad)
        EXPECT_FALSE(share(region));
    const MemoryRegion twice[] = {{guest_base, 8192, user_base, 0},
                                  {guest_base + 4096, 8192, user_base + 8192, 8192}};
    const int fds[] = {memory.get(), memory.get()};
    EXPECT_FALSE(front->set_memory(twice, fds));
    EXPECT_TRUE(share());
    // An offset inside a page.
    EXPECT_TRUE(share({guest_base, memory_size - 0x1100, user_base, 0x1100}));
}

TEST_F(BackEndTest, refuses_values_that_no_ring_has) {
    agree(modern | packed);
    ASSERT_TRUE(share());
    for (const std::uint32_t size : {0U, 3U, 65536U, 0x80000000U})
        EXPECT_FALSE(front->set_ring(Request::set_vring_num, 0, size));
    for (const std::uint32_t index : {4U, 255U, 0xffffffffU}) {
        EXPECT_FALSE(front->set_ring(Request::set_vring_num, index, 256));
        EXPECT_FALSE(front->set_ring(Request::set_vring_enable, index, 1));
        EXPECT_FALSE(front->stop_ring(index));
    }
    EXPECT_FALSE(front->set_ring_fd(Request::set_vring_kick, 4, -1));
    EXPECT_FALSE(front->set_features(1));
    // A packed ring's base is a descriptor of it.
    ASSERT_TRUE(front->set_ring(Request::set_vring_num, 0, 64));
    ASSERT_TRUE(front->set_ring(Request::set_vring_base, 0, 0x8040));
    ASSERT_TRUE(front->set_ring_addresses({0, 0, user_base, user_base + 0x8000, user_base + 0x4000, 0}));
    ASSERT_TRUE(front->set_ring_fd(Request::set_vring_kick, 0, -1));
    EXPECT_FALSE(front->set_ring(Request::set_vring_enable, 0, 1));
    ASSERT_TRUE(front->set_ring(Request::set_vring_base, 0, 0x803f));
    EXPECT_TRUE(front->set_ring(Request::set_vring_enable, 0, 1));
    EXPECT_EQ(device.running[0].kick, -1);
    EXPECT_FALSE(front->set_features(modern | protocol_features_bit)) << "while a ring runs";
}

TEST_F(BackEndTest, stops_everything_when_the_front_end_dies) {
    agree(modern);
    ASSERT_TRUE(share());
    for (std::uint32_t i = 0; i < 4; ++i)
        ASSERT_TRUE(start_ring(i));
    EXPECT_EQ(device.running.size(), 4U);
    // TearDown looks at rings and descriptors.
}

TEST_F(BackEndTest, stops_for_a_reset) {
    agree(modern);
    ASSERT_TRUE(share());
    ASSERT_TRUE(start_ring(0));
    ASSERT_TRUE(front->set_status(15));
    EXPECT_EQ(device.running.size(), 1U);
    ASSERT_TRUE(front->set_status(0));
    EXPECT_TRUE(device.running.empty());
}

} // namespace
