// SPDX-License-Identifier: BSD-3-Clause
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include "ports.hpp"

namespace sluice::ethdev {
namespace {

using Frame = std::vector<std::uint8_t>;

class Folder {
  public:
    Folder() {
        char name[] = "/tmp/sluice-ethdev-XXXXXX";
        path_ = mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const char* name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

/// Every length from 60 to 1,514, no two frames alike.
std::vector<Frame> frames_of_all_lengths() {
    std::vector<Frame> frames;
    for (std::size_t length = 60; length <= 1514; ++length) {
        Frame frame(length);
        std::uint32_t state = static_cast<std::uint32_t>(length) * 2654435761U;
        for (std::uint8_t& byte : frame) {
            state = state * 1664525U + 1013904223U;
            byte = static_cast<std::uint8_t>(state >> 24);
        }
        frames.push_back(std::move(frame));
    }
    return frames;
}

void write_capture(const std::string& path, const std::vector<Frame>& frames) {
    pcap_t* format = pcap_open_dead(DLT_EN10MB, 65535);
    pcap_dumper_t* to = pcap_dump_open(format, path.c_str());
    ASSERT_NE(to, nullptr) << path;
    for (const Frame& frame : frames) {
        pcap_pkthdr header{};
        header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
        pcap_dump(reinterpret_cast<u_char*>(to), &header, frame.data());
    }
    pcap_dump_close(to);
    pcap_close(format);
}

std::vector<Frame> read_capture(const std::string& path) {
    char wrong[PCAP_ERRBUF_SIZE] = "";
    std::vector<Frame> frames;
    pcap_t* from = pcap_open_offline(path.c_str(), wrong);
    EXPECT_NE(from, nullptr) << wrong;
    if (from == nullptr)
        return frames;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    while (pcap_next_ex(from, &header, &data) == 1)
        frames.emplace_back(data, data + header->caplen);
    pcap_close(from);
    return frames;
}

TEST(Pcap, goes_out_byte_for_byte_as_it_came_in) {
    const Folder folder;
    const auto frames = frames_of_all_lengths();
    write_capture(folder.file("in.pcap"), frames);
    Pool pool;
    {
        auto port =
            open_port("net_pcap0,rx_pcap=" + folder.file("in.pcap") + ",tx_pcap=" + folder.file("out.pcap"),
                      {.pool = pool.get()});
        ASSERT_TRUE(port) << port.error().message();
        rte_mbuf* burst[32];
        while (const std::uint16_t got = port->rx(0).burst(burst))
            ASSERT_EQ(port->tx(0).burst({burst, got}), got);
        const net::Stats stats = port->stats();
        EXPECT_EQ(stats.ipackets, frames.size());
        EXPECT_EQ(stats.opackets, frames.size());
        EXPECT_EQ(stats.ibytes, stats.obytes);
    }
    EXPECT_EQ(read_capture(folder.file("out.pcap")), frames);
}

} // namespace
} // namespace sluice::ethdev
