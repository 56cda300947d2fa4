// SPDX-License-Identifier: BSD-3-Clause
// The soft NIC as its driver sees it: registers, queues, interrupts, control queue.
#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/config/space.hpp>
#include <sluice/model/soft_nic.hpp>

#include "driver.hpp"

namespace model_test {
namespace {

using device::Irq;
using model::NetHeader;
namespace feature = model::feature;

constexpr auto bar = device::Region::bar4;
constexpr std::uint64_t base_features =
    feature::version_1 | feature::access_platform | feature::ctrl_vq | feature::ctrl_rx | feature::ctrl_mac;

/// A soft NIC and a driver's hands on it, with queues 0 and 1 and the control queue.
template <typename Driver>
class Nic {
  public:
    explicit Nic(model::NicOptions options = {}) {
        options.packed = Driver::packed;
        if (options.backend.kind.empty())
            options.backend.kind = "loop";
        pairs_ = options.queues;
        auto made = model::make_soft_nic(options);
        EXPECT_TRUE(made) << made.error().message();
        device = std::move(*made);
        EXPECT_TRUE(device->space()->map(Iova{Block::base}, block.span(), device::DmaAccess::read_write));
    }

    std::uint64_t read(std::uint64_t offset, unsigned width) {
        std::uint64_t value = 0;
        EXPECT_TRUE(device->read(bar, offset, std::as_writable_bytes(std::span(&value, 1)).first(width)));
        return value;
    }
    void write(std::uint64_t offset, unsigned width, std::uint64_t value) {
        EXPECT_TRUE(device->write(bar, offset, std::as_bytes(std::span(&value, 1)).first(width)));
    }
    std::uint64_t status() { return read(0x14, 1); }
    std::uint64_t offered() {
        write(0x00, 4, 0);
        const std::uint64_t low = read(0x04, 4);
        write(0x00, 4, 1);
        return low | read(0x04, 4) << 32;
    }
    /// Steps 1 to 6 of §3.1.1. True when the device takes the features.
    bool negotiate(std::uint64_t features) {
        write(0x14, 1, 0);
        write(0x14, 1, 1);
        write(0x14, 1, 3);
        write(0x08, 4, 0);
        write(0x0c, 4, features & 0xffffffff);
        write(0x08, 4, 1);
        write(0x0c, 4, features >> 32);
        write(0x14, 1, 11);
        return (status() & 8) != 0;
    }
    void set_queue(std::uint16_t index, Driver& driver, std::uint16_t vector = 0xffff) {
        write(0x16, 2, index);
        write(0x18, 2, driver.size());
        EXPECT_EQ(read(0x18, 2), driver.size());
        write(0x1a, 2, vector);
        write(0x20, 8, driver.areas().desc);
        write(0x28, 8, driver.areas().driver);
        write(0x30, 4, driver.areas().device);
        write(0x34, 4, driver.areas().device >> 32);
        write(0x1c, 2, 1);
    }
    /// All of it: the device is live.
    void start(std::uint64_t features = base_features) {
        if (Driver::packed)
            features |= feature::ring_packed;
        ASSERT_TRUE(negotiate(features));
        receive = std::make_unique<Driver>(block, 16);
        transmit = std::make_unique<Driver>(block, 16);
        control = std::make_unique<Driver>(block, 16);
        set_queue(0, *receive, 1);
        set_queue(1, *transmit, 2);
        set_queue(static_cast<std::uint16_t>((features & feature::mq) != 0 ? 2 * pairs_ : 2), *control, 3);
        control_index = (features & feature::mq) != 0 ? 2 * pairs_ : 2;
        write(0x14, 1, 15);
        data = block.take(128 << 10);
    }
    /// The device's answer to a command.
    int command(std::vector<unsigned> bytes) {
        const std::uint64_t at = data;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            *block.at(at + i) = static_cast<std::byte>(bytes[i]);
        *block.at(at + 8192) = std::byte{0xee};
        const Part parts[] = {
            {at, 2}, {at + 2, static_cast<std::uint32_t>(bytes.size() - 2)}, {at + 8192, 1, true}};
        control->post(parts);
        write(0x3000 + 4 * control_index, 2, control_index);
        const auto used = control->used();
        EXPECT_TRUE(used && used->length == 1);
        return std::to_integer<int>(*block.at(at + 8192));
    }
    /// Sends `frame`, and receives what comes back into buffers of `room` bytes.
    void send(const Bytes& frame, const NetHeader& header = {}) {
        const std::uint64_t at = data + 16384 + 2048ULL * (sent_++ % 8);
        std::memcpy(block.at(at), &header, sizeof header);
        std::ranges::copy(frame, block.at(at + 12));
        const Part parts[] = {{at, 12}, {at + 12, static_cast<std::uint32_t>(frame.size())}};
        transmit->post(parts);
    }
    void post_receive(std::uint32_t room, unsigned count = 1) {
        for (unsigned i = 0; i < count; ++i) {
            const std::uint64_t at = data + (40 << 10) + 4096ULL * (posted_++ % 16);
            const Part part[] = {{at, room, true}};
            buffers_[receive->post(part)] = at;
        }
    }
    struct Received {
        std::vector<std::uint32_t> lengths;
        NetHeader header{};
        Bytes bytes;
    };
    std::optional<Received> received() {
        Received frame;
        unsigned left = 1;
        for (bool first = true; left != 0; --left, first = false) {
            const auto used = receive->used();
            if (!used)
                return std::nullopt;
            frame.lengths.push_back(used->length);
            const std::byte* at = block.at(buffers_.at(used->id));
            const std::byte* const end = at + used->length;
            if (first) {
                std::memcpy(static_cast<void*>(&frame.header), at, sizeof frame.header);
                at += sizeof frame.header;
                left = frame.header.num_buffers;
            }
            frame.bytes.insert(frame.bytes.end(), at, end);
        }
        return frame;
    }
    std::uint64_t counted(const std::string& name) {
        for (const auto& [each, value] : device->statistics())
            if (each == name)
                return value;
        ADD_FAILURE() << "no statistic " << name;
        return 0;
    }

