// SPDX-License-Identifier: BSD-3-Clause
// Proves on a real driver that frames are not copied. Needs a kernel NIC on the same wire as the port.
//
// Receive: the frame stands in one mbuf of the pool before any function of the driver has run, and exactly
// once in all of EAL's memory; the next burst hands out that mbuf, with its data there.
// Transmit: an mbuf says that its data lies elsewhere for the device (buf_iova) than for the processor. What
// comes out on the wire is what the device was told: no processor has read the frame.
//
// usage: zero_copy URI INTERFACE EAL-OPTIONS…
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include <sluice/base/unique_fd.hpp>
#include <sluice/net/port.hpp>

namespace {

using Clock = std::chrono::steady_clock;
using sluice::net::Port;

constexpr unsigned rounds = 64;
constexpr std::size_t bytes = 512;
constexpr std::uint16_t ether_type = 0x88b5; // IEEE Std 802, for local experiments
constexpr std::chrono::seconds patience{20};

using Frame = std::array<std::uint8_t, bytes>;

/// No two frames share eight bytes in a row behind their header.
Frame make_frame(std::uint64_t key) {
    Frame frame;
    frame.fill(0xff);
    frame[6] = 0x02;
    frame[12] = ether_type >> 8;
    frame[13] = ether_type & 0xff;
    std::uint64_t state = key * 0x9e3779b97f4a7c15U + 1;
    for (std::size_t i = 14; i < bytes; ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        frame[i] = static_cast<std::uint8_t>(state >> 56);
    }
    return frame;
}

bool fail(const char* what) {
    std::printf("FAIL %s\n", what);
    return false;
}

/// The kernel's NIC at the other end of the wire.
class Wire {
  public:
    explicit Wire(const char* interface)
        : socket_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ether_type))) {
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ether_type);
        address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
        ready_ = address.sll_ifindex != 0 &&
                 bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    bool ready() const { return ready_; }
    bool send(const Frame& frame) const {
        return ::send(socket_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
    }
    /// The next frame that the port sent.
    bool receive(Frame& frame) const {
        pollfd wait{socket_.get(), POLLIN, 0};
        return poll(&wait, 1, 20000) == 1 && recv(socket_.get(), frame.data(), frame.size(), MSG_TRUNC) ==
                                                 static_cast<ssize_t>(frame.size());
    }

  private:
    sluice::UniqueFd socket_;
    bool ready_ = false;
};

std::vector<rte_mbuf*> mbufs_of(rte_mempool* pool) {
    std::vector<rte_mbuf*> all;
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool*, void* to, void* object, unsigned) {
            static_cast<std::vector<rte_mbuf*>*>(to)->push_back(static_cast<rte_mbuf*>(object));
        },
        &all);
    return all;
}

/// Where `frame`'s payload stands in an mbuf's buffer right now.
bool stands_in(const rte_mbuf* mbuf, const Frame& frame) {
    const auto* data = static_cast<const std::uint8_t*>(mbuf->buf_addr) + RTE_PKTMBUF_HEADROOM;
    return std::memcmp(data, frame.data(), frame.size()) == 0;
}

/// How often `frame`'s payload stands in the memory that EAL gave out.
unsigned copies_of(const Frame& frame) {
    struct Search {
        std::string_view what;
        unsigned found = 0;
    } search{{reinterpret_cast<const char*>(frame.data()) + 14, 64}};
    rte_memseg_walk(
        [](const rte_memseg_list*, const rte_memseg* segment, void* argument) {
            auto& wanted = *static_cast<Search*>(argument);
            const std::string_view memory(static_cast<const char*>(segment->addr), segment->len);
            for (auto at = memory.find(wanted.what); at != memory.npos; at = memory.find(wanted.what, at + 1))
                ++wanted.found;
            return 0;
        },
        &search);
    return search.found;
}

/// The mbuf that the device writes `frame` into while nobody calls the driver.
rte_mbuf* written_by_device(std::span<rte_mbuf* const> mbufs, const Frame& frame) {
    const auto end = Clock::now() + patience;
    while (Clock::now() < end)
        for (rte_mbuf* mbuf : mbufs)
            if (stands_in(mbuf, frame))
                return mbuf;
    return nullptr;
}

bool is_ours(const rte_mbuf* mbuf) {
    const auto* data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
    return data[12] == ether_type >> 8 && data[13] == (ether_type & 0xff);
}

