// SPDX-License-Identifier: BSD-3-Clause
// The vfio_user transport against the server: one process, two threads.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include <sluice/config/space.hpp>
#include <sluice/device/region_io.hpp>

#include "served.hpp"

using namespace sluice;
using namespace sluice::test;
using device::Irq;
using device::Presence;
using device::Region;

namespace {

class ServedDevice : public ::testing::Test {
  protected:
    void serve(const serve::ServerOptions& options = {}) {
        pumper_.reset();
        server_.reset();
        auto server = serve::Server::listen(engine_->device(), path_, options);
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(*server);
        pumper_.emplace(*server_);
    }
    void open(const device::RemoteOptions& options = {}) {
        auto opened = device::connect(path_, options);
        ASSERT_TRUE(opened) << opened.error().message();
        device_ = std::move(*opened);
    }
    void SetUp() override {
        serve();
        open();
    }
    void die() {
        pumper_.reset();
        server_.reset();
    }
    bool has_events(int timeout_ms = 0) const {
        pollfd waits{device_->events_fd(), POLLIN, 0};
        return ::poll(&waits, 1, timeout_ms) == 1;
    }
    Result<std::uint32_t> read32(std::uint64_t at, Region region = Region::bar0) {
        std::uint32_t value = 0;
        auto done = device_->read(region, at, std::as_writable_bytes(std::span(&value, 1)));
        if (!done)
            return propagate(std::move(done));
        return value;
    }
    int write32(std::uint64_t at, std::uint32_t value) {
        return code(device_->write(Region::bar0, at, std::as_bytes(std::span(&value, 1))));
    }

