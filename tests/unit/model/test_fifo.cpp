// SPDX-License-Identifier: BSD-3-Clause
#include <deque>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/model/fifo.hpp>

#include "driver.hpp"

namespace model_test {
namespace {

using model::Buffer;
using model::Frame;
using model::FrameFifo;

bool push(FrameFifo& fifo, Bytes bytes) {
    const Buffer pieces[] = {{bytes.data(), 14, false},
                             {bytes.data() + 14, static_cast<std::uint32_t>(bytes.size() - 14), false}};
    return fifo.push({{}, static_cast<std::uint32_t>(bytes.size()), pieces});
}

Bytes copy_of(const Frame& frame) {
    Bytes bytes(frame.length);
    EXPECT_EQ(model::copy_frame(frame, bytes), frame.length);
    return bytes;
}

TEST(FrameFifo, keeps_frames_of_all_sizes_in_their_order) {
    FrameFifo fifo;
    std::mt19937 random(1);
    std::deque<Bytes> waiting;
    std::size_t full = 0;
    for (unsigned turn = 0; turn < 3000; ++turn) {
        for (auto i = random() % 40; i != 0; --i) {
            const std::size_t most = random() % 20 == 0 ? model::max_frame : 1514;
            Bytes bytes(14 + random() % (most - 13), static_cast<std::byte>(random()));
            if (push(fifo, bytes))
                waiting.push_back(std::move(bytes));
            else
                ++full;
        }
        const auto frames = fifo.peek();
        ASSERT_EQ(frames.empty(), waiting.empty());
        ASSERT_LE(frames.size(), model::max_burst);
        const std::size_t count = random() % (frames.size() + 1);
        for (std::size_t i = 0; i < count; ++i) {
            ASSERT_EQ(copy_of(frames[i]), waiting.front());
            waiting.pop_front();
        }
        fifo.pop(count);
    }
    EXPECT_GT(full, 10U);
    fifo.clear();
    EXPECT_TRUE(fifo.peek().empty());
    EXPECT_TRUE(push(fifo, Bytes(60)));
}

TEST(FrameFifo, lets_two_threads_meet) {
    FrameFifo fifo;
    constexpr unsigned frames = 20'000;
    std::thread pusher([&] {
        for (unsigned i = 0; i < frames; ++i)
            while (!push(fifo, Bytes(60 + i % 700, static_cast<std::byte>(i))))
                std::this_thread::yield();
    });
    for (unsigned i = 0; i < frames;) {
        const auto some = fifo.peek();
        for (const Frame& frame : some) {
            EXPECT_EQ(frame.length, 60 + i % 700);
            EXPECT_EQ(copy_of(frame).back(), static_cast<std::byte>(i));
            ++i;
        }
        fifo.pop(some.size());
        if (some.empty())
            std::this_thread::yield();
    }
    pusher.join();
}

} // namespace
} // namespace model_test
