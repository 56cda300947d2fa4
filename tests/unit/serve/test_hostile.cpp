// SPDX-License-Identifier: BSD-3-Clause
// Check 20 against the server: each message truncated, too long, with too many and too few descriptors, and
// unsolicited. The exact errno, the stream in step, no descriptor more than before.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <sluice/vfio_user/version.hpp>

#include "served.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace sluice::vfio_user;

namespace {

/// A server and a raw client in one thread: a message is sent, the server is pumped, the reply is there.
class Hostile : public ::testing::Test {
  protected:
    void SetUp() override {
        options_.linger_us = 0;
        connect();
    }
    void connect(bool negotiated = true) {
        auto ends = socket_pair().value();
        peer_.emplace(std::move(ends[0]));
        auto server = serve::Server::adopt(engine_.device(), std::move(ends[1]), options_);
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(*server);
        if (negotiated) {
            ASSERT_EQ(ask(test::command(Command::version), {encode(vfio_user::Version{})}), 0);
        }
    }
    /// The errno of the reply, 0 for a plain one, −1 for none.
    int ask(vfio_user::Header header, std::initializer_list<std::span<const std::byte>> parts,
            std::span<const int> fds = {}) {
        header.id = ++id_;
        if (!send_raw(peer_->fd(), wire(header, parts), fds))
            return -1;
        return answer(header);
    }
    int answer(const vfio_user::Header& header) {
        while (server_->pump())
            ;
        auto reply = peer_->receive();
        if (!reply || !*reply)
            return -1;
        reply_ = std::move(**reply);
        EXPECT_TRUE(reply_.is_reply());
        EXPECT_EQ(reply_.header.id, header.id);
        EXPECT_EQ(reply_.header.command, header.command);
        return (reply_.header.flags & flag_error) != 0 ? static_cast<int>(reply_.header.error) : 0;
    }
    bool in_step() {
        return ask(test::command(Command::get_info), {bytes_of(DeviceInfo{})}) == 0 &&
               reply_.body.size() == sizeof(DeviceInfo) && server_->connected();
    }
    int map(std::uint64_t address, std::uint64_t size, std::uint32_t flags, std::span<const int> fds = {},
            std::uint64_t offset = 0) {
        return ask(test::command(Command::dma_map), {bytes_of(DmaMap{32, flags, offset, address, size})},
                   fds);
    }
    int set_irqs(std::uint32_t index, std::uint32_t flags, std::uint32_t start, std::uint32_t count,
                 std::span<const int> fds = {}) {
        return ask(test::command(Command::set_irqs), {bytes_of(IrqSet{20, flags, index, start, count})}, fds);
    }

