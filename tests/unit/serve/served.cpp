// SPDX-License-Identifier: BSD-3-Clause
#include "served.hpp"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::test {

using device::Region;

CopyEngine::CopyEngine(std::uint16_t device_id) {
    device::inproc::ModelSetup setup;
    setup.identity.name = "copy-engine";
    setup.identity.vendor = 0x1af4;
    setup.identity.device = device_id;
    setup.identity.class_code = 0x088000;
    setup.regions.push_back(
        {.region = Region::bar0,
         .size = page,
         .on_read = [this](auto at, auto width) { return read(at, width); },
         .on_write = [this](auto at, auto width, auto value) { write(at, width, value); }});
    setup.regions.push_back({.region = Region::bar2, .size = 4 * page, .mappable = {{page, 2 * page}}});
    setup.vectors = {1, 0, vectors, 0, 0};
    setup.config = [](device::inproc::ConfigImage& image) {
        const std::uint8_t body[] = {vectors - 1, 0, 0, 0, 0, 0, 0, 8, 0, 0}; // PCI Local Bus 3.0 §6.8.2
        const std::uint8_t writable[] = {0, 0xc0};
        image.add_capability(0x11, body, writable);
    };
    setup.on_reset = [this]() -> Result<> {
        const auto count = read(resets, 4);
        std::memset(registers_, 0, sizeof registers_);
        write(resets, 4, count + 1);
        return {};
    };
    model_ = device::inproc::Model::create(std::move(setup)).value();
}

std::uint64_t CopyEngine::read(std::uint64_t offset, unsigned width) {
    std::uint64_t value = 0;
    std::memcpy(&value, registers_ + offset, width);
    return value;
}

void CopyEngine::write(std::uint64_t offset, unsigned width, std::uint64_t value) {
    std::memcpy(registers_ + offset, &value, width);
    if (offset != go)
        return;
    const auto done = copy();
    write(status, 4, static_cast<std::uint64_t>(code(done)));
    model_->lines().fire(device::Irq::msix, 0);
}

Result<> CopyEngine::copy() {
    std::vector<std::byte> bytes(std::min<std::uint64_t>(read(length, 4), 4 << 20));
    const auto& space = *model_->space();
    if (auto done = space.read(Iova{read(source, 8)}, bytes); !done)
        return done;
    return space.write(Iova{read(target, 8)}, bytes);
}

Pumper::Pumper(serve::Server& server)
    : stop_(EventFd::create().value())
    , thread_([this, &server, stop = stop_.fd()] {
        const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
        for (const int fd : {server.fd(), stop}) {
            epoll_event wanted{};
            wanted.events = EPOLLIN;
            wanted.data.fd = fd;
            ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &wanted);
        }
        for (;;) {
            epoll_event ready{};
            if (::epoll_wait(epoll.get(), &ready, 1, -1) == 1 && ready.data.fd == stop)
                return;
            const std::scoped_lock lock(pumping_);
            server.pump();
        }
    }) {}

Pumper::~Pumper() {
    stop_.signal();
    thread_.join();
}

std::string socket_path() {
    static std::atomic<unsigned> next{0};
    return ::testing::TempDir() + "sluice-serve-" + std::to_string(::getpid()) + "-" +
           std::to_string(next.fetch_add(1));
}

SharedPages::SharedPages(std::size_t pages)
    : fd(::memfd_create("test", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(pages * page)), 0);
    memory = Mapping::shared(fd.get(), pages * page, 0, PROT_READ | PROT_WRITE).value();
}

} // namespace sluice::test
