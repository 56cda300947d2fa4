// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vfio_user/channel.hpp>

#include <cerrno>
#include <numeric>

#include <gtest/gtest.h>
#include <sluice/base/event_fd.hpp>

#include "wire.hpp"

using namespace sluice;
using namespace sluice::vfio_user;
using test::send_raw;
using test::wire;

namespace {

class ChannelTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto ends = socket_pair();
        ASSERT_TRUE(ends);
        peer_ = std::move((*ends)[0]);
        channel_.emplace(std::move((*ends)[1]), 4096);
    }
    /// The next message, which is there.
    Message next() {
        auto got = channel_->receive();
        EXPECT_TRUE(got) << got.error().message();
        EXPECT_TRUE(got && *got);
        return got && *got ? std::move(**got) : Message{};
    }
    bool nothing() {
        auto got = channel_->receive();
        return got && !*got;
    }
    int error() {
        auto got = channel_->receive();
        return got ? 0 : got.error().code();
    }

    UniqueFd peer_;
    std::optional<Channel> channel_;
    EventFd event_ = EventFd::create().value();
};

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i * 7 + 1);
    return bytes;
}

TEST_F(ChannelTest, puts_a_message_together_from_single_bytes) {
    const auto body = pattern(40);
    const auto bytes = wire(test::command(Command::dma_map, 0xbeef), {body});
    for (const std::byte& byte : bytes) {
        EXPECT_TRUE(nothing());
        ASSERT_TRUE(send_raw(peer_.get(), std::span(&byte, 1)));
    }
    const Message message = next();
    EXPECT_EQ(message.header.id, 0xbeef);
    EXPECT_EQ(message.header.size, bytes.size());
    EXPECT_EQ(message.body, body);
    EXPECT_TRUE(nothing());
}

TEST_F(ChannelTest, takes_many_messages_of_one_write_apart) {
    std::vector<std::byte> all;
    for (std::uint16_t id = 0; id < 20; ++id) {
        const auto one = wire(test::command(Command::region_write, id), {pattern(id)});
        all.insert(all.end(), one.begin(), one.end());
    }
    ASSERT_TRUE(send_raw(peer_.get(), all));
    for (std::uint16_t id = 0; id < 20; ++id) {
        const Message message = next();
        EXPECT_EQ(message.header.id, id);
        EXPECT_EQ(message.body, pattern(id));
    }
    EXPECT_TRUE(nothing());
}

TEST_F(ChannelTest, gives_descriptors_to_the_message_whose_byte_brought_them) {
    const int fd = event_.fd();
    const auto plain = wire(test::command(Command::get_info, 1), {pattern(16)});
    const auto with = wire(test::command(Command::dma_map, 2), {pattern(32)});
    std::vector<std::byte> both = with;
    both.insert(both.end(), plain.begin(), plain.end());
    // No descriptors, then a write of two messages of which the first has them.
    ASSERT_TRUE(send_raw(peer_.get(), plain));
    ASSERT_TRUE(send_raw(peer_.get(), both, std::span(&fd, 1)));
    EXPECT_EQ(next().fds.size(), 0U);
    EXPECT_EQ(next().fds.size(), 1U);
    EXPECT_EQ(next().fds.size(), 0U);
}