    CopyEngine engine_;
    serve::ServerOptions options_;
    std::optional<Channel> peer_;
    std::unique_ptr<serve::Server> server_;
    Message reply_;
    std::uint16_t id_ = 0;
};

/// The fixed part of each request, right as far as sizes go.
std::vector<std::byte> fixed_part(const Shape& row) {
    std::vector<std::byte> body(row.size);
    if (row.size >= 4)
        std::memcpy(body.data(), &row.size, 4);
    return body;
}

TEST_F(Hostile, is_refused_message_by_message_and_loses_no_descriptor) {
    const char* asked = std::getenv("SLUICE_HOSTILE_MESSAGES");
    const std::uint64_t messages = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 50000;
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const std::vector<int> many(70, null);
    const std::vector<std::byte> long_tail(200000);
    const std::size_t before = open_fds();
    std::uint64_t sent = 0;
    while (sent < messages) {
        for (const Shape& row : shapes()) {
            const auto header = test::command(row.command);
            const auto body = fixed_part(row);
            const bool ours = row.sender == Sender::client;
            const int wrong = ours ? EINVAL : EOPNOTSUPP;
            if (row.size > 0) {
                ASSERT_EQ(ask(header, {}), wrong) << row.name;
                ASSERT_EQ(ask(header, {std::span(body).first(row.size - 1)}), wrong) << row.name;
            }
            // Data of a length that the message does not announce, or that no message of the kind has.
            ASSERT_EQ(ask(header, {body, std::span(long_tail).first(row.more == up_to_data ? 100 : 70000)}),
                      wrong)
                << row.name;
            ASSERT_EQ(ask(header, {body}, std::span(many).first(2)), wrong) << row.name;
            ASSERT_EQ(ask(header, {body}, many), wrong) << row.name;
            ASSERT_EQ(ask(header, {body}, std::span(many).first(1)), wrong) << row.name;
            auto reply = header;
            reply.flags = type_reply;
            ASSERT_EQ(ask(reply, {body}, std::span(many).first(1)), -1) << "a reply is not replied to";
            auto odd = header;
            odd.flags = 5;
            ASSERT_EQ(ask(odd, {body}), -1) << "what is no command is not replied to";
            auto quiet = header;
            quiet.flags = flag_no_reply;
            ASSERT_EQ(ask(quiet, {}, std::span(many).first(1)), -1);
            sent += 9;
        }
        ASSERT_TRUE(in_step());
    }
    ::close(null);
    EXPECT_EQ(open_fds() + 1, before);
    std::printf("%llu messages refused, %zu descriptors before, %zu after\n",
                static_cast<unsigned long long>(sent), before - 1, open_fds());
}

TEST_F(Hostile, is_refused_a_message_that_is_too_long_and_goes_on) {
    const std::vector<std::byte> huge((1 << 20) + 200000);
    auto header = test::command(Command::region_write);
    header.id = ++id_;
    header.size = static_cast<std::uint32_t>(sizeof header + huge.size());
    const auto bytes = wire(header, {huge});
    for (std::size_t at = 0; at < bytes.size(); at += 50000) {
        ASSERT_TRUE(send_raw(peer_->fd(),
                             std::span(bytes).subspan(at, std::min<std::size_t>(50000, bytes.size() - at))));
        server_->pump();
    }
    EXPECT_EQ(answer(header), E2BIG);
    EXPECT_TRUE(in_step());
}

TEST_F(Hostile, ends_when_the_stream_is_out_of_step) {
    auto header = test::command(Command::device_reset);
    header.size = 8;
    EXPECT_EQ(ask(header, {}), -1);
    EXPECT_FALSE(server_->connected());
    EXPECT_EQ(server_->statistics().dropped, 1U);
}

TEST_F(Hostile, says_its_version_first_and_once) {
    EXPECT_EQ(ask(test::command(Command::version), {encode(vfio_user::Version{})}), EINVAL);
    EXPECT_TRUE(in_step());
    connect(false);
    EXPECT_EQ(ask(test::command(Command::get_info), {bytes_of(DeviceInfo{})}), EINVAL);
    EXPECT_EQ(map(0, page, 3), EINVAL);
    vfio_user::Version other;
    other.major = 1;
    EXPECT_EQ(ask(test::command(Command::version), {encode(other)}), EPROTO);
    EXPECT_EQ(ask(test::command(Command::version), {encode(vfio_user::Version{})}), 0);
    EXPECT_TRUE(in_step());
}

TEST_F(Hostile, maps_no_memory_that_is_not_there) {
    const SharedPages memory(4);
    const int fd = memory.fd.get();
    const auto fds = std::span(&fd, 1);
    constexpr std::uint64_t top = ~std::uint64_t{0};
    EXPECT_EQ(map(page, 4 * page, 3, fds), 0);
    EXPECT_EQ(map(page, page, 3, fds), EEXIST);
    EXPECT_EQ(map(4 * page, page, 3, fds), EEXIST);
    EXPECT_EQ(map(0, 2 * page, 3, fds), EEXIST);
    EXPECT_EQ(map(4 * page, page, 3), EEXIST) << "nor by message";
    EXPECT_EQ(map(0x100000, 0, 3, fds), EINVAL);
    EXPECT_EQ(map(0x100000, page / 2, 3, fds), EINVAL);
    EXPECT_EQ(map(0x100001, page, 3, fds), EINVAL);
    EXPECT_EQ(map(0x100000, page, 0, fds), EINVAL);
    EXPECT_EQ(map(0x100000, page, 7, fds), EINVAL);
    EXPECT_EQ(map(0x100000, 5 * page, 3, fds), EINVAL) << "longer than the file";
    EXPECT_EQ(map(0x100000, page, 3, fds, 4 * page), EINVAL) << "behind the file";
    EXPECT_EQ(map(0x100000, page, 3, fds, top - page + 1), EINVAL);
    EXPECT_EQ(map(0x100000, page, 3, fds, 1), EINVAL) << "no whole pages of it";
    EXPECT_EQ(map(top - page + 1, 2 * page, 3, fds), EINVAL) << "wraps";
    EXPECT_EQ(map(top - page + 1, page, 3, fds), EINVAL) << "beyond the device's addresses";
    EXPECT_EQ(map(0, top - page + 1, 3), EEXIST);
    const UniqueFd read_only(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC));
    const int only = read_only.get();
    EXPECT_EQ(map(0x100000, page, 3, std::span(&only, 1)), EACCES);
    EXPECT_EQ(map(0x100000, page, 1, std::span(&only, 1)), 0);
    EXPECT_TRUE(in_step());
    EXPECT_EQ(engine_.device().space()->info()->entries, 2U);
}

