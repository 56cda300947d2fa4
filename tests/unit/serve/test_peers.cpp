// SPDX-License-Identifier: BSD-3-Clause
// What other implementations send: to the server, and from servers to our client.
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>

#include <sluice/vfio_user/version.hpp>

#include "served.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace sluice::vfio_user;

namespace {

std::vector<std::byte> version_of(std::uint16_t minor, std::string_view json) {
    const VersionHead head{0, minor};
    std::vector<std::byte> bytes(sizeof head);
    std::memcpy(bytes.data(), &head, sizeof head);
    if (!json.empty()) {
        const auto text = std::as_bytes(std::span(json));
        bytes.insert(bytes.end(), text.begin(), text.end());
        bytes.push_back(std::byte{0});
    }
    return bytes;
}

TEST(ServerPeers, are_answered_with_their_own_minor_and_all_our_capabilities) {
    for (const std::uint16_t minor : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{9}})
        for (const std::string_view json :
             {"", "{}",
              R"({"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576,"pgsizes":4096,)"
              R"("max_dma_maps":65535,"migration":{"pgsize":4096},"write_multiple":true}})"}) {
            CopyEngine engine;
            auto ends = socket_pair().value();
            Channel peer(std::move(ends[0]));
            auto server = serve::Server::adopt(engine.device(), std::move(ends[1])).value();
            const auto payload = version_of(minor, json);
            ASSERT_TRUE(peer.send(test::command(Command::version), {payload}));
            while (server->pump())
                ;
            auto reply = peer.receive();
            ASSERT_TRUE(reply && *reply);
            EXPECT_TRUE((*reply)->fds.empty()) << "no twin socket that was not asked for";
            const auto theirs = parse_version((*reply)->body);
            ASSERT_TRUE(theirs) << theirs.error().message();
            EXPECT_EQ(theirs->minor, std::min<std::uint16_t>(minor, our_minor));
            EXPECT_FALSE(theirs->twin_socket);
            EXPECT_EQ(theirs->limits.max_msg_fds, 16U) << "QEMU's client takes no more";
        }
}

/// The order in which QEMU's client brings a device up.
TEST(ServerPeers, may_map_memory_before_they_ask_and_pipeline) {
    CopyEngine engine;
    auto ends = socket_pair().value();
    Channel peer(std::move(ends[0]));
    auto server = serve::Server::adopt(engine.device(), std::move(ends[1])).value();
    const SharedPages memory(16);
    const int fd = memory.fd.get();
    ASSERT_TRUE(peer.send(test::command(Command::version), {version_of(0, "")}));
    ASSERT_TRUE(peer.send(test::command(Command::dma_map, 2), {bytes_of(DmaMap{32, 3, 0, 0, 16 * page})},
                          std::span(&fd, 1)));
    ASSERT_TRUE(
        peer.send(test::command(Command::dma_map, 3), {bytes_of(DmaMap{32, 1, 0, 0xfffc0000, 0x40000})}));
    ASSERT_TRUE(peer.send(test::command(Command::get_info, 4), {bytes_of(DeviceInfo{})}));
    // MSI-X with vector 0 and no descriptor first, then a vector at a time.
    const EventFd event = EventFd::create().value();
    const int vector = event.fd();
    constexpr std::uint32_t events = IrqSet::data_eventfd | IrqSet::action_trigger;
    ASSERT_TRUE(peer.send(test::command(Command::set_irqs, 5), {bytes_of(IrqSet{20, events, 2, 0, 1})}));
    ASSERT_TRUE(peer.send(test::command(Command::set_irqs, 6), {bytes_of(IrqSet{24, events, 2, 2, 1})},
                          std::span(&vector, 1)));
    ASSERT_TRUE(peer.send(test::command(Command::set_irqs, 7, flag_no_reply),
                          {bytes_of(IrqSet{20, events, 2, 0, 1})}));
    ASSERT_TRUE(peer.send(test::command(Command::region_write_multi, 8),
                          {bytes_of(WriteMultiHead{2}), bytes_of(WriteOne{0, 0, 4, {1, 2, 3, 4}}),
                           bytes_of(WriteOne{0x1000, 0, 4, {}})}));
    while (server->pump())
        ;
    for (const int expected : {1, 2, 3, 4, 5, 6, 8}) {
        auto reply = peer.receive();
        ASSERT_TRUE(reply && *reply) << expected;
        EXPECT_EQ((*reply)->header.id, expected);
        EXPECT_EQ((*reply)->header.flags, type_reply) << expected;
        if (expected == 8) {
            EXPECT_EQ(take<WriteMultiHead>((*reply)->body).count, 1U) << "the second is outside the region";
        }
    }
    EXPECT_FALSE(engine.device().lines().fire(device::Irq::msix, 0));
    EXPECT_FALSE(engine.device().lines().fire(device::Irq::msix, 1));
    EXPECT_TRUE(engine.device().lines().fire(device::Irq::msix, 2));
    EXPECT_EQ(event.take(), 1U);
}

