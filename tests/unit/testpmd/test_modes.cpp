// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "modes.hpp"

namespace sluice::testpmd {
namespace {

struct FreePool {
    void operator()(rte_mempool* pool) const {
        EXPECT_EQ(rte_mempool_in_use_count(pool), 0U) << "mbufs were lost";
        rte_mempool_free(pool);
    }
};
using Pool = std::unique_ptr<rte_mempool, FreePool>;

Pool make_pool(unsigned count) {
    return Pool(rte_pktmbuf_pool_create("modes", count, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY));
}

constexpr rte_ether_addr source{{2, 0, 0, 0, 0, 1}};
constexpr rte_ether_addr destination{{2, 0, 0, 0, 0, 2}};

std::vector<std::uint8_t> bytes_of(const rte_mbuf* frame) {
    const auto* data = rte_pktmbuf_mtod(frame, const std::uint8_t*);
    return {data, data + frame->data_len};
}

rte_mbuf* counting_frame(rte_mempool* pool, std::uint16_t bytes) {
    rte_mbuf* frame = rte_pktmbuf_alloc(pool);
    auto* data = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(frame, bytes));
    std::iota(data, data + bytes, std::uint8_t{0});
    return frame;
}

TEST(Modes, have_the_names_that_users_type) {
    EXPECT_EQ(mode_named("macswap"), Mode::macswap);
    EXPECT_EQ(mode_named("MAC"), std::nullopt);
    for (const std::string_view name : mode_names)
        EXPECT_EQ(name_of(*mode_named(name)), name);
}

TEST(Modes, set_and_swap_addresses_and_nothing_else) {
    const Pool pool = make_pool(63);
    rte_mbuf* frame = counting_frame(pool.get(), 60);
    auto expected = bytes_of(frame);
    set_addresses({&frame, 1}, source, destination);
    std::memcpy(expected.data(), destination.addr_bytes, 6);
    std::memcpy(expected.data() + 6, source.addr_bytes, 6);
    EXPECT_EQ(bytes_of(frame), expected);
    swap_addresses({&frame, 1});
    std::memcpy(expected.data(), source.addr_bytes, 6);
    std::memcpy(expected.data() + 6, destination.addr_bytes, 6);
    EXPECT_EQ(bytes_of(frame), expected);
    rte_pktmbuf_free(frame);
}

TEST(Modes, leave_a_frame_alone_that_has_no_whole_header) {
    const Pool pool = make_pool(63);
    rte_mbuf* frame = counting_frame(pool.get(), 13);
    const auto expected = bytes_of(frame);
    set_addresses({&frame, 1}, source, destination);
    swap_addresses({&frame, 1});
    EXPECT_EQ(bytes_of(frame), expected);
    rte_pktmbuf_free(frame);
}

class FrameMakerOf : public testing::TestWithParam<std::uint16_t> {};

TEST_P(FrameMakerOf, makes_udp_of_the_asked_length_with_right_checksums) {
    const Pool pool = make_pool(63);
    const FrameMaker maker(GetParam());
    rte_mbuf* frames[3];
    ASSERT_EQ(maker.make(pool.get(), frames, source, destination), 3);
    for (const rte_mbuf* frame : frames) {
        EXPECT_EQ(frame->pkt_len, GetParam());
        EXPECT_EQ(frame->nb_segs, 1);
        const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv4_hdr*, sizeof(rte_ether_hdr));
        const auto* udp = reinterpret_cast<const rte_udp_hdr*>(ip + 1);
        EXPECT_EQ(rte_raw_cksum(ip, sizeof *ip), 0xffff);
        EXPECT_EQ(rte_be_to_cpu_16(ip->total_length), GetParam() - sizeof(rte_ether_hdr));
        EXPECT_EQ(rte_be_to_cpu_16(udp->dgram_len), GetParam() - sizeof(rte_ether_hdr) - sizeof *ip);
        EXPECT_EQ(rte_be_to_cpu_32(ip->dst_addr), RTE_IPV4(198, 18, 0, 2));
    }
    rte_pktmbuf_free_bulk(frames, 3);
}

INSTANTIATE_TEST_SUITE_P(Modes, FrameMakerOf, testing::Values(60, 64, 128, 1518));

TEST(Modes, make_no_frame_when_the_pool_is_short) {
    const Pool pool = make_pool(7);
    const FrameMaker maker(64);
    rte_mbuf* frames[8];
    EXPECT_EQ(maker.make(pool.get(), frames, source, destination), 0);
    EXPECT_EQ(rte_mempool_in_use_count(pool.get()), 0U);
}

} // namespace
} // namespace sluice::testpmd
