// SPDX-License-Identifier: BSD-3-Clause
// Check 20: each message truncated, too long, with too many and too few descriptors, and unsolicited.
#include <sluice/vfio_user/check.hpp>

#include <cerrno>

#include <gtest/gtest.h>
#include <sluice/base/event_fd.hpp>

#include "wire.hpp"

using namespace sluice;
using namespace sluice::vfio_user;

namespace {

constexpr Limits limits{8, 65536, 16};

void append(std::vector<std::byte>& body, std::span<const std::byte> bytes) {
    body.insert(body.end(), bytes.begin(), bytes.end());
}

/// A request of `row` as it should be.
Message good(const Shape& row) {
    Message message;
    message.header = test::command(row.command);
    switch (row.command) {
    case Command::dma_map:
        append(message.body, bytes_of(DmaMap{}));
        break;
    case Command::dma_unmap:
        append(message.body, bytes_of(DmaUnmap{}));
        break;
    case Command::get_region_info:
        append(message.body, bytes_of(vfio_user::RegionInfo{}));
        break;
    case Command::set_irqs:
        append(message.body, bytes_of(IrqSet{20, IrqSet::data_none | IrqSet::action_trigger, 0, 0, 1}));
        break;
    case Command::region_write:
        append(message.body, bytes_of(RegionAccess{0, 0, 4}));
        append(message.body, bytes_of(std::uint32_t{1}));
        break;
    case Command::dma_write:
        append(message.body, bytes_of(vfio_user::DmaAccess{0, 4}));
        append(message.body, bytes_of(std::uint32_t{1}));
        break;
    case Command::region_write_multi:
        append(message.body, bytes_of(WriteMultiHead{1}));
        append(message.body, bytes_of(WriteOne{0, 0, 8, {}}));
        break;
    default:
        message.body.resize(row.size);
        if (row.size >= 4)
            std::memcpy(message.body.data(), &row.size, 4);
        if (row.command == Command::region_read || row.command == Command::dma_read)
            std::memset(message.body.data(), 0, row.size);
    }
    return message;
}

void give(Message& message, std::size_t fds) {
    for (std::size_t i = 0; i < fds; ++i)
        message.fds.emplace_back(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
}

class EachCommand : public ::testing::TestWithParam<Shape> {
  protected:
    static int check(const Message& message) { return check_request(message, GetParam().sender, limits); }
};

TEST_P(EachCommand, passes_as_it_should_be) {
    EXPECT_EQ(check(good(GetParam())), 0);
}

TEST_P(EachCommand, is_refused_when_truncated_anywhere) {
    const Message whole = good(GetParam());
    for (std::size_t size = 0; size < GetParam().size; ++size) {
        Message message = good(GetParam());
        message.body.resize(size);
        EXPECT_EQ(check(message), EINVAL) << size;
    }
    if (whole.body.size() > GetParam().size) {
        Message message = good(GetParam());
        message.body.pop_back();
        EXPECT_EQ(check(message), EINVAL) << "the data behind the fixed part";
    }
}

TEST_P(EachCommand, is_refused_when_too_long) {
    const bool data = GetParam().more == up_to_data;
    const std::uint64_t most = GetParam().size + (data ? limits.max_data_xfer_size : GetParam().more);
    Message message = good(GetParam());
    message.body.resize(most + 1);
    EXPECT_EQ(check(message), data ? E2BIG : EINVAL);
}

TEST_P(EachCommand, is_refused_with_descriptors_that_it_does_not_take) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{9}}) {
        Message message = good(GetParam());
        give(message, count);
        const bool fine = GetParam().command == Command::dma_map && count == 1;
        EXPECT_EQ(check(message), fine ? 0 : EINVAL) << count;
    }
}

TEST_P(EachCommand, is_refused_from_the_other_side_and_as_a_reply) {
    Message message = good(GetParam());
    const Sender other = GetParam().sender == Sender::client ? Sender::server : Sender::client;
    EXPECT_EQ(check_request(message, other, limits), EOPNOTSUPP);
    for (std::uint32_t type = 1; type < 16; ++type) {
        message.header.flags = type;
        EXPECT_EQ(check(message), EINVAL);
    }
}

TEST_P(EachCommand, is_refused_with_the_channels_fault) {
    for (const int fault : {E2BIG, EMFILE, EINVAL}) {
        Message message = good(GetParam());
        message.fault = fault;
        EXPECT_EQ(check(message), fault);
    }
}

INSTANTIATE_TEST_SUITE_P(Vfio_user, EachCommand, ::testing::ValuesIn(shapes().begin(), shapes().end()),
                         [](const auto& command) { return std::string(command.param.name); });

TEST(CheckRequest, knows_no_other_commands) {
    for (const std::uint32_t number : {0U, 14U, 19U, 0xffffU}) {
        Message message;
        message.header.command = static_cast<std::uint16_t>(number);
        EXPECT_EQ(check_request(message, Sender::client, limits), EOPNOTSUPP);
        EXPECT_EQ(check_request(message, Sender::server, limits), EOPNOTSUPP);
    }
}

TEST(CheckRequest, holds_argsz_to_the_fixed_part) {
    for (const Shape& row : shapes()) {
        Message message = good(row);
        if (row.command == Command::version || message.body.size() < 4 ||
            take<std::uint32_t>(message.body) != row.size)
            continue;
        const std::uint32_t small = row.size - 1;
        std::memcpy(message.body.data(), &small, 4);
        EXPECT_EQ(check_request(message, row.sender, limits), EINVAL) << row.name;
        const std::uint32_t large = 0xffffffff;
        std::memcpy(message.body.data(), &large, 4);
        EXPECT_EQ(check_request(message, row.sender, limits), 0) << row.name;
    }
}