TEST(ServerPeers, are_told_how_much_room_an_answer_needs) {
    CopyEngine engine;
    auto ends = socket_pair().value();
    Channel peer(std::move(ends[0]));
    auto server = serve::Server::adopt(engine.device(), std::move(ends[1])).value();
    ASSERT_TRUE(peer.send(test::command(Command::version), {version_of(0, "")}));
    for (const std::uint32_t room : {32U, 63U, 64U, 4096U})
        ASSERT_TRUE(peer.send(test::command(Command::get_region_info, static_cast<std::uint16_t>(room)),
                              {bytes_of(vfio_user::RegionInfo{room, 0, 2, 0, 0, 0})}));
    while (server->pump())
        ;
    ASSERT_TRUE(peer.receive());
    for (const std::uint32_t room : {32U, 63U, 64U, 4096U}) {
        auto reply = peer.receive();
        ASSERT_TRUE(reply && *reply);
        const auto info = take<vfio_user::RegionInfo>((*reply)->body);
        EXPECT_EQ(info.argsz, 64U);
        EXPECT_EQ(info.size, 4 * page);
        EXPECT_EQ((*reply)->body.size(), room < 64 ? 32U : 64U);
        EXPECT_EQ((*reply)->fds.size(), room < 64 ? 0U : 1U);
        EXPECT_EQ(info.cap_offset, room < 64 ? 0U : 32U);
    }
}

/// A server of the test's own making, one reply a request.
class FakeServer {
  public:
    using Reply = std::function<void(Channel&, const Message&)>;
    explicit FakeServer(UniqueFd socket, Reply reply)
        : thread_([channel = Channel(std::move(socket)), reply = std::move(reply)]() mutable {
            for (;;) {
                auto message = channel.receive();
                if (!message)
                    return;
                if (*message)
                    reply(channel, **message);
                else
                    channel.wait(1000);
            }
        }) {}
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;
    ~FakeServer() { thread_.join(); }

  private:
    std::thread thread_;
};

/// Answers as a plain PCI device with one BAR, no file and no interrupt would.
void answer_plainly(Channel& channel, const Message& message) {
    switch (static_cast<Command>(message.header.command)) {
    case Command::version:
        static_cast<void>(channel.reply(message.header, {version_of(1, "")}));
        return;
    case Command::get_info:
        static_cast<void>(channel.reply(message.header, {bytes_of(DeviceInfo{16, DeviceInfo::pci, 9, 5})}));
        return;
    case Command::get_region_info: {
        auto info = take<vfio_user::RegionInfo>(message.body);
        info.argsz = 32;
        info.size = info.index == 7 ? 256 : info.index == 0 ? 4096 : 0;
        info.flags = info.size != 0 ? 3 : 0;
        static_cast<void>(channel.reply(message.header, {bytes_of(info)}));
        return;
    }
    case Command::get_irq_info:
        static_cast<void>(channel.refuse(message.header, EINVAL));
        return;
    case Command::region_read: {
        const auto access = take<RegionAccess>(message.body);
        static_cast<void>(
            channel.reply(message.header, {bytes_of(access), std::vector<std::byte>(access.count)}));
        return;
    }
    default:
        static_cast<void>(channel.refuse(message.header, EOPNOTSUPP));
    }
}

int connect_to(const FakeServer::Reply& reply, int timeout_ms = 2000) {
    auto ends = socket_pair().value();
    const FakeServer server(std::move(ends[1]), reply);
    auto device = device::connect(std::move(ends[0]), "fake", {.timeout_ms = timeout_ms});
    return code(device);
}

TEST(ClientPeers, may_be_plain) {
    EXPECT_EQ(connect_to(answer_plainly), 0);
}

