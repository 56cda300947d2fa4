// SPDX-License-Identifier: BSD-3-Clause
// Drivers that lie: the device notices, its work is bounded, and it starts again.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <sluice/model/datapath.hpp>

#include "driver.hpp"

namespace model_test {
namespace {

using model::Buffers;
using model::Chain;
using model::Take;
using std::string_view_literals::operator""sv;

template <typename Driver>
class Lies : public testing::Test {
  protected:
    void SetUp() override { ring.start(driver.memory()); }

    std::string_view caught() {
        Chain chain;
        EXPECT_EQ(ring.take(block, *buffers, chain), Take::broken);
        EXPECT_EQ(ring.take(block, *buffers, chain), Take::broken) << "it stays broken";
        EXPECT_FALSE(ring.ready());
        const std::string_view fault = ring.fault() != nullptr ? ring.fault() : "";
        driver_works_again();
        return fault;
    }
    void driver_works_again() {
        Driver other(block, 8);
        const Part part[] = {{data, 60}};
        other.post(part);
        ring.start(other.memory());
        buffers->clear();
        Chain chain;
        EXPECT_EQ(ring.take(block, *buffers, chain), Take::taken);
    }

    Block block;
    Driver driver{block, 8};
    typename Driver::Ring ring;
    std::unique_ptr<Buffers> buffers = std::make_unique<Buffers>();
    std::uint64_t data = block.take(4096);
};

using SplitLies = Lies<SplitDriver>;
using PackedLies = Lies<PackedDriver>;
using Drivers = testing::Types<SplitDriver, PackedDriver>;
template <typename Driver>
class AnyLies : public Lies<Driver> {};
TYPED_TEST_SUITE(AnyLies, Drivers);

TYPED_TEST(AnyLies, catches_memory_that_is_not_mapped) {
    for (const std::uint64_t address : {std::uint64_t{0}, Block::base - 1, Block::base + Block::size - 10,
                                        ~std::uint64_t{0}, ~std::uint64_t{0} - 30}) {
        TypeParam liar(this->block, 8);
        this->ring.start(liar.memory());
        const Part part[] = {{address, 60}};
        liar.post(part);
        EXPECT_EQ(this->caught(), "a buffer that is not mapped for the device"sv) << address;
    }
}

TYPED_TEST(AnyLies, catches_a_length_without_end) {
    const Part part[] = {{this->data, 0xffffffff}};
    this->driver.post(part);
    EXPECT_EQ(this->caught(), "a buffer that is not mapped for the device"sv);
}

TYPED_TEST(AnyLies, catches_a_buffer_to_be_read_behind_one_to_be_written) {
    const Part parts[] = {{this->data, 60, true}, {this->data, 60}};
    this->driver.post(parts);
    EXPECT_EQ(this->caught(), "a buffer to be read behind one to be written"sv);
}

TYPED_TEST(AnyLies, catches_an_indirect_descriptor) {
    const Part part[] = {{this->data, 60}};
    this->driver.post(part);
    for (std::uint16_t i = 0; i < 8; ++i)
        this->driver.desc(i).flags = static_cast<std::uint16_t>(this->driver.desc(i).flags | 4);
    EXPECT_EQ(this->caught(), "an indirect descriptor, which was not negotiated"sv);
}

TEST_F(SplitLies, catches_a_chain_that_bites_its_tail) {
    const Part parts[] = {{data, 10}, {data, 10}, {data, 10}};
    driver.post(parts);
    driver.desc(2).flags = std::uint16_t{1};
    driver.desc(2).next = std::uint16_t{0};
    EXPECT_NE(caught().find("longer than its queue"), std::string_view::npos);
}

TEST_F(SplitLies, catches_a_descriptor_that_leads_to_itself) {
    const Part part[] = {{data, 0}};
    driver.post(part);
    driver.desc(0).flags = std::uint16_t{1};
    driver.desc(0).next = std::uint16_t{0};
    EXPECT_NE(caught().find("longer than its queue"), std::string_view::npos);
}

TEST_F(SplitLies, catches_descriptors_that_are_not_there) {
    driver.set_avail(0, 8);
    driver.set_idx(1);
    EXPECT_EQ(caught(), "a descriptor that the queue does not have"sv);
    SplitDriver other(block, 8);
    ring.start(other.memory());
    const Part parts[] = {{data, 10}, {data, 10}};
    other.post(parts);
    other.desc(0).next = std::uint16_t{0xffff};
    EXPECT_EQ(caught(), "a descriptor that the queue does not have"sv);
}

TEST_F(SplitLies, catches_an_index_that_jumped) {
    driver.set_idx(9);
    EXPECT_EQ(caught(), "the available index jumped"sv);
    SplitDriver other(block, 8);
    ring.start(other.memory());
    other.set_idx(0xffff);
    EXPECT_EQ(caught(), "the available index jumped"sv);
}

TEST_F(PackedLies, catches_a_chain_without_an_end) {
    for (std::uint16_t i = 0; i < 8; ++i) {
        driver.desc(i).addr = data;
        driver.desc(i).len = std::uint32_t{10};
        driver.desc(i).flags = std::uint16_t{1 | 1 << 7};
    }
    EXPECT_NE(caught().find("longer than its queue"), std::string_view::npos);
}

/// Counts what it is asked to do.
class Counting final : public model::Backend {
  public:
    model::Takes takes() const noexcept override { return {.checksum = true, .tcp4 = true, .tcp6 = true}; }
    std::size_t send(unsigned, std::span<const model::Frame> frames) noexcept override {
        for (const model::Frame& frame : frames) {
            std::uint64_t bytes = 0;
            for (const auto& piece : frame.pieces)
                bytes += piece.size;
            EXPECT_EQ(bytes, frame.length);
            EXPECT_LE(frame.length, model::max_frame);
            EXPECT_LE(std::uint32_t{frame.header.csum_start} + frame.header.csum_offset + 2,
                      frame.partial_checksum() ? frame.length : ~0U);
        }
        sent += frames.size();
        return frames.size();
    }
    std::span<const model::Frame> receive(unsigned) noexcept override { return {&frame_, 1}; }
    void consume(unsigned, std::size_t) noexcept override {}

