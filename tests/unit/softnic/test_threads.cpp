// SPDX-License-Identifier: BSD-3-Clause
/// The threads of sluice-softnic, for ThreadSanitizer: one pumps a server, one polls its device, and one
/// reads statistics, while clients come, bring the device up, reset it and go.
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/base/mapping.hpp>
#include <sluice/device/vfio_user.hpp>
#include <sluice/model/soft_nic.hpp>
#include <sluice/serve/server.hpp>

#include "pci.hpp"

namespace {

using namespace sluice;

constexpr std::size_t memory_bytes = 64 * 1024;
constexpr Iova memory_iova{0x10000};

/// A client that starts two empty queues of 16 and resets the device.
void visit(const std::string& path) {
    auto device = device::connect(path);
    // The former client's end may not have been seen yet.
    for (unsigned tries = 0; !device && tries < 1000; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        device = device::connect(path);
    }
    ASSERT_TRUE(device) << device.error().message();
    const UniqueFd file(::memfd_create("client", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), memory_bytes), 0);
    auto memory = Mapping::shared(file.get(), memory_bytes, 0, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(memory);
    const device::MemoryFile whole{.fd = file.get(), .offset = 0};
    ASSERT_TRUE((*device)->space()->map(memory_iova, memory->span(), device::DmaAccess::read_write, whole));
    {
        auto transport = virtio::PciTransport::create(**device);
        ASSERT_TRUE(transport) << transport.error().message();
        virtio::Features wanted;
        for (const auto feature : {virtio::Feature::version_1, virtio::Feature::access_platform})
            wanted.add(feature);
        for (unsigned round = 0; round < 3; ++round) {
            ASSERT_TRUE((*transport)->negotiate(wanted));
            for (std::uint16_t queue = 0; queue < 2; ++queue) {
                const std::uint64_t at = memory_iova.value + 0x4000 * queue;
                const virtio::QueueSetup setup{
                    .size = 16, .desc = Iova{at}, .driver = Iova{at + 0x1000}, .device = Iova{at + 0x2000}};
                ASSERT_TRUE((*transport)->set_queue(queue, setup));
            }
            ASSERT_TRUE((*transport)->run());
            for (unsigned look = 0; look < 5; ++look)
                ASSERT_EQ((*device)->service(), device::Presence::here);
            ASSERT_TRUE((*transport)->reset());
        }
    }
    ASSERT_TRUE((*device)->space()->unmap(memory_iova, memory_bytes));
}

TEST(SoftNicThreads, serve_poll_and_count_at_once) {
    const std::string path = testing::TempDir() + "sluice-threads-" + std::to_string(::getpid());
    model::NicOptions options;
    options.name = "threads";
    options.backend.kind = "gen";
    auto nic = model::make_soft_nic(options);
    ASSERT_TRUE(nic) << nic.error().message();
    auto server = serve::Server::listen(**nic, path);
    ASSERT_TRUE(server) << server.error().message();
    std::atomic<bool> stop{false};
    std::jthread pumper([&] {
        while (!stop.load())
            if (pollfd waits{(*server)->fd(), POLLIN, 0}; ::poll(&waits, 1, 10) == 1)
                (*server)->pump();
    });
    std::jthread mover([&] {
        while (!stop.load())
            if ((*nic)->poll() == 0)
                std::this_thread::yield();
    });
    std::jthread reader([&] {
        while (!stop.load()) {
            EXPECT_FALSE((*nic)->statistics().empty());
            std::this_thread::yield();
        }
    });
    for (unsigned i = 0; i < 20; ++i) {
        visit(path);
        if (HasFatalFailure())
            break;
    }
    stop.store(true);
}

} // namespace
