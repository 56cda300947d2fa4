// SPDX-License-Identifier: BSD-3-Clause
// Whole conversations of an arbitrary client with a served device.
//
// Input: a byte (bit 0: the client says VERSION itself); then requests, each a byte of the command, a byte of
// descriptors and oddities, a byte of length, and the body. Bits of the second byte: 0–1 descriptors, 2 their
// kind (eventfd or memory), 3 a header whose size is the next four bytes of input, 4 no reply wanted, 5 a
// reply, 6 sent in two pieces, 7 the body is 16 times as long. What must hold: each request that wants a
// reply gets one of its id and command, of a shape that check_reply() takes, or an errno; the stream stays in
// step; the device's space holds what was mapped and nothing of a client that is gone; no descriptor is lost.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <sluice/device/inproc.hpp>
#include <sluice/serve/server.hpp>
#include <sluice/vfio_user/check.hpp>
#include <sluice/vfio_user/version.hpp>

#include "wire.hpp"

using namespace sluice;
using namespace sluice::vfio_user;
using fuzz::must_hold;

namespace {

constexpr std::uint64_t page = 4096;
constexpr unsigned most_requests = 64;

/// BAR0: writing at 8 copies 64 bytes inside the client's memory, from the IOVA written to that one's page.
std::unique_ptr<device::inproc::Model> make_device() {
    auto model = std::make_shared<device::inproc::Model*>(nullptr);
    device::inproc::ModelSetup setup;
    setup.identity.name = "fuzzed";
    setup.identity.vendor = 0x1af4;
    setup.regions.push_back({.region = device::Region::bar0,
                             .size = page,
                             .on_read = [](std::uint64_t at, unsigned) { return at; },
                             .on_write =
                                 [model](std::uint64_t at, unsigned, std::uint64_t value) {
                                     if (at != 8)
                                         return;
                                     std::byte bytes[64];
                                     if ((*model)->space()->read(Iova{value}, bytes))
                                         static_cast<void>(
                                             (*model)->space()->write(Iova{value & ~(page - 1)}, bytes));
                                     (*model)->lines().fire(device::Irq::msix, 0);
                                 }});
    setup.regions.push_back({.region = device::Region::bar4, .size = 2 * page, .mappable = {{page, page}}});
    setup.vectors = {1, 2, 3, 1, 1};
    setup.config = [](device::inproc::ConfigImage& image) {
        const std::uint8_t body[] = {2, 0, 0, 0, 0, 0, 0, 8, 0, 0};
        const std::uint8_t writable[] = {0, 0xc0};
        image.add_capability(0x11, body, writable);
    };
    setup.on_reset = []() -> Result<> { return {}; };
    auto made = device::inproc::Model::create(std::move(setup)).value();
    *model = made.get();
    return made;
}

struct Client {
    Channel channel;
    std::unique_ptr<serve::Server> server;
    std::uint16_t id = 0;
    Limits limits{64, 1 << 16, 100};
    bool exact = true; ///< every header so far told its message's size

    /// Sends one request, and holds the answer against it.
    void talk(const Header& header, std::span<const std::uint8_t> body, std::span<const int> fds,
              bool split) {
        std::vector<std::uint8_t> bytes(sizeof header + body.size());
        std::memcpy(bytes.data(), &header, sizeof header);
        std::ranges::copy(body, bytes.begin() + sizeof header);
        const std::size_t first = split ? 1 + bytes.size() / 3 : bytes.size();
        static_cast<void>(fuzz::send_some(channel.fd(), std::span(bytes).first(first), fds));
        while (server->pump())
            ;
        if (split)
            static_cast<void>(fuzz::send_some(channel.fd(), std::span(bytes).subspan(first), {}));
        while (server->pump())
            ;
        exact = exact && header.size == bytes.size();
        const bool wanted = (header.flags & (type_mask | flag_no_reply)) == 0;
        bool answered = false;
        for (;;) {
            auto message = channel.receive();
            if (!message) {
                must_hold(!server->connected());
                return;
            }
            if (!*message)
                break;
            if (!(*message)->is_reply()) // DMA by message, which this client leaves open
                continue;
            if (!exact)
                continue;
            must_hold(wanted && !answered);
            answered = true;
            const int code = check_reply(**message, header, limits);
            must_hold(code != EPROTO || ((*message)->header.flags & flag_error) != 0);
        }
        must_hold(answered || !wanted || !exact || !server->connected());
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const auto before = fuzz::open_descriptors();
    {
        const auto device = make_device();
        auto ends = socket_pair().value();
        const serve::ServerOptions options{.limits = {64, 1 << 16, 100},
                                           .dma_timeout_ms = 1,
                                           .twin_socket = true,
                                           .budget = 64,
                                           .linger_us = 0};
        auto server = serve::Server::adopt(*device, std::move(ends[1]), options);
        must_hold(server.has_value());
        Client client{Channel(std::move(ends[0])), std::move(*server)};
        const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        const int memory = ::memfd_create("fuzz", MFD_CLOEXEC);
        must_hold(::ftruncate(memory, 4 * page) == 0);
        std::span<const std::uint8_t> rest(data + 1, size - 1);
        if ((data[0] & 1) == 0) {
            const auto payload = encode(vfio_user::Version{});
            Header header{client.id++, 1, static_cast<std::uint32_t>(sizeof header + payload.size()), 0, 0};
            client.talk(header, {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()}, {},
                        false);
        }
        for (unsigned left = most_requests; left > 0 && rest.size() >= 3 && client.server->connected();
             --left) {
            const std::uint8_t odd = rest[1];
            const std::size_t length = std::size_t{rest[2]} * ((odd & 0x80) != 0 ? 16 : 1);
            Header header{client.id++, rest[0], 0, 0, 0};
            rest = rest.subspan(3);
            std::uint32_t claimed = 0;
            if ((odd & 8) != 0 && rest.size() >= 4) {
                std::memcpy(&claimed, rest.data(), 4);
                rest = rest.subspan(4);
            }
            const auto body = rest.first(std::min(rest.size(), length));
            rest = rest.subspan(body.size());
            header.size = (odd & 8) != 0 ? claimed : static_cast<std::uint32_t>(sizeof header + body.size());
            header.flags = ((odd & 0x10) != 0 ? flag_no_reply : 0) | ((odd & 0x20) != 0 ? type_reply : 0);
            const std::vector<int> fds(odd & 3, (odd & 4) != 0 ? memory : event);
            client.talk(header, body, fds, (odd & 0x40) != 0);
            must_hold(device->space()->info()->entries <= options.limits.max_dma_maps);
        }
        client.server.reset();
        must_hold(device->space()->info()->entries == 0);
        for (std::size_t irq = 0; irq < device::irq_count; ++irq)
            must_hold(device->interrupts().active(static_cast<device::Irq>(irq)) == 0);
        ::close(event);
        ::close(memory);
    }
    must_hold(fuzz::open_descriptors() == before);
    return 0;
}