TEST_F(ChannelTest, keeps_descriptors_that_come_with_the_body) {
    const int fds[] = {event_.fd(), event_.fd()};
    const auto bytes = wire(test::command(Command::set_irqs), {pattern(20)});
    ASSERT_TRUE(send_raw(peer_.get(), std::span(bytes).first(16), std::span(fds).first(1)));
    ASSERT_TRUE(send_raw(peer_.get(), std::span(bytes).subspan(16), fds));
    const Message message = next();
    ASSERT_EQ(message.fds.size(), 3U);
    EXPECT_EQ(::fcntl(message.fds[2].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(ChannelTest, passes_over_a_message_that_is_too_long_and_stays_in_step) {
    const std::size_t before = test::open_fds();
    const int fd = event_.fd();
    {
        ASSERT_TRUE(send_raw(peer_.get(), wire(test::command(Command::region_write, 7), {pattern(60000)}),
                             std::span(&fd, 1)));
        ASSERT_TRUE(send_raw(peer_.get(), wire(test::command(Command::get_info, 8), {pattern(16)})));
        const Message refused = next();
        EXPECT_EQ(refused.fault, E2BIG);
        EXPECT_EQ(refused.header.id, 7);
        EXPECT_TRUE(refused.body.empty());
        const Message message = next();
        EXPECT_EQ(message.fault, 0);
        EXPECT_EQ(message.header.id, 8);
    }
    EXPECT_EQ(test::open_fds(), before);
}

TEST_F(ChannelTest, gives_up_on_a_size_below_the_header) {
    for (const std::uint32_t size : {1U, 15U}) {
        SetUp();
        Header header = test::command(Command::device_reset);
        header.size = size;
        ASSERT_TRUE(send_raw(peer_.get(), wire(header)));
        EXPECT_EQ(error(), EPROTO);
        ASSERT_TRUE(send_raw(peer_.get(), wire(test::command(Command::device_reset))));
        EXPECT_EQ(error(), EPROTO) << "for good";
    }
}

TEST_F(ChannelTest, says_so_when_the_peer_is_gone) {
    ASSERT_TRUE(send_raw(peer_.get(), pattern(10)));
    EXPECT_TRUE(nothing());
    peer_.reset();
    EXPECT_EQ(error(), ECONNRESET);
    EXPECT_FALSE(channel_->send(test::command(Command::device_reset), {}));
}

TEST_F(ChannelTest, bounds_the_descriptors_of_one_message) {
    const std::size_t before = test::open_fds();
    std::vector<int> fds(250, event_.fd());
    const auto bytes = wire(test::command(Command::set_irqs), {pattern(20)});
    for (std::size_t at = 0; at < 4; ++at)
        ASSERT_TRUE(send_raw(peer_.get(), std::span(bytes).subspan(at, at == 3 ? bytes.size() - 3 : 1), fds));
    {
        const Message message = next();
        EXPECT_EQ(message.fault, EINVAL);
        EXPECT_LE(test::open_fds(), before + 253);
    }
    EXPECT_EQ(test::open_fds(), before);
}

TEST_F(ChannelTest, keeps_what_the_socket_does_not_take) {
    Channel other(std::move(peer_), 1 << 20);
    const auto big = pattern(900000);
    const int fd = event_.fd();
    ASSERT_TRUE(other.send(test::command(Command::region_write, 1), {std::span(big)}, std::span(&fd, 1)));
    EXPECT_GT(other.pending(), 0U);
    ASSERT_TRUE(other.send(test::command(Command::get_info, 2), {std::span(big).first(16)}));
    channel_->set_max_message(1 << 20);
    std::vector<Message> messages;
    while (messages.size() < 2) {
        auto got = channel_->receive();
        ASSERT_TRUE(got);
        if (*got)
            messages.push_back(std::move(**got));
        else
            ASSERT_TRUE(other.flush());
    }
    EXPECT_EQ(other.pending(), 0U);
    EXPECT_EQ(messages[0].body, big);
    EXPECT_EQ(messages[0].fds.size(), 1U);
    EXPECT_EQ(messages[1].header.id, 2);
    EXPECT_EQ(messages[1].header.size, 32U);
}

TEST_F(ChannelTest, replies_with_the_id_and_command_of_the_request) {
    Channel other(std::move(peer_));
    const Header request{0x1234, 5, 48, 0, 0};
    ASSERT_TRUE(other.reply(request, {pattern(32)}));
    ASSERT_TRUE(other.refuse(request, ENOENT));
    const Message reply = next();
    EXPECT_TRUE(reply.is_reply());
    EXPECT_EQ(reply.header.id, 0x1234);
    EXPECT_EQ(reply.header.command, 5);
    const Message refusal = next();
    EXPECT_EQ(refusal.header.size, sizeof(Header));
    EXPECT_EQ(refusal.header.flags, type_reply | flag_error);
    EXPECT_EQ(refusal.header.error, static_cast<std::uint32_t>(ENOENT));
}

} // namespace
