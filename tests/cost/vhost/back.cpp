// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user back-end that generates 64-byte frames flat out, and checks every payload that comes back: our
// soft NIC's rings, or DPDK's net_vhost. Both copy a frame once in each direction, out of memory that the
// front-end shares and into it.
//
// usage: vhost_back ours|dpdk PATH MILLISECONDS EAL-OPTIONS…
// Prints "ready" when it listens; at the end frames that came back right, nanoseconds that they took, and bad
// ones, as KEY=VALUE. Exit: 0 done, 1 a frame was bad or none came, 2 it could not run
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include <sluice/model/vhost_nic.hpp>

#include "processor.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t burst = 32;
constexpr std::uint16_t descriptors = 256;
constexpr std::uint16_t frame_bytes = 64;
constexpr std::uint16_t header_bytes = 42;          ///< Ethernet, IPv4, UDP
constexpr std::uint64_t warm_up = 100'000;          ///< frames
constexpr auto patience = std::chrono::seconds(60); ///< the front-end may start late beside much else

int cannot(const std::string& what) {
    std::fprintf(stderr, "vhost_back: %s\n", what.c_str());
    return 2;
}

/// What one side counts.
struct Tally {
    std::uint64_t good = 0;
    std::uint64_t bad = 0;
};

/// Turns of `turn`, until frames have come back for `wanted`, from the end of the warm-up on. `tally` is
/// looked at now and then.
template <typename Turn, typename Count>
int measure(std::chrono::milliseconds wanted, Turn&& turn, Count&& count) {
    const auto begun = Clock::now();
    vhost_table::take_the_processor();
    std::printf("ready\n");
    std::fflush(stdout);
    constexpr unsigned turns = 256;
    const auto some = [&] {
        for (unsigned i = 0; i < turns; ++i)
            turn();
        return Clock::now();
    };
    auto now = begun;
    while (count().good < warm_up)
        if (now = some(); now - begun > patience)
            return cannot("no frames come back");
    const auto first = now;
    const Tally before = count();
    while (now - first < wanted)
        now = some();
    const Tally after = count();
    std::printf("frames=%lu ns=%lu bad=%lu\n", after.good - before.good,
                static_cast<std::uint64_t>(std::chrono::nanoseconds(now - first).count()), after.bad);
    return after.bad == 0 && after.good != before.good ? 0 : 1;
}

int measure_ours(const std::string& path, std::chrono::milliseconds wanted) {
    sluice::model::NicOptions options;
    options.name = "back";
    options.backend.kind = "gen";
    options.backend.size = frame_bytes;
    options.packed = true;
    auto nic = sluice::model::VhostNic::create(options, path);
    if (!nic)
        return cannot(nic.error().message());
    unsigned turn = 0;
    return measure(
        wanted,
        [&] {
            if (++turn % 4096 == 0 || !(*nic)->connected())
                (*nic)->pump();
            if ((*nic)->poll() == 0)
                rte_pause();
        },
        [&] {
            Tally tally;
            for (const auto& [name, value] : (*nic)->statistics()) {
                if (name == "sink_received")
                    tally.good = value;
                if (name == "sink_bad" || name == "lies")
                    tally.bad += value;
            }
            return tally;
        });
}

/// The payload that follows from a frame's number, as the soft NIC's generator makes it.
std::array<std::uint64_t, 3> payload(std::uint64_t number) {
    std::array<std::uint64_t, 3> words{};
    for (std::uint64_t& word : words) {
        word = number;
        number = (number ^ (number >> 29)) * 0xbf58476d1ce4e5b9U + 0x9e3779b97f4a7c15U;
    }
    return words;
}