TEST(CheckRequest, holds_counts_to_the_data) {
    Message write = good(*shape(static_cast<std::uint16_t>(Command::region_write)));
    for (const std::uint32_t count : {0U, 3U, 5U}) {
        std::memcpy(write.body.data() + 12, &count, 4);
        EXPECT_EQ(check_request(write, Sender::client, limits), EINVAL) << count;
    }
    const std::uint32_t huge = 0xffffffff;
    std::memcpy(write.body.data() + 12, &huge, 4);
    EXPECT_EQ(check_request(write, Sender::client, limits), E2BIG);
    Message read = good(*shape(static_cast<std::uint16_t>(Command::dma_read)));
    const std::uint64_t more = limits.max_data_xfer_size + 1;
    std::memcpy(read.body.data() + 8, &more, 8);
    EXPECT_EQ(check_request(read, Sender::server, limits), E2BIG);
    Message multi = good(*shape(static_cast<std::uint16_t>(Command::region_write_multi)));
    const std::uint64_t two = 2;
    std::memcpy(multi.body.data(), &two, 8);
    EXPECT_EQ(check_request(multi, Sender::client, limits), EINVAL);
    multi = good(*shape(static_cast<std::uint16_t>(Command::region_write_multi)));
    const std::uint32_t nine = 9;
    std::memcpy(multi.body.data() + 8 + 12, &nine, 4);
    EXPECT_EQ(check_request(multi, Sender::client, limits), EINVAL);
}

TEST(CheckRequest, holds_interrupt_data_to_its_count) {
    struct Case {
        std::uint32_t flags;
        std::uint32_t count;
        std::size_t bytes;
        std::size_t fds;
        int code;
    };
    constexpr std::uint32_t trigger = IrqSet::action_trigger;
    const Case cases[] = {
        {IrqSet::data_eventfd | trigger, 3, 0, 3, 0},
        {IrqSet::data_eventfd | trigger, 3, 0, 0, 0},
        {IrqSet::data_eventfd | trigger, 3, 0, 2, EINVAL},
        {IrqSet::data_eventfd | trigger, 3, 0, 4, EINVAL},
        {IrqSet::data_eventfd | trigger, 9, 0, 9, EINVAL}, // more than limits allow
        {IrqSet::data_eventfd | trigger, 1, 1, 1, EINVAL},
        {IrqSet::data_bool | trigger, 3, 3, 0, 0},
        {IrqSet::data_bool | trigger, 3, 2, 0, EINVAL},
        {IrqSet::data_bool | trigger, 3, 3, 1, EINVAL},
        {IrqSet::data_none | trigger, 3, 0, 0, 0},
        {IrqSet::data_none | trigger, 3, 0, 1, EINVAL},
        {IrqSet::data_none | trigger, 0xffffffff, 0, 0, EINVAL},
        {trigger, 0, 0, 0, EINVAL},
        {IrqSet::data_none | IrqSet::data_bool | trigger, 0, 0, 0, EINVAL},
    };
    for (const Case& each : cases) {
        Message message;
        message.header = test::command(Command::set_irqs);
        append(message.body, bytes_of(IrqSet{20, each.flags, 2, 0, each.count}));
        message.body.resize(message.body.size() + each.bytes);
        give(message, each.fds);
        EXPECT_EQ(check_request(message, Sender::client, limits), each.code)
            << each.flags << " " << each.count << " " << each.fds;
    }
}

TEST(CheckReply, takes_the_answer_to_the_question_alone) {
    const Header request = test::command(Command::get_irq_info, 5);
    Message reply;
    reply.header = {5, request.command, 32, type_reply, 0};
    reply.body.resize(16);
    EXPECT_EQ(check_reply(reply, request, limits), 0);
    reply.header.id = 6;
    EXPECT_EQ(check_reply(reply, request, limits), EPROTO);
    reply.header.id = 5;
    reply.header.command = 8;
    EXPECT_EQ(check_reply(reply, request, limits), EPROTO);
    reply.header.command = request.command;
    reply.header.flags = type_command;
    EXPECT_EQ(check_reply(reply, request, limits), EPROTO);
    reply.header.flags = type_reply;
    for (const std::size_t size : {std::size_t{0}, std::size_t{15}, std::size_t{17}}) {
        reply.body.resize(size);
        EXPECT_EQ(check_reply(reply, request, limits), EPROTO) << size;
    }
}

TEST(CheckReply, hands_the_peers_errno_on) {
    const Header request = test::command(Command::dma_map, 5);
    Message reply;
    reply.header = {5, request.command, 16, type_reply | flag_error, EEXIST};
    EXPECT_EQ(check_reply(reply, request, limits), EEXIST);
    for (const std::uint32_t odd : {0U, 4096U, 0xffffffffU}) {
        reply.header.error = odd;
        EXPECT_EQ(check_reply(reply, request, limits), EIO);
    }
    reply.body.resize(1);
    EXPECT_EQ(check_reply(reply, request, limits), EPROTO);
}

TEST(CheckReply, holds_the_data_to_its_count) {
    const Header request = test::command(Command::region_read, 5);
    Message reply;
    reply.header = {5, request.command, 0, type_reply, 0};
    append(reply.body, bytes_of(RegionAccess{0, 0, 4}));
    EXPECT_EQ(check_reply(reply, request, limits), EPROTO);
    append(reply.body, bytes_of(std::uint32_t{9}));
    EXPECT_EQ(check_reply(reply, request, limits), 0);
    reply.body.resize(16 + limits.max_data_xfer_size + 1);
    EXPECT_EQ(check_reply(reply, request, limits), EPROTO);
}

} // namespace
