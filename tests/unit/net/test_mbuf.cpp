// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <vector>

#include <sluice/net/mbuf.hpp>

#include "eal.hpp"

namespace {

using namespace sluice;

[[maybe_unused]] const auto* const eal = testing::AddGlobalTestEnvironment(new sluice::test::Eal);

class Mbuf : public testing::Test {
  protected:
    void SetUp() override {
        pool = rte_pktmbuf_pool_create("mbuf", 127, 16, 8, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        ASSERT_NE(pool, nullptr);
    }
    void TearDown() override {
        EXPECT_TRUE(rte_mempool_full(pool));
        rte_mempool_free(pool);
    }
    rte_mempool* pool = nullptr;
};

TEST_F(Mbuf, address_is_arithmetic_over_the_whole_pool) {
    constexpr std::uint64_t offset = 0x4000'0000;
    const auto addressing = net::pool_addressing(pool, offset);
    ASSERT_TRUE(addressing);
    EXPECT_EQ(addressing->room, 2048);
    ASSERT_TRUE(addressing->from_mbuf);
    std::vector<rte_mbuf*> mbufs(127);
    ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool, mbufs.data(), 127), 0);
    for (rte_mbuf* mbuf : mbufs) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mbuf) + *addressing->from_mbuf,
                  rte_pktmbuf_iova(mbuf) + offset);
        rte_pktmbuf_free(mbuf);
    }
}

TEST_F(Mbuf, cache_is_filled_as_far_as_the_pool_goes) {
    auto cache = net::make_cache(pool, -1);
    ASSERT_TRUE(cache);
    net::fill_cache(pool, **cache, 32);
    EXPECT_GE((*cache)->len, 32u);
    const unsigned had = (*cache)->len;
    net::fill_cache(pool, **cache, 10);
    EXPECT_EQ((*cache)->len, had);
    net::fill_cache(pool, **cache, 200);
    EXPECT_EQ((*cache)->len, 127u);
    rte_mbuf* none = nullptr;
    EXPECT_NE(rte_mempool_get(pool, reinterpret_cast<void**>(&none)), 0);
    cache->reset();
    EXPECT_EQ(rte_mempool_avail_count(pool), 127u);
}

TEST_F(Mbuf, threads_without_a_cache_use_the_queues) {
    auto own = net::make_cache(pool, -1);
    ASSERT_TRUE(own);
    EXPECT_NE(&net::cache_of(pool, *own), own->get());
    RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
    EXPECT_EQ(&net::cache_of(pool, *own), own->get());
    RTE_PER_LCORE(_lcore_id) = 0;
}

} // namespace
