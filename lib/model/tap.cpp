// SPDX-License-Identifier: BSD-3-Clause
// A tap interface: the kernel's own stack is on the other side. Its frames have virtio's header in front
// (Linux, Documentation/networking/tuntap), so that checksums and segments are finished by who needs them.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <sluice/base/unique_fd.hpp>

#include "backends.hpp"

namespace sluice::inline v1::model {

namespace {

constexpr Takes takes_all{.checksum = true, .tcp4 = true, .tcp6 = true};

/// One queue of the interface and what was read from it.
struct TapQueue {
    static constexpr std::size_t burst = 8;
    static constexpr std::size_t slot = sizeof(NetHeader) + max_frame + 6;

    UniqueFd fd;
    std::vector<std::byte> memory = std::vector<std::byte>(burst * slot);
    std::array<Frame, burst> frames{};
    std::array<Buffer, burst> pieces{};
    std::size_t first = 0; ///< oldest frame that was not consumed
    std::size_t held = 0;  ///< frames read
};

class Tap final : public Backend {
  public:
    explicit Tap(std::vector<TapQueue> queues)
        : queues_(std::move(queues)) {}

    Takes takes() const noexcept override { return takes_all; }

    std::size_t send(unsigned queue, std::span<const Frame> frames) noexcept override {
        std::size_t taken = 0;
        for (; taken < frames.size(); ++taken) {
            const ssize_t written = write(queues_[queue].fd.get(), frames[taken]);
            if (written < 0 && errno == EAGAIN)
                break;
            if (written < 0)
                refused_.add(1);
        }
        return taken;
    }

    std::span<const Frame> receive(unsigned queue) noexcept override {
        TapQueue& q = queues_[queue];
        if (q.first == q.held)
            read(q);
        return std::span(q.frames).subspan(q.first, q.held - q.first);
    }

    void consume(unsigned queue, std::size_t count) noexcept override { queues_[queue].first += count; }

    void run(unsigned pairs) noexcept override {
        // The kernel spreads flows over the queues that are attached. A lone one has no choice.
        if (queues_.size() == 1)
            return;
        for (std::size_t i = 0; i < queues_.size(); ++i) {
            ifreq request{};
            request.ifr_flags = static_cast<short>(i < pairs || i == 0 ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);
            static_cast<void>(::ioctl(queues_[i].fd.get(), TUNSETQUEUE, &request));
        }
    }

    std::vector<device::Statistic> statistics() const override {
        return {{"tap_refused", refused_.get()}, {"tap_bad", bad_.get()}};
    }

  private:
    static ssize_t write(int fd, const Frame& frame) noexcept {
        constexpr std::size_t most = 128;
        NetHeader header = frame.header;
        header.num_buffers = 0;
        std::array<iovec, most> vectors;
        std::size_t count = 0;
        vectors[count++] = {&header, sizeof header};
        for (const Buffer& piece : frame.pieces) {
            if (count == most) {
                errno = EMSGSIZE;
                return -1;
            }
            vectors[count++] = {piece.data, piece.size};
        }
        return ::writev(fd, vectors.data(), static_cast<int>(count));
    }

    void read(TapQueue& q) noexcept {
        q.first = q.held = 0;
        while (q.held < TapQueue::burst) {
            std::byte* const at = q.memory.data() + q.held * TapQueue::slot;
            const ssize_t got = ::read(q.fd.get(), at, TapQueue::slot);
            if (got < 0)
                return;
            Frame& frame = q.frames[q.held];
            frame = {};
            if (static_cast<std::size_t>(got) < sizeof frame.header) {
                bad_.add(1);
                continue;
            }
            std::memcpy(static_cast<void*>(&frame.header), at, sizeof frame.header);
            frame.length = static_cast<std::uint32_t>(static_cast<std::size_t>(got) - sizeof frame.header);
            if (!check_header(frame.header, frame.length, takes_all)) {
                bad_.add(1);
                continue;
            }
            q.pieces[q.held] = {at + sizeof frame.header, frame.length, false};
            frame.pieces = {&q.pieces[q.held], 1};
            ++q.held;
        }
    }

    std::vector<TapQueue> queues_;
    Count refused_;
    Count bad_;
};

Result<UniqueFd> open_queue(const BackendSetup& setup, ifreq& request) {
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd)
        return fail_errno(
            "cannot open the kernel's tun device: load the module tun, or leave backend=tap out",
            "/dev/net/tun");
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0)
        return fail_errno("cannot attach to the tap interface: it belongs to somebody else (ip tuntap add … "
                          "user NAME), is in use, or has another number of queues",
                          setup.ifname);
    int header_bytes = sizeof(NetHeader);
    if (::ioctl(fd.get(), TUNSETVNETHDRSZ, &header_bytes) != 0)
        return fail_errno("cannot have virtio's header in front of a tap's frames", request.ifr_name);
    if (::ioctl(fd.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)
        return fail_errno("cannot have offloads on a tap", request.ifr_name);
    return fd;
}

} // namespace

Result<std::unique_ptr<Backend>> make_tap(const BackendSetup& setup) {
    ifreq request{};
    if (setup.ifname.size() >= sizeof request.ifr_name)
        return fail(EINVAL, "an interface's name has at most 15 characters", setup.ifname);
    setup.ifname.copy(request.ifr_name, sizeof request.ifr_name - 1);
    request.ifr_flags =
        static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (setup.queues > 1 ? IFF_MULTI_QUEUE : 0));
    std::vector<TapQueue> queues;
    for (unsigned i = 0; i < setup.queues; ++i) {
        auto fd = open_queue(setup, request);
        if (!fd)
            return propagate(std::move(fd));
        TapQueue queue;
        queue.fd = std::move(*fd);
        queues.push_back(std::move(queue));
    }
    return std::make_unique<Tap>(std::move(queues));
}

} // namespace sluice::inline v1::model