TEST_F(Hostile, has_files_that_may_block_reached_by_message) {
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    const UniqueFd null(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    std::uint64_t at = page;
    for (const int fd : {file.get(), null.get()}) {
        EXPECT_EQ(map(at, page, 1, std::span(&fd, 1)), 0);
        EXPECT_TRUE(engine_.device().dma(Iova{at}, 1, device::DmaAccess::read).empty());
        at += page;
    }
}

TEST_F(Hostile, unmaps_what_it_mapped_exactly) {
    ASSERT_EQ(map(0x100000, 4 * page, 3), 0);
    const auto unmap = [this](std::uint64_t address, std::uint64_t size, std::uint32_t flags = 0) {
        return ask(test::command(Command::dma_unmap), {bytes_of(DmaUnmap{24, flags, address, size})});
    };
    EXPECT_EQ(unmap(0x100000, page), EINVAL);
    EXPECT_EQ(unmap(0x101000, page), EINVAL);
    EXPECT_EQ(unmap(0xff000, 8 * page), EINVAL);
    EXPECT_EQ(unmap(0x200000, page), ENOENT);
    EXPECT_EQ(unmap(0x100000, 0), EINVAL);
    EXPECT_EQ(unmap(~std::uint64_t{0} - page + 1, 2 * page), EINVAL);
    EXPECT_EQ(unmap(0x100000, 4 * page, 1), EINVAL);
    EXPECT_EQ(unmap(0x100000, 4 * page), 0);
    EXPECT_EQ(reply_.body.size(), sizeof(DmaUnmap));
    EXPECT_EQ(unmap(0x100000, 4 * page), ENOENT);
    ASSERT_EQ(map(0x100000, page, 3), 0);
    ASSERT_EQ(map(0x200000, page, 3), 0);
    EXPECT_EQ(unmap(0, 0, 2), 0) << "everything";
    EXPECT_EQ(engine_.device().space()->info()->entries, 0U);
}

TEST_F(Hostile, maps_no_more_than_it_was_told) {
    options_.limits.max_dma_maps = 3;
    connect();
    for (std::uint64_t i = 1; i <= 3; ++i)
        EXPECT_EQ(map(i * page, page, 3), 0);
    EXPECT_EQ(map(4 * page, page, 3), ENOSPC);
    EXPECT_TRUE(in_step());
}

TEST_F(Hostile, sets_no_interrupts_that_are_not_there) {
    constexpr std::uint32_t events = IrqSet::data_eventfd | IrqSet::action_trigger;
    constexpr std::uint32_t none = IrqSet::data_none | IrqSet::action_trigger;
    constexpr std::uint32_t msix = 2;
    constexpr std::uint32_t big = 0xffffffff;
    const EventFd event = EventFd::create().value();
    const std::vector<int> fds(CopyEngine::vectors, event.fd());
    const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    const int no_eventfd = null.get();
    EXPECT_EQ(set_irqs(msix, events, 0, 4, fds), 0);
    EXPECT_EQ(set_irqs(msix, events, 1, 4, fds), EINVAL);
    EXPECT_EQ(set_irqs(msix, events, big, 4, fds), EINVAL);
    EXPECT_EQ(set_irqs(msix, events, 4, 1, std::span(fds).first(1)), EINVAL);
    EXPECT_EQ(set_irqs(msix, events, 0, big), EINVAL);
    EXPECT_EQ(set_irqs(msix, events, 0, 0), EINVAL);
    EXPECT_EQ(set_irqs(msix, none, 2, big - 1), EINVAL);
    EXPECT_EQ(set_irqs(msix, none, 1, 0), EINVAL);
    EXPECT_EQ(set_irqs(5, none, 0, 0), EINVAL);
    EXPECT_EQ(set_irqs(big, events, 0, 1, std::span(fds).first(1)), EINVAL);
    EXPECT_EQ(set_irqs(1, events, 0, 1, std::span(fds).first(1)), EINVAL) << "it has no MSI";
    EXPECT_EQ(set_irqs(1, none, 0, 0), 0) << "turning off what is not there";
    EXPECT_EQ(set_irqs(msix, IrqSet::data_none, 0, 1), EINVAL) << "no action";
    EXPECT_EQ(set_irqs(msix, IrqSet::data_none | IrqSet::actions, 0, 1), EINVAL) << "all actions";
    EXPECT_EQ(set_irqs(msix, none | 0x100, 0, 0), EINVAL);
    EXPECT_EQ(set_irqs(msix, IrqSet::data_none | IrqSet::action_mask, 0, 1), EOPNOTSUPP);
    EXPECT_EQ(set_irqs(msix, events, 0, 1, std::span(&no_eventfd, 1)), EINVAL) << "no eventfd";
    EXPECT_EQ(set_irqs(0, events, 0, 1, std::span(fds).first(1)), EBUSY) << "MSI-X is on";
    EXPECT_EQ(set_irqs(msix, none, 0, 0), 0);
    EXPECT_EQ(set_irqs(msix, none, 0, 1), EINVAL) << "triggers what is off";
    EXPECT_TRUE(in_step());
}

TEST_F(Hostile, reaches_no_region_beyond_its_end) {
    const auto access = [this](Command command, std::uint32_t region, std::uint64_t offset,
                               std::uint32_t count) {
        const std::vector<std::byte> data(command == Command::region_write ? count : 0);
        return ask(test::command(command), {bytes_of(RegionAccess{offset, region, count}), data});
    };
    for (const Command command : {Command::region_read, Command::region_write}) {
        EXPECT_EQ(access(command, 0, page - 4, 4), 0);
        EXPECT_EQ(access(command, 0, page - 3, 4), EINVAL);
        EXPECT_EQ(access(command, 0, ~std::uint64_t{0} - 1, 4), EINVAL);
        EXPECT_EQ(access(command, 0, 0, page + 1), EINVAL);
        EXPECT_EQ(access(command, 1, 0, 1), EINVAL);
        EXPECT_EQ(access(command, 7, 4092, 4), 0);
        EXPECT_EQ(access(command, 7, 4094, 4), EINVAL);
        EXPECT_EQ(access(command, 7, 0x100000000, 4), EINVAL);
        EXPECT_EQ(access(command, 8, 0, 4), EINVAL);
        EXPECT_EQ(access(command, 0xffffffff, 0, 4), EINVAL);
        EXPECT_EQ(access(command, 0, 0, 0), 0);
    }
    EXPECT_EQ(ask(test::command(Command::region_read), {bytes_of(RegionAccess{0, 0, 0x80000000})}), E2BIG);
    EXPECT_EQ(
        ask(test::command(Command::get_region_info), {bytes_of(vfio_user::RegionInfo{32, 0, 9, 0, 0, 0})}),
        EINVAL);
    EXPECT_EQ(ask(test::command(Command::get_irq_info), {bytes_of(vfio_user::IrqInfo{16, 0, 5, 0})}), EINVAL);
    EXPECT_TRUE(in_step());
}

TEST_F(Hostile, may_leave_its_replies_unread) {
    const std::vector<std::byte> nothing;
    const auto ask_much = wire(test::command(Command::region_read), {bytes_of(RegionAccess{0, 2, 4 * page})});
    const int socket = peer_->fd();
    const int flags = ::fcntl(socket, F_GETFL);
    ::fcntl(socket, F_SETFL, flags | O_NONBLOCK);
    std::size_t asked = 0;
    for (unsigned i = 0; i < 2000; ++i) {
        if (send_raw(socket, ask_much))
            ++asked;
        server_->pump();
    }
    EXPECT_LT(asked, 2000U) << "the server stops receiving, and buffers one reply at most";
    std::size_t answered = 0;
    for (unsigned idle = 0; idle < 3;) {
        auto reply = peer_->receive();
        ASSERT_TRUE(reply);
        if (*reply) {
            EXPECT_EQ((*reply)->body.size(), sizeof(RegionAccess) + 4 * page);
            ++answered;
            idle = 0;
        } else {
            server_->pump();
            ++idle;
        }
    }
    EXPECT_EQ(answered, asked);
    EXPECT_TRUE(in_step());
}

TEST_F(Hostile, is_dropped_when_it_does_not_answer_for_its_memory) {
    options_.dma_timeout_ms = 30;
    connect();
    ASSERT_EQ(map(page, page, 3), 0);
    const std::uint64_t source = page;
    const std::uint32_t length = 16;
    const auto put = [this](std::uint64_t at, std::span<const std::byte> bytes) {
        return ask(test::command(Command::region_write),
                   {bytes_of(RegionAccess{at, 0, static_cast<std::uint32_t>(bytes.size())}), bytes});
    };
    ASSERT_EQ(put(CopyEngine::source, bytes_of(source)), 0);
    ASSERT_EQ(put(CopyEngine::target, bytes_of(source)), 0);
    ASSERT_EQ(put(CopyEngine::length, bytes_of(length)), 0);
    ASSERT_TRUE(
        send_raw(peer_->fd(), wire(test::command(Command::region_write),
                                   {bytes_of(RegionAccess{CopyEngine::go, 0, 4}), bytes_of(length)})));
    while (server_->pump())
        ;
    EXPECT_FALSE(server_->connected());
    EXPECT_EQ(server_->statistics().dropped, 1U);
    EXPECT_EQ(engine_.device().space()->info()->entries, 0U);
}

TEST_F(Hostile, has_requests_queued_while_the_device_waits_for_its_memory) {
    ASSERT_EQ(map(page, page, 3), 0);
    const std::uint64_t source = page;
    const std::uint32_t length = 16;
    const auto put = [this](std::uint64_t at, std::span<const std::byte> bytes) {
        return wire(test::command(Command::region_write, ++id_),
                    {bytes_of(RegionAccess{at, 0, static_cast<std::uint32_t>(bytes.size())}), bytes});
    };
    // All at once, the answers to the device's requests last, as a client that pipelines.
    std::vector<std::byte> all;
    for (const auto& part :
         {put(CopyEngine::source, bytes_of(source)), put(CopyEngine::target, bytes_of(source)),
          put(CopyEngine::length, bytes_of(length)), put(CopyEngine::go, bytes_of(length)),
          wire(test::command(Command::get_info, ++id_), {bytes_of(DeviceInfo{})}),
          wire({0, static_cast<std::uint16_t>(Command::dma_read), 0, type_reply, 0},
               {bytes_of(vfio_user::DmaAccess{page, length}), std::vector<std::byte>(length)}),
          wire({1, static_cast<std::uint16_t>(Command::dma_write), 0, type_reply, 0},
               {bytes_of(vfio_user::DmaAccess{page, length})})})
        all.insert(all.end(), part.begin(), part.end());
    ASSERT_TRUE(send_raw(peer_->fd(), all));
    while (server_->pump())
        ;
    std::vector<std::uint16_t> commands;
    for (;;) {
        auto message = peer_->receive();
        ASSERT_TRUE(message);
        if (!*message)
            break;
        commands.push_back((*message)->header.command);
    }
    EXPECT_EQ(commands, (std::vector<std::uint16_t>{10, 10, 10, 11, 12, 10, 4}));
    EXPECT_TRUE(in_step());
}

} // namespace