    Block block;
    std::unique_ptr<device::Device> device;
    std::unique_ptr<Driver> receive;
    std::unique_ptr<Driver> transmit;
    std::unique_ptr<Driver> control;
    std::uint64_t control_index = 2;
    std::uint64_t data = 0;

  private:
    unsigned pairs_ = 1;
    unsigned posted_ = 0;
    unsigned sent_ = 0;
    std::map<std::uint16_t, std::uint64_t> buffers_;
};

Bytes frame_of(std::size_t size, unsigned seed = 1) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(seed + i * 7 + (i >> 8));
    bytes[0] = std::byte{2};
    return bytes;
}

template <typename Driver>
class SoftNic : public testing::Test {};
using Drivers = testing::Types<SplitDriver, PackedDriver>;
TYPED_TEST_SUITE(SoftNic, Drivers);

TEST(SoftNicConfig, has_the_capabilities_of_a_modern_device) {
    Nic<SplitDriver> nic;
    config::Space& config = nic.device->config();
    EXPECT_EQ(config.read32(0).value(), 0x10411af4U);
    EXPECT_EQ(config.read16(0x0a).value(), 0x0200U);
    std::map<unsigned, unsigned> structures;
    unsigned msix = 0;
    for (unsigned at = config.read8(0x34).value(); at != 0; at = config.read8(at + 1).value()) {
        if (config.read8(at).value() == 0x11)
            msix = config.read16(at + 2).value() + 1U;
        if (config.read8(at).value() == 0x09)
            structures[config.read8(at + 3).value()] = config.read32(at + 8).value();
    }
    EXPECT_EQ(msix, 4U);
    EXPECT_EQ(structures, (std::map<unsigned, unsigned>{{1, 0x0000}, {2, 0x3000}, {3, 0x1000}, {4, 0x2000}}));
    EXPECT_EQ(nic.device->interrupts().info(Irq::msix).count, 4U);
    EXPECT_EQ(nic.device->interrupts().info(Irq::intx).count, 1U);
    EXPECT_TRUE(nic.device->needs_poll());
}

TYPED_TEST(SoftNic, takes_features_that_it_offers_and_that_fit) {
    Nic<TypeParam> nic;
    const std::uint64_t offered = nic.offered();
    EXPECT_NE(offered & feature::in_order, 0U);
    EXPECT_EQ((offered & feature::ring_packed) != 0, TypeParam::packed);
    EXPECT_EQ(offered & feature::mq, 0U);
    EXPECT_TRUE(nic.negotiate(offered));
    EXPECT_FALSE(nic.negotiate(offered | feature::mq)) << "not offered";
    EXPECT_FALSE(nic.negotiate(offered & ~feature::version_1));
    EXPECT_FALSE(nic.negotiate(feature::version_1 | feature::ctrl_rx));
    EXPECT_FALSE(nic.negotiate(feature::version_1 | feature::guest_tso4));
    EXPECT_FALSE(nic.negotiate(feature::version_1 | feature::host_tso6));
    nic.write(0x14, 1, 15);
    EXPECT_EQ(nic.status() & 4, 0U) << "not live without its features";
    EXPECT_TRUE(nic.negotiate(feature::version_1));
    nic.write(0x08, 4, 0);
    nic.write(0x0c, 4, 0xffffffff);
    EXPECT_EQ(nic.read(0x0c, 4), 0U) << "agreed is agreed";
}

TYPED_TEST(SoftNic, has_registers_that_are_bounded) {
    Nic<TypeParam> nic;
    EXPECT_EQ(nic.read(0x12, 2), 3U);
    EXPECT_EQ(nic.read(0x18, 2), 1024U);
    nic.write(0x18, 2, 2048);
    EXPECT_EQ(nic.read(0x18, 2), 1024U);
    nic.write(0x18, 2, 100);
    EXPECT_EQ(nic.read(0x18, 2), 1024U) << "no power of two, and rings are not packed yet";
    nic.write(0x10, 2, 3);
    EXPECT_EQ(nic.read(0x10, 2), 3U);
    nic.write(0x10, 2, 4);
    EXPECT_EQ(nic.read(0x10, 2), 0xffffU);
    nic.write(0x16, 2, 3);
    EXPECT_EQ(nic.read(0x18, 2), 0U) << "no such queue";
    nic.write(0x18, 2, 256);
    nic.write(0x1c, 2, 1);
    EXPECT_EQ(nic.read(0x1c, 2), 0U);
    nic.write(0x16, 2, 0);
    nic.write(0x1c, 2, 1);
    EXPECT_EQ(nic.read(0x1c, 2), 0U) << "features first";
    nic.write(0x3000 + 4 * 1000, 2, 1000);
    EXPECT_EQ(nic.read(0x2000 + 6, 2), 1U) << "link up";
    EXPECT_EQ(nic.read(0x2000 + 8, 2), 1U);
    EXPECT_EQ(nic.read(0x2000, 1), 2U) << "locally administered";
    EXPECT_EQ(nic.read(0x3ff8, 8), 0U);
}

TYPED_TEST(SoftNic, moves_frames_and_interrupts) {
    Nic<TypeParam> nic;
    std::array<EventFd, 4> events = {*EventFd::create(), *EventFd::create(), *EventFd::create(),
                                     *EventFd::create()};
    const std::array fds = {events[0].fd(), events[1].fd(), events[2].fd(), events[3].fd()};
    ASSERT_TRUE(nic.device->interrupts().enable(Irq::msix, fds));
    nic.start();
    EXPECT_FALSE(nic.transmit->doorbells_wanted());
    EXPECT_TRUE(nic.control->doorbells_wanted());
    nic.receive->want_interrupts(true);
    nic.transmit->want_interrupts(false);
    nic.post_receive(2000, 2);
    const Bytes frame = frame_of(777);
    nic.send(frame);
    EXPECT_EQ(nic.device->poll(), 2U);
    EXPECT_EQ(nic.device->poll(), 0U);
    EXPECT_TRUE(nic.transmit->used());
    const auto got = nic.received();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, frame);
    EXPECT_EQ(got->lengths, std::vector<std::uint32_t>{789});
    EXPECT_EQ(got->header.num_buffers, 1);
    EXPECT_EQ(events[1].take(), 1U);
    EXPECT_EQ(events[2].take(), 0U);
    EXPECT_FALSE(nic.received());
}