/// One port of net_vhost, with a generator and a sink in front of it.
class Vhost {
  public:
    explicit Vhost(std::uint16_t port, rte_mempool* out)
        : port_(port)
        , out_(out) {
        header_.fill(0x5a);
        rte_mempool_obj_iter(
            out,
            [](rte_mempool*, void* self, void* mbuf, unsigned) {
                static_cast<Vhost*>(self)->make_header(static_cast<rte_mbuf*>(mbuf));
            },
            this);
    }
    void turn() {
        std::array<rte_mbuf*, burst> packets;
        const std::uint16_t received = rte_eth_rx_burst(port_, 0, packets.data(), burst);
        for (std::uint16_t i = 0; i < received; ++i)
            check(packets[i]);
        rte_pktmbuf_free_bulk(packets.data(), received);
        if (rte_pktmbuf_alloc_bulk(out_, packets.data(), burst) != 0)
            return;
        for (std::uint16_t i = 0; i < burst; ++i) {
            packets[i]->data_len = frame_bytes;
            packets[i]->pkt_len = frame_bytes;
            const auto words = payload(next_ + i);
            std::memcpy(rte_pktmbuf_mtod_offset(packets[i], void*, header_bytes), words.data(),
                        frame_bytes - header_bytes);
        }
        const std::uint16_t sent = rte_eth_tx_burst(port_, 0, packets.data(), burst);
        next_ += sent;
        if (received + sent == 0)
            rte_pause();
        rte_pktmbuf_free_bulk(packets.data() + sent, burst - sent);
    }
    const Tally& tally() const { return tally_; }

  private:
    void make_header(rte_mbuf* mbuf) {
        std::memcpy(static_cast<char*>(mbuf->buf_addr) + RTE_PKTMBUF_HEADROOM, header_.data(),
                    header_.size());
    }
    void check(const rte_mbuf* mbuf) {
        const auto* const data = rte_pktmbuf_mtod(mbuf, const char*);
        if (mbuf->data_len != frame_bytes) {
            ++tally_.bad;
            return;
        }
        std::uint64_t number = 0;
        std::memcpy(&number, data + header_bytes, sizeof number);
        const auto words = payload(number);
        const bool right = std::memcmp(data + 12, header_.data() + 12, header_bytes - 12) == 0 &&
                           std::memcmp(data + header_bytes, words.data(), frame_bytes - header_bytes) == 0;
        ++(right ? tally_.good : tally_.bad);
    }

    const std::uint16_t port_;
    rte_mempool* const out_;
    std::array<char, header_bytes> header_{};
    std::uint64_t next_ = 0;
    Tally tally_;
};

int measure_dpdk(const std::string& path, std::chrono::milliseconds wanted) {
    const auto pool = [](const char* name) {
        return rte_pktmbuf_pool_create(name, 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    };
    rte_mempool* const in = pool("in");
    rte_mempool* const out = pool("out");
    if (in == nullptr || out == nullptr)
        return cannot("no memory for a pool");
    std::uint16_t port = 0;
    const rte_eth_conf config{};
    if (rte_eal_hotplug_add("vdev", "net_vhost0", ("iface=" + path + ",queues=1").c_str()) != 0 ||
        rte_eth_dev_get_port_by_name("net_vhost0", &port) != 0 ||
        rte_eth_dev_configure(port, 1, 1, &config) != 0 ||
        rte_eth_rx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr, in) != 0 ||
        rte_eth_tx_queue_setup(port, 0, descriptors, rte_socket_id(), nullptr) != 0 ||
        rte_eth_dev_start(port) != 0)
        return cannot("net_vhost does not start");
    Vhost vhost(port, out);
    return measure(wanted, [&] { vhost.turn(); }, [&] { return vhost.tally(); });
}

} // namespace

int main(int argc, char** argv) {
    constexpr int own = 3;
    if (argc <= own)
        return cannot("usage: vhost_back ours|dpdk PATH MILLISECONDS EAL-OPTIONS...");
    const std::string_view kind = argv[1];
    const std::string path = argv[2];
    const std::chrono::milliseconds wanted(std::strtol(argv[3], nullptr, 10));
    if (kind == "ours")
        return measure_ours(path, wanted);
    argv[own] = argv[0];
    if (rte_eal_init(argc - own, argv + own) < 0)
        return cannot("EAL does not start");
    return measure_dpdk(path, wanted);
}