/// The next frame of ours: the kernel's own (IPv6 asks for neighbours on its own) are freed.
rte_mbuf* take_one(Port& port) {
    const auto end = Clock::now() + patience;
    while (Clock::now() < end) {
        rte_mbuf* mbuf = nullptr;
        if (port.rx(0).burst({&mbuf, 1}) != 1)
            continue;
        if (is_ours(mbuf))
            return mbuf;
        rte_pktmbuf_free(mbuf);
    }
    return nullptr;
}

bool prove_receive(Port& port, const Wire& wire, rte_mempool* pool) {
    const auto mbufs = mbufs_of(pool);
    for (unsigned round = 0; round < rounds; ++round) {
        const Frame frame = make_frame(round);
        if (!wire.send(frame))
            return fail("receive: the kernel's NIC does not send");
        rte_mbuf* written = written_by_device(mbufs, frame);
        if (written == nullptr)
            return fail("receive: the frame is in no mbuf of the pool, although no burst was needed for it");
        if (copies_of(frame) != 1)
            return fail("receive: the frame stands in EAL's memory more than once");
        rte_mbuf* got = take_one(port);
        if (got != written) {
            rte_pktmbuf_free(got);
            return fail("receive: the burst gave another mbuf than the device wrote");
        }
        const bool whole = rte_pktmbuf_data_len(got) == frame.size() &&
                           std::memcmp(rte_pktmbuf_mtod(got, const void*), frame.data(), frame.size()) == 0;
        rte_pktmbuf_free(got);
        if (!whole)
            return fail("receive: the mbuf does not describe the frame");
    }
    std::printf(
        "PASS receive: %u frames of %zu bytes, each written by the device into the mbuf that the burst "
        "gave, and nowhere else\n",
        rounds, bytes);
    return true;
}

bool prove_transmit(Port& port, const Wire& wire, rte_mempool* pool) {
    auto* elsewhere = static_cast<std::uint8_t*>(rte_zmalloc(nullptr, RTE_MBUF_DEFAULT_BUF_SIZE, 4096));
    if (elsewhere == nullptr)
        return fail("transmit: no memory");
    for (unsigned round = 0; round < rounds; ++round) {
        const Frame for_cpu = make_frame(1000 + 2 * round);
        const Frame for_device = make_frame(1001 + 2 * round);
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
        std::memcpy(rte_pktmbuf_append(mbuf, bytes), for_cpu.data(), bytes);
        std::memcpy(elsewhere + mbuf->data_off, for_device.data(), bytes);
        const rte_iova_t own = mbuf->buf_iova;
        const bool apart = round % 2 == 0; // every other frame goes out as it stands
        if (apart)
            mbuf->buf_iova = rte_malloc_virt2iova(elsewhere);
        if (port.tx(0).burst({&mbuf, 1}) != 1)
            return fail("transmit: the queue does not take a frame");
        Frame came;
        if (!wire.receive(came))
            return fail("transmit: the frame does not arrive");
        while (port.tx(0).reclaim() != 0) {
        }
        mbuf->buf_iova = own;
        if (came != (apart ? for_device : for_cpu))
            return fail(came == for_cpu ? "transmit: the driver read the frame in the device's place"
                                        : "transmit: another frame came out");
    }
    rte_free(elsewhere);
    std::printf("PASS transmit: %u frames of %zu bytes, each read by the device where its mbuf said\n",
                rounds, bytes);
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3)
        return std::puts("usage: zero_copy URI INTERFACE EAL-OPTIONS..."), 2;
    const char* uri = argv[1];
    const Wire wire(argv[2]);
    argv[2] = argv[0];
    if (rte_eal_init(argc - 2, argv + 2) < 0)
        return 2;
    rte_mempool* pool =
        rte_pktmbuf_pool_create("zero_copy", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    auto port = sluice::net::open(uri, {.rx_descriptors = 256, .pool = pool, .promiscuous = true});
    if (!port || !wire.ready())
        return std::puts(port ? "cannot listen on the interface" : port.error().message().c_str()), 2;
    std::printf("%s: driver %s, transport %s, kernel driver %s\n", uri, port->info().driver.c_str(),
                port->info().transport.c_str(), port->info().kernel_driver.c_str());
    const auto end = Clock::now() + patience;
    while (!port->link().up && Clock::now() < end) {
    }
    const bool received = prove_receive(*port, wire, pool);
    const bool sent = prove_transmit(*port, wire, pool);
    port->close();
    if (rte_mempool_in_use_count(pool) != 0)
        return fail("close: mbufs were lost"), 1;
    return received && sent ? 0 : 1;
}