    std::size_t sent = 0;

  private:
    Bytes bytes_ = Bytes(1000);
    model::Buffer piece_{bytes_.data(), 1000, false};
    model::Frame frame_{{}, 1000, {&piece_, 1}};
};

template <typename Driver>
constexpr const char* format = Driver::packed ? "packed" : "split";

template <typename Driver>
class Noise : public testing::Test {};
TYPED_TEST_SUITE(Noise, Drivers);

TYPED_TEST(Noise, in_rings_is_bounded_work) {
    std::mt19937_64 random(TypeParam::packed ? 1 : 2);
    Block block;
    Counting backend;
    model::Datapath datapath(backend, 1, [](unsigned) {});
    datapath.set_features(~std::uint64_t{0} & (TypeParam::packed ? ~0ULL : ~model::feature::ring_packed));
    TypeParam receive(block, 16);
    TypeParam transmit(block, 16);
    const std::size_t rings = 6 * 4096;
    const std::uint64_t data = block.take(16 * 4096);
    std::size_t lies = 0;
    std::size_t most = 0;
    constexpr unsigned rounds = 20'000;
    for (unsigned round = 0; round < rounds; ++round) {
        datapath.start_queue(0, receive.memory());
        datapath.start_queue(1, transmit.memory());
        datapath.run(1);
        // Numbers that are often right: addresses in the block, small lengths and indices, known flags.
        for (std::uint64_t at = 0; at < rings; at += 8) {
            if (at % 4096 >= 16 * 16)
                continue;
            std::uint64_t word = 0;
            switch (random() % 4) {
            case 0:
                word = data + random() % (16 * 4096);
                break;
            case 1:
                word = (random() % 2000) |
                       (random() % 4 | (random() % 2) << 7 | (random() % 2) << 15)
                           << (TypeParam::packed ? 48 : 32) |
                       (TypeParam::packed ? (random() % 20) << 32 : (random() % 18) << 48);
                break;
            case 2:
                word = random() % 17 * 0x0001'0001'0001'0001;
                break;
            default:
                word = random();
            }
            std::memcpy(block.span().data() + at, &word, sizeof word);
        }
        for (unsigned poll = 0; poll < 4; ++poll)
            most = std::max(most, datapath.poll(block));
        lies += datapath.take_alarm() ? 1 : 0;
        datapath.stop_queue(0);
        datapath.stop_queue(1);
    }
    EXPECT_LE(most, 2 * model::max_burst);
    EXPECT_GT(lies, 1000U) << "the noise is noticed";
    EXPECT_GT(backend.sent, 20U) << "and now and then it is a frame";
    std::printf("%s rings: %u of noise, %zu caught, at most %zu frames a poll\n", format<TypeParam>, rounds,
                lies, most);
}

/// Every buffer lies in the rings' own memory: a frame that comes back rewrites what is being read.
TYPED_TEST(Noise, that_a_loop_writes_into_its_own_rings_is_bounded_work) {
    std::mt19937_64 random(3);
    std::size_t most = 0;
    std::size_t frames = 0;
    std::size_t lies = 0;
    constexpr unsigned rounds = 200;
    for (unsigned round = 0; round < rounds; ++round) {
        Block block;
        auto loop = model::make_backend({.kind = "loop"}).value();
        model::Datapath datapath(*loop, 1, [](unsigned) {});
        datapath.set_features(TypeParam::packed ? model::feature::ring_packed : 0);
        TypeParam receive(block, 16);
        TypeParam transmit(block, 16);
        const std::uint64_t rings[] = {transmit.areas().desc,   transmit.areas().driver,
                                       transmit.areas().device, receive.areas().desc,
                                       receive.areas().driver,  receive.areas().device};
        const auto somewhere = [&] { return rings[random() % std::size(rings)] + 8 * (random() % 32); };
        datapath.start_queue(0, receive.memory());
        datapath.start_queue(1, transmit.memory());
        datapath.run(1);
        const std::uint64_t header = block.take(4096);
        for (unsigned i = 0; i < 8; ++i) {
            const Part sent[] = {{header, sizeof(model::NetHeader)}, {somewhere(), 64 + 8 * i}};
            transmit.post(sent);
            const Part received[] = {{somewhere(), 200, true}};
            receive.post(received);
        }
        for (unsigned poll = 0; poll < 50; ++poll) {
            const std::size_t moved = datapath.poll(block);
            most = std::max(most, moved);
            frames += moved;
        }
        lies += datapath.take_alarm() ? 1 : 0;
    }
    EXPECT_LE(most, 2 * model::max_burst);
    EXPECT_GT(frames, rounds) << "frames do come back";
    EXPECT_GT(lies, 0U) << "and break the ring";
    std::printf("%s rings: %u in a loop that rewrites them, %zu caught, at most %zu frames a poll\n",
                format<TypeParam>, rounds, lies, most);
}

} // namespace
} // namespace model_test