    std::string path_ = socket_path();
    std::unique_ptr<CopyEngine> engine_ = std::make_unique<CopyEngine>();
    std::unique_ptr<serve::Server> server_;
    std::optional<Pumper> pumper_;
    std::unique_ptr<device::Device> device_;
};

TEST_F(ServedDevice, shows_the_devices_identity_regions_and_interrupts) {
    EXPECT_EQ(device_->identity().vendor, 0x1af4);
    EXPECT_EQ(device_->identity().device, 0x1234);
    EXPECT_EQ(device_->identity().class_code, 0x088000U);
    EXPECT_EQ(device_->identity().transport, "vfio-user");
    EXPECT_EQ(device_->name(), path_);
    EXPECT_EQ(device_->region(Region::bar0).size, page);
    EXPECT_TRUE(device_->region(Region::bar0).mappable.empty());
    ASSERT_EQ(device_->region(Region::bar2).mappable.size(), 1U);
    EXPECT_EQ(device_->region(Region::bar2).mappable[0].offset, page);
    EXPECT_EQ(device_->region(Region::bar2).mappable[0].size, 2 * page);
    EXPECT_FALSE(device_->region(Region::bar1).present());
    EXPECT_EQ(device_->interrupts().info(Irq::msix).count, CopyEngine::vectors);
    EXPECT_TRUE(device_->interrupts().info(Irq::msix).can_add);
    EXPECT_EQ(device_->interrupts().info(Irq::msi).count, 0U);
    EXPECT_EQ(device_->interrupts().info(Irq::request).count, 0U);
}

TEST_F(ServedDevice, carries_register_accesses_and_their_errors) {
    EXPECT_EQ(write32(CopyEngine::scratch, 0xcafe1234), 0);
    EXPECT_EQ(read32(CopyEngine::scratch).value(), 0xcafe1234U);
    std::byte bytes[8] = {};
    EXPECT_EQ(code(device_->read(Region::bar0, page - 4, bytes)), EINVAL);
    EXPECT_EQ(code(device_->read(Region::bar1, 0, bytes)), EINVAL);
    EXPECT_EQ(code(device_->write(Region::rom, 0, bytes)), EINVAL);
}

TEST_F(ServedDevice, splits_large_transfers_by_what_the_server_takes) {
    device_.reset();
    serve({.limits = {.max_msg_fds = 1, .max_data_xfer_size = 1000, .max_dma_maps = 10}});
    open();
    std::vector<std::byte> out(4 * page);
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<std::byte>(i * 31);
    ASSERT_EQ(code(device_->write(Region::bar2, 0, out)), 0);
    std::vector<std::byte> in(4 * page);
    ASSERT_EQ(code(device_->read(Region::bar2, 0, in)), 0);
    EXPECT_EQ(in, out);
    EXPECT_EQ(device_->space()->info()->entry_limit, 10U);
}

TEST_F(ServedDevice, maps_regions_that_the_device_has_a_file_for) {
    auto mapping = device_->map(Region::bar2, page, 2 * page);
    ASSERT_TRUE(mapping) << mapping.error().message();
    mapping->data()[5] = std::byte{0x77};
    {
        const auto lock = pumper_->hold();
        EXPECT_EQ(engine_->device().memory(Region::bar2)[page + 5], std::byte{0x77});
    }
    EXPECT_EQ(code(device_->map(Region::bar2, 0, page)), EINVAL);
    EXPECT_EQ(code(device_->map(Region::bar0, 0, page)), EINVAL);
    auto io = device::RegionIo::create(*device_, Region::bar2);
    ASSERT_TRUE(io);
    EXPECT_NE((*io)->pointer(page, 4), nullptr);
    EXPECT_EQ((*io)->pointer(0, 4), nullptr);
}

TEST_F(ServedDevice, mediates_config_space_on_both_sides) {
    auto& config = device_->config();
    EXPECT_EQ(config.read16(0).value(), 0x1af4);
    EXPECT_NE(config.find_capability(0x11), 0U);
    ASSERT_TRUE(config.set_bus_master(true));
    ASSERT_TRUE(config.set_memory_decoding(true));
    {
        const auto lock = pumper_->hold();
        EXPECT_EQ(engine_->device().config_image().bytes()[4] & 6, 6);
    }
    ASSERT_TRUE(config.write16(0, 0xdead));
    EXPECT_EQ(config.read16(0).value(), 0x1af4);
    ASSERT_TRUE(config.write32(0x18, 0xffffffff));
    EXPECT_EQ(config.read32(0x18).value(), 0xffffffff & ~(4 * page - 1));
}

TEST_F(ServedDevice, delivers_interrupts_to_eventfds) {
    std::vector<EventFd> events;
    std::vector<int> fds;
    for (std::uint32_t i = 0; i < CopyEngine::vectors; ++i) {
        events.push_back(EventFd::create().value());
        fds.push_back(events.back().fd());
    }
    auto& irqs = device_->interrupts();
    // Vector 0 first, and without an eventfd.
    const int none = -1;
    ASSERT_EQ(code(irqs.enable(Irq::msix, std::span(&none, 1))), 0);
    ASSERT_EQ(code(irqs.set(Irq::msix, 0, fds)), 0);
    for (std::uint32_t i = 0; i < CopyEngine::vectors; ++i) {
        EXPECT_TRUE(engine_->device().lines().fire(Irq::msix, i));
        EXPECT_TRUE(events[i].wait(2000)) << i;
        EXPECT_EQ(events[i].take(), 1U);
    }
    ASSERT_EQ(code(irqs.trigger(Irq::msix, 2)), 0);
    EXPECT_TRUE(events[2].wait(2000));
    ASSERT_EQ(code(irqs.set(Irq::msix, 1, std::span(&none, 1))), 0);
    EXPECT_FALSE(engine_->device().lines().fire(Irq::msix, 1));
    ASSERT_EQ(code(irqs.disable(Irq::msix)), 0);
    EXPECT_FALSE(engine_->device().lines().fire(Irq::msix, 0));
}

TEST_F(ServedDevice, masks_intx) {
    const EventFd event = EventFd::create().value();
    const int fd = event.fd();
    auto& irqs = device_->interrupts();
    ASSERT_EQ(code(irqs.enable(Irq::intx, std::span(&fd, 1))), 0);
    EXPECT_TRUE(engine_->device().lines().fire(Irq::intx, 0));
    EXPECT_FALSE(engine_->device().lines().fire(Irq::intx, 0)) << "masks itself";
    ASSERT_EQ(code(irqs.unmask_intx()), 0);
    EXPECT_TRUE(engine_->device().lines().fire(Irq::intx, 0));
    ASSERT_EQ(code(irqs.unmask_intx()), 0);
    ASSERT_EQ(code(irqs.mask_intx()), 0);
    EXPECT_FALSE(engine_->device().lines().fire(Irq::intx, 0));
    ASSERT_EQ(code(irqs.disable(Irq::intx)), 0);
}

TEST_F(ServedDevice, sends_no_more_descriptors_at_once_than_the_server_takes) {
    device_.reset();
    serve({.limits = {.max_msg_fds = 1, .max_data_xfer_size = 1 << 20, .max_dma_maps = 10}});
    open();
    std::vector<EventFd> events;
    std::vector<int> fds;
    for (std::uint32_t i = 0; i < CopyEngine::vectors; ++i) {
        events.push_back(EventFd::create().value());
        fds.push_back(i == 2 ? -1 : events.back().fd());
    }
    ASSERT_EQ(code(device_->interrupts().enable(Irq::msix, fds)), 0);
    EXPECT_TRUE(engine_->device().lines().fire(Irq::msix, 3));
    EXPECT_FALSE(engine_->device().lines().fire(Irq::msix, 2));
    EXPECT_EQ(events[3].take(), 1U);
}

TEST_F(ServedDevice, is_reset_by_message_and_between_clients) {
    ASSERT_EQ(write32(CopyEngine::scratch, 7), 0);
    const auto before = read32(CopyEngine::resets).value();
    ASSERT_EQ(code(device_->reset()), 0);
    EXPECT_EQ(read32(CopyEngine::scratch).value(), 0U);
    EXPECT_EQ(read32(CopyEngine::resets).value(), before + 1);
    ASSERT_EQ(write32(CopyEngine::scratch, 8), 0);
    ASSERT_TRUE(device_->config().write32(0x10, 0x90000000));
    ASSERT_TRUE(device_->config().set_bus_master(true));
    const EventFd event = EventFd::create().value();
    const int fd = event.fd();
    ASSERT_EQ(code(device_->interrupts().enable(Irq::msix, std::span(&fd, 1))), 0);
    SharedPages memory(1);
    ASSERT_EQ(code(device_->space()->map(Iova{page}, memory.span(), device::DmaAccess::read, memory.file())),
              0);
    device_.reset();
    // The next client is let in once the first one's leavings are gone.
    while (!device_)
        if (auto opened = device::connect(path_))
            device_ = std::move(*opened);
    EXPECT_EQ(read32(CopyEngine::scratch).value(), 0U);
    EXPECT_EQ(read32(CopyEngine::resets).value(), before + 2);
    EXPECT_EQ(device_->config().read16(4).value() & 4, 0);
    EXPECT_FALSE(engine_->device().lines().fire(Irq::msix, 0));
    EXPECT_EQ(engine_->device().space()->info()->entries, 0U);
}

TEST_F(ServedDevice, has_one_client_at_a_time) {
    auto second = device::connect(path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ECONNRESET) << second.error().message();
    EXPECT_EQ(code(read32(0)), 0) << "the first one goes on";
}

TEST_F(ServedDevice, fails_at_once_when_its_server_dies) {
    const EventFd event = EventFd::create().value();
    const int fd = event.fd();
    ASSERT_EQ(code(device_->interrupts().enable(Irq::msix, std::span(&fd, 1))), 0);
    EXPECT_EQ(device_->presence(), Presence::here);
    EXPECT_FALSE(has_events());
    die();
    EXPECT_TRUE(has_events()) << "though nobody calls";
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(code(read32(0)), ECONNRESET);
    EXPECT_EQ(device_->presence(), Presence::lost);
    EXPECT_TRUE(has_events()) << "though that call has met it";
    EXPECT_EQ(code(device_->reset()), ENODEV);
    EXPECT_EQ(device_->service(), Presence::lost);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
    EXPECT_EQ(code(device_->interrupts().disable(Irq::msix)), 0);
}

TEST_F(ServedDevice, leaves_nothing_to_read_where_it_was_mapped) {
    auto io = device::RegionIo::create(*device_, Region::bar2).value();
    io->write(page, 4, 0x12345678);
    EXPECT_EQ(io->read(page, 4), 0x12345678U);
    die();
    EXPECT_EQ(device_->service(), Presence::lost);
    EXPECT_EQ(io->read(page, 4), 0xffffffffU);
    EXPECT_EQ(io->pointer(page, 4), nullptr);
    engine_ = std::make_unique<CopyEngine>();
    serve();
    ASSERT_EQ(code(device_->reset()), 0);
    ASSERT_EQ(code(io->map_again()), 0);
    EXPECT_EQ(io->read(page, 4), 0U) << "the other server's";
}

TEST_F(ServedDevice, is_gone_for_good_when_it_came_as_a_socket) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd ours(ends[0]);
    CopyEngine engine;
    auto server = serve::Server::adopt(engine.device(), UniqueFd(ends[1])).value();
    std::optional<Pumper> pumper(*server);
    auto device = device::connect(std::move(ours), "pair").value();
    pumper.reset();
    server.reset();
    EXPECT_EQ(device->service(), Presence::gone);
    EXPECT_EQ(code(device->reset()), ENODEV);
}

