// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <sluice/pci/hugepages.hpp>

#include "fake_kernel.hpp"

using sluice::pci::hugepage_pools;
using sluice::pci::reserve_hugepages;
using sluice::test::FakeKernel;
using sluice::test::FakeSysfs;
using sluice::test::mib;

namespace {

class Hugepages : public testing::Test {
  protected:
    void pool(const std::string& folder, int reserved, int free) {
        fake.write(folder + "/nr_hugepages", std::to_string(reserved) + "\n");
        fake.write(folder + "/free_hugepages", std::to_string(free) + "\n");
    }

    FakeSysfs fake;
    FakeKernel kernel{fake};
};

constexpr const char* small_pool = "sys/devices/system/node/node0/hugepages/hugepages-2048kB";

} // namespace

TEST_F(Hugepages, are_listed_by_node_and_size) {
    pool(small_pool, 256, 100);
    pool("sys/devices/system/node/node0/hugepages/hugepages-1048576kB", 1, 0);
    pool("sys/devices/system/node/node10/hugepages/hugepages-2048kB", 2, 2);
    pool("sys/devices/system/node/node2/hugepages/hugepages-2048kB", 3, 3);
    pool("sys/kernel/mm/hugepages/hugepages-2048kB", 261, 105);
    auto pools = hugepage_pools(fake.sysfs());
    ASSERT_EQ(pools.size(), 4u);
    EXPECT_EQ(pools[0].node, 0);
    EXPECT_EQ(pools[0].page_size, 2 * mib);
    EXPECT_EQ(pools[0].reserved_bytes(), 512 * mib);
    EXPECT_EQ(pools[0].free_bytes(), 200 * mib);
    EXPECT_EQ(pools[1].page_size, 1024 * mib);
    EXPECT_EQ(pools[2].node, 2);
    EXPECT_EQ(pools[3].node, 10);
}

TEST_F(Hugepages, are_the_systems_where_there_are_no_nodes) {
    EXPECT_TRUE(hugepage_pools(fake.sysfs()).empty());
    pool("sys/kernel/mm/hugepages/hugepages-2048kB", 8, 8);
    auto pools = hugepage_pools(fake.sysfs());
    ASSERT_EQ(pools.size(), 1u);
    EXPECT_EQ(pools[0].node, -1);
    auto reserved = reserve_hugepages(fake.sysfs(), pools[0], 4 * mib, kernel);
    ASSERT_TRUE(reserved);
    EXPECT_EQ(reserved->reserved, 2u);
}

TEST_F(Hugepages, are_reserved_in_whole_pages) {
    pool(small_pool, 0, 0);
    auto pools = hugepage_pools(fake.sysfs());
    auto reserved = reserve_hugepages(fake.sysfs(), pools[0], 3 * mib, kernel);
    ASSERT_TRUE(reserved) << reserved.error().message();
    EXPECT_EQ(reserved->reserved, 2u);
    EXPECT_EQ(kernel.log(), std::vector{std::string(small_pool) + "/nr_hugepages 2"});
    kernel.fails("/nr_hugepages", EACCES);
    auto refused = reserve_hugepages(fake.sysfs(), pools[0], 3 * mib, kernel);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), EACCES);
}
