// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <gtest/gtest.h>

#include <sluice/vhost_user/channel.hpp>
#include <sluice/vhost_user/check.hpp>
#include <sluice/vhost_user/socket.hpp>

#include "fds.hpp"

namespace {

using namespace sluice;
using namespace sluice::vhost_user;

struct Ends {
    UniqueFd raw;
    Channel channel;

    static Ends make() {
        auto pair = socket_pair();
        EXPECT_TRUE(pair);
        return {std::move(pair->first), Channel(std::move(pair->second))};
    }
    void write(std::span<const std::byte> bytes) const {
        ASSERT_EQ(::write(raw.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
};

Header header(Request request, std::uint32_t size, std::uint32_t flags = version) {
    return {static_cast<std::uint32_t>(request), flags, size};
}

TEST(Channel, takes_a_message_in_pieces) {
    auto ends = Ends::make();
    const auto head = header(Request::set_features, 8);
    const std::uint64_t features = 0x1122334455667788;
    for (const std::byte byte : bytes_of(head)) {
        ends.write({&byte, 1});
        const auto none = ends.channel.receive();
        ASSERT_TRUE(none);
        EXPECT_FALSE(*none);
    }
    ends.write(bytes_of(features).first(3));
    EXPECT_FALSE(*ends.channel.receive());
    ends.write(bytes_of(features).subspan(3));
    const auto message = ends.channel.receive();
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->as<std::uint64_t>(), features);
    EXPECT_EQ(check(**message), 0);
}

TEST(Channel, passes_over_what_is_too_long_and_stays_in_step) {
    auto ends = Ends::make();
    ends.write(bytes_of(header(Request::set_features, 5000)));
    ends.write(std::vector<std::byte>(5000));
    ends.write(bytes_of(header(Request::get_features, 0)));
    auto message = ends.channel.receive();
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->fault, E2BIG);
    EXPECT_EQ(check(**message), E2BIG);
    message = ends.channel.receive();
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->request(), Request::get_features);
    EXPECT_EQ((*message)->fault, 0);
}

TEST(Channel, hands_descriptors_over_and_loses_none) {
    const std::size_t before = vhost_user_test::open_fds();
    {
        auto pair = socket_pair();
        ASSERT_TRUE(pair);
        Channel from(std::move(pair->first));
        Channel to(std::move(pair->second));
        const std::uint64_t ring = 1;
        const int fd = STDIN_FILENO;
        for (unsigned i = 0; i < 100; ++i) {
            ASSERT_TRUE(from.send(header(Request::set_vring_kick, 0), bytes_of(ring), {&fd, 1}));
            const auto message = to.receive();
            ASSERT_TRUE(message && *message);
            EXPECT_EQ((*message)->fds.size(), 1U);
            EXPECT_EQ(check(**message), 0);
        }
        const int many[] = {0, 0, 0, 0, 0, 0, 0, 0, 0};
        EXPECT_FALSE(from.send(header(Request::set_vring_kick, 0), bytes_of(ring), many));
        // What is never taken is closed with the socket.
        ASSERT_TRUE(from.send(header(Request::set_vring_kick, 0), bytes_of(ring), {&fd, 1}));
    }
    EXPECT_EQ(vhost_user_test::open_fds(), before);
}

TEST(Channel, says_when_the_peer_is_gone) {
    auto ends = Ends::make();
    ends.raw.reset();
    const auto gone = ends.channel.receive();
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code(), ECONNRESET);
    EXPECT_FALSE(ends.channel.send(header(Request::get_features, 0), {}));
}

TEST(Check, tells_messages_by_their_shape) {
    const auto of = [](Request request, std::size_t size, std::size_t fds, std::uint64_t value = 0) {
        Message message;
        message.header = header(request, static_cast<std::uint32_t>(size));
        message.body.resize(size);
        std::copy_n(reinterpret_cast<const std::byte*>(&value), std::min(size, sizeof value),
                    message.body.begin());
        for (std::size_t i = 0; i < fds; ++i)
            message.fds.emplace_back(::dup(STDIN_FILENO));
        return check(message);
    };
    EXPECT_EQ(of(Request::set_features, 8, 0), 0);
    EXPECT_EQ(of(Request::set_features, 7, 0), EINVAL);
    EXPECT_EQ(of(Request::set_features, 9, 0), EINVAL);
    EXPECT_EQ(of(Request::set_features, 8, 1), EINVAL);
    EXPECT_EQ(of(Request::set_vring_kick, 8, 1, 3), 0);
    EXPECT_EQ(of(Request::set_vring_kick, 8, 0, 3), EINVAL);
    EXPECT_EQ(of(Request::set_vring_kick, 8, 0, 3 | no_fd), 0);
    EXPECT_EQ(of(Request::set_vring_kick, 8, 1, 3 | no_fd), EINVAL);
    EXPECT_EQ(of(Request::set_vring_call, 8, 1, 0x10003), EINVAL);
    EXPECT_EQ(of(Request::set_mem_table, 40, 1, 1), 0);
    EXPECT_EQ(of(Request::set_mem_table, 40, 2, 2), EINVAL);
    EXPECT_EQ(of(Request::set_mem_table, 264, 8, 9), EINVAL);
    EXPECT_EQ(of(Request::set_mem_table, 8, 0, 0), EINVAL);
    EXPECT_EQ(of(Request::get_config, 12 + 16, 0, std::uint64_t{16} << 32), 0);
    EXPECT_EQ(of(Request::get_config, 12, 0, std::uint64_t{16} << 32), EINVAL);
    EXPECT_EQ(of(Request::get_config, 12 + 16, 0, std::uint64_t{16} << 32 | 0xfffffff8), EINVAL);
    EXPECT_EQ(of(static_cast<Request>(99), 0, 0), EOPNOTSUPP);
    Message reply;
    reply.header = header(Request::get_features, 0, version | flag_reply);
    EXPECT_EQ(check(reply), EPROTO);
    reply.header.flags = 2;
    EXPECT_EQ(check(reply), EPROTO);
}

TEST(Listener, takes_the_place_of_one_that_died_and_of_none_that_lives) {
    const std::string path = testing::TempDir() + "sluice-vhost-" + std::to_string(::getpid());
    auto first = Listener::create(path);
    ASSERT_TRUE(first) << first.error().message();
    const auto second = Listener::create(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), EADDRINUSE);
    const auto peer = connect(path);
    ASSERT_TRUE(peer);
    ASSERT_TRUE(*first->accept());
}

} // namespace
