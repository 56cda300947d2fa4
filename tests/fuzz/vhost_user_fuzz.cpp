// SPDX-License-Identifier: BSD-3-Clause
// Whole conversations of a front-end with the back-end's engine. Each message of the input: request, flags,
// length of the body, descriptors; then the body. A word of a body that begins with 0xa5 is replaced by an
// address, so that rings come to run.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <sluice/vhost_user/back_end.hpp>
#include <sluice/vhost_user/socket.hpp>

#include "descriptors.hpp"

using namespace sluice;
using namespace sluice::vhost_user;

namespace {

constexpr std::size_t memory_size = 1 << 20;
constexpr std::uint64_t user_base = 0x7f00'0000'0000;

void require(bool what, const char* text) {
    if (what)
        return;
    std::fprintf(stderr, "%s\n", text);
    std::abort();
}

/// A device that touches all that it is given, as a real one might.
struct Device final : Rings {
    std::uint64_t features() const noexcept override {
        return std::uint64_t{1} << 32 | std::uint64_t{1} << 34;
    }
    std::span<const std::byte> config() const noexcept override { return bytes; }
    unsigned pairs() const noexcept override { return 2; }
    void set_features(std::uint64_t accepted) noexcept override {
        require(running == 0, "features change under a running ring");
        packed = (accepted >> 34 & 1) != 0;
    }
    void start(unsigned index, const RingSetup& ring, const MemoryTable&) noexcept override {
        require(index < 4 && (running >> index & 1) == 0, "a ring starts twice");
        running |= 1U << index;
        const std::size_t size = ring.size;
        touch(ring.desc, 16 * size);
        touch(ring.driver, packed ? 4 : 4 + 2 * size);
        touch(ring.device, packed ? 4 : 4 + 8 * size);
    }
    std::uint32_t stop(unsigned index) noexcept override {
        require((running >> index & 1) != 0, "a ring stops that did not run");
        running &= ~(1U << index);
        return 5;
    }
    void set_call(unsigned index, int) noexcept override {
        require((running >> index & 1) != 0, "a ring that does not run is told of its call");
    }
    static void touch(std::byte* at, std::size_t size) noexcept {
        at[0] = std::byte{1};
        at[size - 1] = std::byte{1};
    }

    std::array<std::byte, 16> bytes{};
    unsigned running = 0;
    bool packed = false;
};

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) noexcept
        : data_(data)
        , left_(size) {}
    bool empty() const noexcept { return left_ == 0; }
    std::uint8_t byte() noexcept {
        if (left_ == 0)
            return 0;
        --left_;
        return *data_++;
    }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

std::vector<std::byte> body_of(Input& input, std::size_t size) {
    std::vector<std::byte> body(size);
    for (std::byte& each : body)
        each = std::byte{input.byte()};
    for (std::size_t at = 0; at + 8 <= size; at += 8)
        if (body[at] == std::byte{0xa5}) {
            const std::uint64_t address = user_base + 256U * std::to_integer<unsigned>(body[at + 1]) *
                                                          (1U + std::to_integer<unsigned>(body[at + 2]));
            std::memcpy(&body[at], &address, sizeof address);
        }
    return body;
}

void send(int socket, const Header& header, const std::vector<std::byte>& body, const int* fds,
          std::size_t count) {
    std::vector<std::byte> all(sizeof header);
    std::memcpy(all.data(), static_cast<const void*>(&header), sizeof header);
    all.insert(all.end(), body.begin(), body.end());
    iovec part{all.data(), all.size()};
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * 16)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count != 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        cmsghdr* const rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
        std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
    }
    static_cast<void>(::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const int memory = [] {
        const int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
        require(fd >= 0 && ::ftruncate(fd, memory_size) == 0, "no memory");
        return fd;
    }();
    const auto before = fuzz::open_descriptors();
    Device device;
    {
        auto pair = socket_pair();
        if (!pair)
            return 0;
        BackEnd back(std::move(pair->first), device);
        Input input(data, size);
        std::array<int, 16> fds{};
        fds.fill(memory);
        for (unsigned messages = 0; !input.empty() && messages < 64; ++messages) {
            Header header;
            header.request = input.byte();
            header.flags = input.byte();
            const unsigned length = input.byte() + (input.byte() & 3U) * 256U;
            const std::uint8_t how = input.byte();
            header.size = length;
            if ((how & 0xc0) == 0xc0) // what is announced does not follow
                header.size += input.byte() * 1000U;
            send(pair->second.get(), header, body_of(input, length), fds.data(), how & 0xf);
            if (!back.pump())
                break;
            std::array<std::byte, 4096> answers;
            while (::recv(pair->second.get(), answers.data(), answers.size(), MSG_DONTWAIT) > 0) {
            }
        }
    }
    require(device.running == 0, "a ring outlives its connection");
    require(fuzz::open_descriptors() == before, "a descriptor is lost");
    return 0;
}