TEST_F(ServedDevice, fails_at_once_when_its_server_dies_beside_a_twin_socket) {
    device_.reset();
    while (!device_)
        if (auto opened = device::connect(path_, {.twin_socket = true}))
            device_ = std::move(*opened);
    EXPECT_EQ(code(read32(0)), 0);
    die();
    EXPECT_EQ(code(read32(0)), ECONNRESET);
}

TEST_F(ServedDevice, says_that_nobody_serves) {
    device_.reset();
    die();
    const auto missing = device::connect(path_);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ENOENT);
    EXPECT_NE(missing.error().message().find(path_), std::string::npos);
    EXPECT_EQ(device::connect(std::string(200, 'x')).error().code(), ENAMETOOLONG);
}

TEST_F(ServedDevice, connects_again_with_memory_interrupts_and_config_as_they_were) {
    SharedPages memory(4);
    ASSERT_EQ(code(device_->space()->map(Iova{1 << 20}, memory.span(), device::DmaAccess::read_write,
                                         memory.file())),
              0);
    const EventFd event = EventFd::create().value();
    const int fd = event.fd();
    ASSERT_EQ(code(device_->interrupts().enable(Irq::msix, std::span(&fd, 1))), 0);
    auto& config = device_->config();
    ASSERT_TRUE(config.set_bus_master(true));
    die();
    EXPECT_EQ(code(read32(0)), ECONNRESET);
    EXPECT_EQ(code(device_->reset()), ENODEV);
    EXPECT_EQ(device_->service(), Presence::lost);
    engine_ = std::make_unique<CopyEngine>();
    serve();
    while (device_->service() != Presence::returned)
        ASSERT_TRUE(has_events(2000));
    ASSERT_EQ(code(device_->reset()), 0);
    EXPECT_EQ(device_->service(), Presence::here);
    EXPECT_EQ(config.read16(4).value() & 4, 4);
    EXPECT_EQ(engine_->device().config_image().bytes()[4] & 4, 4);
    memory.span()[0] = std::byte{0x42};
    const std::uint64_t source = 1 << 20;
    const std::uint64_t target = source + 2 * page;
    ASSERT_TRUE(device_->write(Region::bar0, CopyEngine::source, vfio_user::bytes_of(source)));
    ASSERT_TRUE(device_->write(Region::bar0, CopyEngine::target, vfio_user::bytes_of(target)));
    ASSERT_EQ(write32(CopyEngine::length, 1), 0);
    ASSERT_EQ(write32(CopyEngine::go, 1), 0);
    EXPECT_EQ(read32(CopyEngine::status).value(), 0U);
    EXPECT_EQ(memory.span()[2 * page], std::byte{0x42});
    EXPECT_TRUE(event.wait(2000));
}

TEST_F(ServedDevice, does_not_go_on_with_another_device) {
    die();
    engine_ = std::make_unique<CopyEngine>(0x5678);
    serve();
    EXPECT_EQ(code(read32(0)), ECONNRESET);
    EXPECT_EQ(code(device_->reset()), ESTALE);
    EXPECT_EQ(device_->presence(), Presence::lost);
}

TEST_F(ServedDevice, replaces_a_dead_servers_socket_and_no_live_ones) {
    CopyEngine other;
    const auto busy = serve::Server::listen(other.device(), path_);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code(), EADDRINUSE);
    EXPECT_EQ(code(read32(0)), 0);
}

} // namespace