TYPED_TEST(SoftNic, raises_intx_without_msix) {
    Nic<TypeParam> nic;
    auto event = *EventFd::create();
    const std::array fds = {event.fd()};
    ASSERT_TRUE(nic.device->interrupts().enable(Irq::intx, fds));
    nic.start();
    nic.receive->want_interrupts(true);
    nic.post_receive(2000);
    nic.send(frame_of(60));
    nic.device->poll();
    EXPECT_EQ(event.take(), 1U);
    EXPECT_EQ(nic.read(0x1000, 1), 1U);
    EXPECT_EQ(nic.read(0x1000, 1), 0U) << "reading clears";
}

TYPED_TEST(SoftNic, fills_as_many_buffers_as_a_frame_needs) {
    Nic<TypeParam> nic;
    nic.start(base_features | feature::mrg_rxbuf);
    const Bytes frame = frame_of(1500);
    nic.send(frame);
    nic.post_receive(512, 2);
    nic.device->poll();
    EXPECT_FALSE(nic.received()) << "it waits for a third buffer";
    nic.post_receive(512);
    nic.device->poll();
    const auto got = nic.received();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->lengths, (std::vector<std::uint32_t>{512, 512, 488}));
    EXPECT_EQ(got->bytes, frame);
}

TYPED_TEST(SoftNic, drops_a_frame_that_fits_no_buffer) {
    Nic<TypeParam> nic;
    nic.start(base_features);
    nic.post_receive(512, 2);
    nic.send(frame_of(1500));
    nic.send(frame_of(100));
    nic.device->poll();
    nic.device->poll();
    const auto got = nic.received();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes.size(), 100U);
    EXPECT_EQ(nic.counted("received_too_long"), 1U);
}

