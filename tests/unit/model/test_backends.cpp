// SPDX-License-Identifier: BSD-3-Clause
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include <unistd.h>

#include <gtest/gtest.h>

#include <sluice/model/backend.hpp>

#include "driver.hpp"

namespace model_test {
namespace {

using model::Backend;
using model::BackendSetup;
using model::Buffer;
using model::Frame;

std::unique_ptr<Backend> make(const BackendSetup& setup) {
    auto made = model::make_backend(setup);
    EXPECT_TRUE(made) << made.error().message();
    return made ? std::move(*made) : nullptr;
}

std::size_t send(Backend& backend, Bytes bytes, unsigned queue = 0) {
    const Buffer piece{bytes.data(), static_cast<std::uint32_t>(bytes.size()), false};
    const Frame frame{{}, piece.size, {&piece, 1}};
    return backend.send(queue, {&frame, 1});
}

/// All that waits for a queue.
std::vector<Bytes> receive(Backend& backend, unsigned queue = 0) {
    std::vector<Bytes> all;
    for (auto frames = backend.receive(queue); !frames.empty(); frames = backend.receive(queue)) {
        for (const Frame& frame : frames) {
            Bytes bytes(frame.length);
            model::copy_frame(frame, bytes);
            all.push_back(std::move(bytes));
        }
        backend.consume(queue, frames.size());
    }
    return all;
}

std::uint64_t counted(const Backend& backend, const std::string& name) {
    for (const auto& [each, value] : backend.statistics())
        if (each == name)
            return value;
    ADD_FAILURE() << "no statistic " << name;
    return 0;
}

TEST(Loop, keeps_frames_on_their_queue_until_the_driver_stops) {
    auto loop = make({.kind = "loop", .queues = 2});
    EXPECT_EQ(send(*loop, Bytes(60), 1), 1U);
    EXPECT_TRUE(receive(*loop, 0).empty());
    EXPECT_EQ(loop->receive(1).size(), 1U);
    EXPECT_EQ(loop->receive(1).size(), 1U) << "not consumed";
    EXPECT_EQ(receive(*loop, 1).size(), 1U);
    EXPECT_EQ(send(*loop, Bytes(60), 1), 1U);
    loop->run(0);
    EXPECT_TRUE(receive(*loop, 1).empty());
}

TEST(Loop, takes_no_more_than_it_has_room_for) {
    auto loop = make({.kind = "loop"});
    std::size_t taken = 0;
    while (send(*loop, Bytes(60'000)) == 1)
        ++taken;
    EXPECT_GE(taken, 15U);
    EXPECT_LE(taken, 20U);
    EXPECT_EQ(receive(*loop).size(), taken);
    EXPECT_EQ(send(*loop, Bytes(60'000)), 1U);
}

TEST(Pair, carries_frames_to_the_queues_that_the_other_runs) {
    auto a = make({.kind = "pair", .peer = "x", .queues = 4});
    auto b = make({.kind = "pair", .peer = "x", .queues = 2});
    EXPECT_FALSE(model::make_backend({.kind = "pair", .peer = "x"}));
    a->run(4);
    EXPECT_EQ(send(*a, Bytes(60)), 1U);
    EXPECT_EQ(counted(*a, "pair_unplugged"), 1U) << "nobody is there";
    b->run(2);
    for (unsigned queue = 0; queue < 4; ++queue)
        EXPECT_EQ(send(*a, Bytes(60 + queue), queue), 1U);
    EXPECT_EQ(receive(*b, 0), (std::vector<Bytes>{Bytes(60), Bytes(62)}));
    EXPECT_EQ(receive(*b, 1), (std::vector<Bytes>{Bytes(61), Bytes(63)}));
    EXPECT_EQ(send(*b, Bytes(99), 1), 1U);
    EXPECT_EQ(receive(*a, 1).size(), 1U);
}

TEST(Pair, has_an_end_free_again_when_a_device_goes) {
    auto a = make({.kind = "pair", .peer = "y"});
    make({.kind = "pair", .peer = "y"}).reset();
    auto b = make({.kind = "pair", .peer = "y"});
    b->run(1);
    EXPECT_EQ(send(*a, Bytes(70)), 1U);
    EXPECT_EQ(receive(*b).size(), 1U);
}

class Pcap : public testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
    void TearDown() override {
        for (const char* name : {"/one", "/two", "/text"})
            ::unlink((folder_ + name).c_str());
        ::rmdir(folder_.c_str());
    }
    std::string folder_ = "/tmp/sluice-pcap-XXXXXX";
};

TEST_F(Pcap, reads_what_it_wrote) {
    std::vector<Bytes> frames;
    for (unsigned i = 0; i < 50; ++i)
        frames.emplace_back(14 + 101 * i, static_cast<std::byte>(i));
    {
        auto writer = make({.kind = "pcap", .tx = folder_ + "/one"});
        writer->run(1);
        for (const Bytes& frame : frames)
            EXPECT_EQ(send(*writer, frame), 1U);
        EXPECT_TRUE(receive(*writer).empty());
        EXPECT_EQ(counted(*writer, "pcap_written"), 50U);
    }
    auto reader = make({.kind = "pcap", .rx = folder_ + "/one"});
    EXPECT_TRUE(receive(*reader).empty()) << "the driver does not run";
    reader->run(1);
    EXPECT_EQ(receive(*reader), frames);
    EXPECT_EQ(counted(*reader, "pcap_ended"), 1U);
    EXPECT_EQ(send(*reader, Bytes(60)), 1U) << "nowhere to go: taken and gone";
}

TEST_F(Pcap, refuses_files_that_are_none) {
    std::ofstream(folder_ + "/text") << "no capture at all, only text";
    const auto text = model::make_backend({.kind = "pcap", .rx = folder_ + "/text"});
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().message().find("/text"), std::string::npos);
    const auto nowhere = model::make_backend({.kind = "pcap", .tx = folder_ + "/no/such/folder"});
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().message().find("/no/such/folder"), std::string::npos);
}

TEST(Gen, makes_frames_that_its_sink_knows) {
    auto gen = make({.kind = "gen", .size = 100, .queues = 2});
    EXPECT_TRUE(gen->receive(0).empty()) << "the driver does not run";
    gen->run(2);
    std::vector<Bytes> all;
    for (unsigned i = 0; i < 100; ++i) {
        const auto frames = gen->receive(i % 2);
        ASSERT_EQ(frames.size(), model::max_burst);
        for (const Frame& frame : frames) {
            ASSERT_EQ(frame.length, 100U);
            all.emplace_back(100);
            model::copy_frame(frame, all.back());
        }
        EXPECT_EQ(gen->send(i % 2, frames), frames.size());
        gen->consume(i % 2, frames.size());
    }
    EXPECT_EQ(counted(*gen, "gen_made"), 3200U);
    EXPECT_EQ(counted(*gen, "sink_received"), 3200U);
    EXPECT_EQ(counted(*gen, "sink_bad"), 0U);
    EXPECT_EQ(counted(*gen, "sink_missing"), 0U);
    EXPECT_NE(all[0], all[1]);
}

TEST(Gen, gives_again_what_was_not_consumed) {
    auto gen = make({.kind = "gen"});
    gen->run(1);
    const auto first = gen->receive(0);
    gen->consume(0, 30);
    const auto rest = gen->receive(0);
    ASSERT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest.data(), first.data() + 30);
}

TEST(Gen, sees_every_change_but_of_addresses_and_every_gap) {
    auto gen = make({.kind = "gen", .size = 200});
    gen->run(1);
    const auto frames = gen->receive(0);
    for (std::size_t at = 0; at < 200; ++at) {
        Bytes bytes(200);
        model::copy_frame(frames[0], bytes);
        bytes[at] ^= std::byte{0x10};
        const std::uint64_t before = counted(*gen, "sink_bad");
        send(*gen, bytes);
        // The source's number is its own affair; but the checksum over it is not.
        EXPECT_EQ(counted(*gen, "sink_bad") - before, at < 12 ? 0U : 1U) << at;
    }
    gen->send(0, frames.subspan(0, 1));
    const std::uint64_t missing = counted(*gen, "sink_missing");
    gen->send(0, frames.subspan(11, 1));
    EXPECT_EQ(counted(*gen, "sink_missing") - missing, 10U);
    EXPECT_EQ(send(*gen, Bytes(59)), 1U);
    EXPECT_EQ(send(*gen, Bytes(60'000)), 1U);
    EXPECT_EQ(counted(*gen, "sink_bad"), 188U + 2U);
}

/// A generator that stands for a wire, and whose clock the test sets.
struct OnWire {
    std::shared_ptr<model::Wire> wire = std::make_shared<model::Wire>();
    std::unique_ptr<model::Backend> gen;
    model::Wire::Clock::time_point begin = model::Wire::Clock::now();

    explicit OnWire(std::uint64_t warm_up = 0, std::uint64_t frames = 1'000'000) {
        wire->warm_up = warm_up;
        wire->frames = frames;
        wire->timed = true;
        gen = make({.kind = "gen", .rate = 1'000'000, .wire = wire});
        gen->run(1);
        at(0);
        EXPECT_TRUE(gen->receive(0).empty()) << "time begins here";
    }
    /// A frame falls due each microsecond.
    void at(int microseconds) { wire->resting_since = begin + std::chrono::microseconds(microseconds); }
    /// The driver has room for `room` frames; these it sends back.
    std::size_t turn(std::size_t room) {
        const auto frames = gen->receive(0);
        const std::size_t taken = std::min(room, frames.size());
        gen->send(0, frames.first(taken));
        gen->consume(0, taken);
        if (taken < frames.size())
            gen->full(0);
        return taken;
    }
};

TEST(Wire, offers_what_is_due_once_and_tells_how_long_it_took) {
    OnWire on;
    on.at(20);
    const auto frames = on.gen->receive(0);
    ASSERT_EQ(frames.size(), 20U);
    on.at(25); // the first was due at 1, the last at 20
    on.gen->send(0, frames);
    on.gen->consume(0, 20);
    EXPECT_EQ(on.wire->placed, 20U);
    EXPECT_EQ(on.wire->returned, 20U);
    EXPECT_EQ(on.wire->latencies[0], 24'000U);
    EXPECT_EQ(on.wire->latencies[19], 5'000U);
    EXPECT_EQ(on.wire->full + on.wire->late + on.wire->bad, 0U);
}

TEST(Wire, loses_what_is_due_while_the_ring_is_full) {
    OnWire on;
    on.at(20);
    EXPECT_EQ(on.turn(5), 5U);
    EXPECT_EQ(on.wire->full, 15U) << "offered, and no room";
    on.at(50);
    on.gen->full(0);
    EXPECT_EQ(on.wire->full, 45U) << "fell due meanwhile";
    on.at(52);
    EXPECT_EQ(on.turn(32), 2U) << "nothing comes again";
    EXPECT_EQ(on.wire->returned, 7U);
    EXPECT_EQ(on.wire->latencies[6], 0U) << "the frame of 52";
}

TEST(Wire, that_comes_too_late_loses_all_but_the_last) {
    OnWire on;
    on.at(1000);
    EXPECT_EQ(on.turn(32), 32U);
    EXPECT_EQ(on.wire->late, 1000U - model::Wire::patience);
    while (on.turn(32) != 0)
        continue;
    EXPECT_EQ(on.wire->returned, model::Wire::patience);
    EXPECT_EQ(on.wire->full, 0U);
}

TEST(Wire, counts_no_frame_of_the_warm_up_and_none_behind_the_last) {
    OnWire on(100, 50);
    on.at(90);
    on.gen->full(0);
    EXPECT_EQ(on.wire->full, 0U);
    on.at(110);
    on.gen->full(0);
    EXPECT_EQ(on.wire->full, 10U) << "of the twenty, those behind the warm-up";
    on.at(10'000);
    while (on.turn(32) != 0)
        continue;
    EXPECT_EQ(on.wire->returned, 40U);
    EXPECT_EQ(on.wire->full + on.wire->late + on.wire->returned, on.wire->frames);
}

TEST(Wire, counts_a_frame_that_comes_twice_once_and_a_changed_one_never) {
    OnWire on;
    on.at(2);
    const auto frames = on.gen->receive(0);
    on.gen->send(0, frames.first(1));
    on.gen->send(0, frames.first(1));
    EXPECT_EQ(on.wire->returned, 1U);
    Bytes bytes(64);
    model::copy_frame(frames[1], bytes);
    bytes[60] ^= std::byte{1};
    send(*on.gen, bytes);
    EXPECT_EQ(on.wire->returned, 1U);
    EXPECT_EQ(on.wire->bad, 1U);
}

TEST(Wire, stands_still_while_it_rests) {
    model::Wire wire;
    const auto before = wire.now();
    wire.rest();
    const auto resting = wire.now();
    EXPECT_GE(resting, before);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(wire.now(), resting);
    wire.resume();
    EXPECT_GE(wire.now(), resting);
    EXPECT_LE(wire.now() + std::chrono::milliseconds(2), model::Wire::Clock::now());
}

TEST(Wire, has_a_rate_and_one_queue_pair) {
    EXPECT_FALSE(model::make_backend({.kind = "gen", .wire = std::make_shared<model::Wire>()}));
    EXPECT_FALSE(model::make_backend(
        {.kind = "gen", .rate = 1, .wire = std::make_shared<model::Wire>(), .queues = 2}));
}

TEST(Gen, keeps_to_its_rate) {
    auto gen = make({.kind = "gen", .rate = 10'000});
    gen->run(1);
    std::size_t frames = 0;
    const auto begin = std::chrono::steady_clock::now();
    std::chrono::duration<double> since{};
    while (since.count() < 0.2) {
        const auto some = gen->receive(0);
        frames += some.size();
        gen->consume(0, some.size());
        since = std::chrono::steady_clock::now() - begin;
    }
    EXPECT_LE(static_cast<double>(frames), since.count() * 10'000 + 1);
    EXPECT_GE(static_cast<double>(frames), since.count() * 10'000 / 2);
}

TEST(Tap, says_why_it_cannot_be_had) {
    const auto tap = model::make_backend({.kind = "tap", .ifname = "a-name-that-is-too-long"});
    ASSERT_FALSE(tap);
    EXPECT_NE(tap.error().message().find("15 characters"), std::string::npos);
}

} // namespace
} // namespace model_test