TEST(ClientPeers, are_given_up_when_they_break_the_protocol) {
    const auto breaking = [](Command command, const FakeServer::Reply& reply) {
        return [=](Channel& channel, const Message& message) {
            if (message.header.command == static_cast<std::uint16_t>(command))
                reply(channel, message);
            else
                answer_plainly(channel, message);
        };
    };
    const auto with_id = [](Channel& channel, const Message& message) {
        auto header = message.header;
        ++header.id;
        static_cast<void>(channel.reply(header, {bytes_of(DeviceInfo{})}));
    };
    const auto short_reply = [](Channel& channel, const Message& message) {
        static_cast<void>(channel.reply(message.header, {}));
    };
    const auto bad_region = [](Channel& channel, const Message& message) {
        auto info = take<vfio_user::RegionInfo>(message.body);
        info.flags = 15;
        info.size = 4096;
        info.cap_offset = 0xfffffff0;
        const int fd = 0;
        static_cast<void>(channel.reply(message.header, {bytes_of(info)}, std::span(&fd, 1)));
    };
    const auto too_many_areas = [](Channel& channel, const Message& message) {
        auto info = take<vfio_user::RegionInfo>(message.body);
        info.flags = 15;
        info.size = 4096;
        info.cap_offset = 32;
        const int fd = 0;
        static_cast<void>(channel.reply(message.header,
                                        {bytes_of(info), bytes_of(SparseMmap{{1, 1, 0}, 0xffffffff, 0})},
                                        std::span(&fd, 1)));
    };
    const auto not_pci = [](Channel& channel, const Message& message) {
        static_cast<void>(channel.reply(message.header, {bytes_of(DeviceInfo{16, 0, 9, 5})}));
    };
    const auto other_major = [](Channel& channel, const Message& message) {
        auto payload = version_of(0, "");
        payload[0] = std::byte{7};
        static_cast<void>(channel.reply(message.header, {payload}));
    };
    const auto missing_twin = [](Channel& channel, const Message& message) {
        static_cast<void>(channel.reply(
            message.header,
            {version_of(0, R"({"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}})")}));
    };
    EXPECT_EQ(connect_to(breaking(Command::get_info, with_id)), EPROTO);
    EXPECT_EQ(connect_to(breaking(Command::get_info, short_reply)), EPROTO);
    EXPECT_EQ(connect_to(breaking(Command::get_info, not_pci)), EPROTO);
    EXPECT_EQ(connect_to(breaking(Command::get_region_info, bad_region)), EPROTO);
    EXPECT_EQ(connect_to(breaking(Command::get_region_info, too_many_areas)), EPROTO);
    EXPECT_EQ(connect_to(breaking(Command::version, other_major)), EPROTO);
    EXPECT_EQ(connect_to(breaking(Command::version, missing_twin)), EPROTO);
}

TEST(ClientPeers, are_given_up_when_they_do_not_answer) {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(connect_to([](Channel&, const Message&) {}, 50), ETIMEDOUT);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST(ClientPeers, get_an_error_for_what_they_may_not_ask) {
    std::vector<std::uint32_t> errors;
    const auto asking = [&](Channel& channel, const Message& message) {
        if (message.is_reply()) {
            errors.push_back(message.header.error);
            return;
        }
        if (message.header.command == static_cast<std::uint16_t>(Command::get_info)) {
            static_cast<void>(channel.send(test::command(Command::device_reset), {}));
            static_cast<void>(channel.send(test::command(Command::dma_read), {}));
            static_cast<void>(
                channel.send(test::command(Command::dma_read), {bytes_of(vfio_user::DmaAccess{page, 8})}));
            static_cast<void>(channel.send(test::command(Command::dma_write),
                                           {bytes_of(vfio_user::DmaAccess{page, ~std::uint64_t{0}})}));
        }
        answer_plainly(channel, message);
    };
    EXPECT_EQ(connect_to(asking), 0);
    EXPECT_EQ(errors, (std::vector<std::uint32_t>{EOPNOTSUPP, EINVAL, EFAULT, E2BIG}));
}

TEST(ClientPeers, lose_no_descriptor_of_a_refused_reply) {
    const std::size_t before = open_fds();
    for (unsigned i = 0; i < 20; ++i) {
        EXPECT_EQ(connect_to([](Channel& channel, const Message& message) {
                      const int fds[] = {0, 0, 0};
                      static_cast<void>(channel.reply(message.header, {bytes_of(DeviceInfo{})}, fds));
                  }),
                  EINVAL);
    }
    EXPECT_EQ(open_fds(), before);
}

} // namespace