TYPED_TEST(SoftNic, finishes_checksums_for_a_driver_that_takes_none) {
    const auto exchange = [](std::uint64_t features) {
        Nic<TypeParam> nic;
        nic.start(base_features | feature::csum | features);
        nic.post_receive(2000);
        NetHeader header{};
        header.flags = NetHeader::needs_csum;
        header.csum_start = std::uint16_t{34};
        header.csum_offset = std::uint16_t{6};
        nic.send(Bytes(60), header);
        nic.device->poll();
        return *nic.received();
    };
    const auto finished = exchange(0);
    EXPECT_EQ(finished.header.flags, 0);
    EXPECT_EQ(finished.bytes[40], std::byte{0xff}) << "the complement of a sum of zeroes";
    const auto partial = exchange(feature::guest_csum);
    EXPECT_EQ(partial.header.flags, NetHeader::needs_csum);
    EXPECT_EQ(partial.header.csum_start, 34);
    EXPECT_EQ(partial.bytes[40], std::byte{0});
}

TYPED_TEST(SoftNic, drops_and_counts_frames_that_cannot_be) {
    Nic<TypeParam> nic;
    nic.start();
    nic.post_receive(2000, 2);
    NetHeader header{};
    header.flags = NetHeader::needs_csum; // not negotiated
    nic.send(frame_of(60), header);
    nic.send(Bytes(13));
    header = {};
    header.gso_type = 3;
    nic.send(frame_of(60), header);
    const Part part[] = {{nic.data, 11}}; // a header and no more, nor all of it
    nic.transmit->post(part);
    nic.send(frame_of(64));
    nic.device->poll();
    for (unsigned i = 0; i < 5; ++i)
        EXPECT_TRUE(nic.transmit->used()) << i;
    ASSERT_TRUE(nic.received());
    EXPECT_FALSE(nic.received());
    EXPECT_EQ(nic.counted("sent_bad"), 4U);
    EXPECT_EQ(nic.counted("sent"), 1U);
    EXPECT_EQ(nic.status() & 64, 0U);
}

TYPED_TEST(SoftNic, filters_what_the_driver_does_not_want) {
    Nic<TypeParam> nic({.mac = std::array{std::byte{2}, std::byte{1}, std::byte{1}, std::byte{1},
                                          std::byte{1}, std::byte{1}}});
    nic.start();
    const auto wants = [&](std::vector<unsigned> address) {
        Bytes frame(60);
        for (std::size_t i = 0; i < 6; ++i)
            frame[i] = static_cast<std::byte>(address[i]);
        nic.post_receive(2000);
        nic.send(frame);
        nic.device->poll();
        EXPECT_TRUE(nic.transmit->used());
        return nic.received().has_value();
    };
    const std::vector<unsigned> own = {2, 1, 1, 1, 1, 1};
    const std::vector<unsigned> other = {2, 1, 1, 1, 1, 2};
    const std::vector<unsigned> group = {0x33, 0x33, 0, 0, 0, 1};
    const std::vector<unsigned> all(6, 0xff);
    EXPECT_TRUE(wants(other)) << "promiscuous at birth";
    EXPECT_EQ(nic.command({0, 0, 0}), 0);
    EXPECT_TRUE(wants(own));
    EXPECT_TRUE(wants(all));
    EXPECT_FALSE(wants(other));
    EXPECT_FALSE(wants(group));
    EXPECT_EQ(nic.command({0, 1, 1}), 0);
    EXPECT_TRUE(wants(group));
    EXPECT_EQ(nic.command({0, 1, 0}), 0);
    EXPECT_EQ(nic.command({1, 0, 1, 0, 0, 0, 2, 1, 1, 1, 1, 2, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1}), 0);
    EXPECT_TRUE(wants(other));
    EXPECT_TRUE(wants(group));
    EXPECT_EQ(nic.command({1, 1, 2, 9, 9, 9, 9, 9}), 0);
    EXPECT_FALSE(wants(own));
    EXPECT_TRUE(wants({2, 9, 9, 9, 9, 9}));
}

TYPED_TEST(SoftNic, refuses_commands_that_make_no_sense) {
    Nic<TypeParam> nic;
    nic.start();
    EXPECT_EQ(nic.command({0, 0, 2}), 1);
    EXPECT_EQ(nic.command({0, 9, 1}), 1);
    EXPECT_EQ(nic.command({7, 0, 1}), 1);
    EXPECT_EQ(nic.command({4, 0, 1, 0}), 1) << "queue pairs were not negotiated";
    EXPECT_EQ(nic.command({1, 0, 0xff, 0xff, 0xff, 0xff}), 1);
    EXPECT_EQ(nic.command({1, 0, 3, 0, 0, 0, 2}), 1);
    EXPECT_EQ(nic.command({1, 1, 2}), 1);
    std::vector<unsigned> many(6000, 0);
    many[0] = 1;
    EXPECT_EQ(nic.command(many), 1);
    EXPECT_EQ(nic.command({0, 0, 1}), 0) << "and goes on";
}

TYPED_TEST(SoftNic, runs_as_many_pairs_as_it_is_told) {
    Nic<TypeParam> nic({.queues = 4});
    nic.start(base_features | feature::mq);
    EXPECT_EQ(nic.read(0x2000 + 8, 2), 4U);
    EXPECT_EQ(nic.command({4, 0, 0, 0}), 1);
    EXPECT_EQ(nic.command({4, 0, 5, 0}), 1);
    EXPECT_EQ(nic.command({4, 0, 4, 0}), 0);
    TypeParam receive(nic.block, 16);
    TypeParam transmit(nic.block, 16);
    nic.set_queue(6, receive); // late, but there
    nic.set_queue(7, transmit);
    const Part in[] = {{nic.data, 200, true}};
    const Part out[] = {{nic.data + 4096, 100}};
    receive.post(in);
    transmit.post(out);
    nic.device->poll();
    EXPECT_TRUE(transmit.used());
    const auto used = receive.used();
    ASSERT_TRUE(used);
    EXPECT_EQ(used->length, 100U);
}

TYPED_TEST(SoftNic, asks_for_a_reset_when_its_driver_lies) {
    Nic<TypeParam> nic;
    auto event = *EventFd::create();
    const std::array fds = {event.fd()};
    ASSERT_TRUE(nic.device->interrupts().enable(Irq::msix, fds));
    nic.start();
    nic.write(0x10, 2, 0);
    const Part part[] = {{0x1234, 60}};
    nic.transmit->post(part);
    nic.device->poll();
    EXPECT_EQ(nic.status(), 15U | 64U);
    EXPECT_EQ(event.take(), 1U);
    EXPECT_EQ(nic.counted("lies"), 1U);
    nic.device->poll();
    EXPECT_EQ(nic.counted("lies"), 1U);
    nic.start();
    EXPECT_EQ(nic.status(), 15U);
    nic.post_receive(500);
    nic.send(frame_of(100));
    nic.device->poll();
    EXPECT_TRUE(nic.received());
}

TYPED_TEST(SoftNic, asks_for_a_reset_when_rings_lie_nowhere) {
    Nic<TypeParam> nic;
    for (const unsigned offset : {0x20U, 0x28U, 0x30U}) {
        for (const std::uint64_t address :
             {std::uint64_t{0}, Block::base - 16, Block::base + Block::size - 16, Block::base + 1}) {
            ASSERT_TRUE(nic.negotiate(feature::version_1 | (TypeParam::packed ? feature::ring_packed : 0)));
            TypeParam driver(nic.block, 64);
            nic.write(0x16, 2, 0);
            nic.write(0x18, 2, 64);
            nic.write(0x20, 8, driver.areas().desc);
            nic.write(0x28, 8, driver.areas().driver);
            nic.write(0x30, 8, driver.areas().device);
            nic.write(offset, 8, address);
            nic.write(0x1c, 2, 1);
            nic.write(0x14, 1, 15);
            const bool fits =
                TypeParam::packed && offset != 0x20 && address == Block::base + Block::size - 16;
            EXPECT_EQ((nic.status() & 64) == 0, fits) << std::hex << offset << " " << address;
            EXPECT_EQ(nic.device->poll(), 0U);
        }
    }
}

TYPED_TEST(SoftNic, lets_go_of_rings_whose_memory_goes) {
    Nic<TypeParam> nic;
    nic.start();
    nic.post_receive(500);
    nic.send(frame_of(100));
    ASSERT_TRUE(nic.device->space()->unmap(Iova{Block::base}, Block::size));
    EXPECT_EQ(nic.device->poll(), 0U);
    EXPECT_NE(nic.status() & 64, 0U);
    EXPECT_FALSE(nic.transmit->used());
}

TYPED_TEST(SoftNic, does_nothing_after_a_reset) {
    Nic<TypeParam> nic;
    nic.start();
    nic.post_receive(500);
    nic.send(frame_of(100));
    ASSERT_TRUE(nic.device->reset());
    EXPECT_EQ(nic.status(), 0U);
    EXPECT_EQ(nic.device->poll(), 0U);
    EXPECT_FALSE(nic.transmit->used());
    EXPECT_EQ(nic.read(0x1c, 2), 0U);
}

TYPED_TEST(SoftNic, moves_a_bounded_number_of_frames_at_once) {
    Nic<TypeParam> nic;
    nic.start();
    // Everything that is sent comes back, and is sent again: a poll ends all the same.
    nic.post_receive(500, 16);
    for (unsigned i = 0; i < 8; ++i)
        nic.send(frame_of(100));
    EXPECT_EQ(nic.device->poll(), 16U);
    EXPECT_EQ(nic.device->poll(), 0U);
}

TYPED_TEST(SoftNic, is_controlled_while_another_thread_polls_it) {
    Nic<TypeParam> nic;
    std::atomic<bool> stop{false};
    std::thread poller([&] {
        while (!stop.load(std::memory_order_relaxed))
            nic.device->poll();
    });
    // Each start takes new rings out of the block.
    for (unsigned round = 0; round < 3; ++round) {
        nic.start();
        EXPECT_EQ(nic.command({0, 0, 0}), 0);
        EXPECT_EQ(nic.command({0, 0, 1}), 0);
        for (unsigned i = 0; i < 100; ++i) {
            nic.post_receive(500);
            nic.send(frame_of(60 + i, i));
            std::optional<typename Nic<TypeParam>::Received> got;
            while (!(got = nic.received()))
                std::this_thread::yield();
            EXPECT_EQ(got->bytes, frame_of(60 + i, i));
            while (!nic.transmit->used())
                std::this_thread::yield();
        }
        ASSERT_TRUE(nic.device->reset());
    }
    // Its memory goes while it is in use.
    nic.start();
    nic.post_receive(500, 8);
    nic.send(frame_of(100));
    ASSERT_TRUE(nic.device->space()->unmap(Iova{Block::base}, Block::size));
    std::ranges::fill(nic.block.span(), std::byte{0xff});
    while ((nic.status() & 64) == 0)
        std::this_thread::yield();
    stop = true;
    poller.join();
}

TYPED_TEST(SoftNic, breaks_a_receive_queue_without_room) {
    Nic<TypeParam> nic;
    nic.start(base_features | feature::mrg_rxbuf);
    nic.post_receive(11);
    nic.send(frame_of(100));
    nic.device->poll();
    EXPECT_NE(nic.status() & 64, 0U);
}

} // namespace
} // namespace model_test
