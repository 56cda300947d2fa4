// SPDX-License-Identifier: BSD-3-Clause
#include <cstring>

#include <gtest/gtest.h>

#include "info_chain.hpp"

using namespace sluice;
using Chain = device::InfoChain<vfio_region_info>;

namespace {

constexpr std::size_t first = sizeof(vfio_region_info);

/// An answer of `size` bytes whose chain begins at `cap_offset`.
std::vector<std::byte> answer(std::size_t size, std::uint32_t cap_offset) {
    std::vector<std::byte> bytes(size);
    vfio_region_info head{};
    head.cap_offset = cap_offset;
    std::memcpy(bytes.data(), &head, sizeof head);
    return bytes;
}

void put(std::vector<std::byte>& bytes, std::size_t at, std::uint16_t id, std::uint32_t next) {
    const vfio_info_cap_header header{id, 1, next};
    std::memcpy(bytes.data() + at, &header, sizeof header);
}

TEST(InfoChain, finds_a_capability_behind_another) {
    auto bytes = answer(first + 32, first);
    put(bytes, first, 3, first + 8);
    put(bytes, first + 8, 1, 0);
    const Chain chain(bytes);
    EXPECT_EQ(chain.find(3, 8), first);
    EXPECT_EQ(chain.find(1, 16), first + 8);
    EXPECT_FALSE(chain.find(2, 8));
}

TEST(InfoChain, ends_where_there_is_no_chain) {
    EXPECT_FALSE(Chain(answer(first, 0)).find(1, 8));
    EXPECT_FALSE(Chain(answer(first + 16, 4)).find(0, 8)) << "inside the head";
    EXPECT_FALSE(Chain(answer(first + 16, 0xfffffff0)).find(1, 8));
}

TEST(InfoChain, leaves_a_chain_that_loops) {
    auto bytes = answer(first + 32, first);
    put(bytes, first, 3, first + 8);
    put(bytes, first + 8, 4, first);
    EXPECT_FALSE(Chain(bytes).find(1, 8));
}

TEST(InfoChain, refuses_a_capability_that_is_cut_off) {
    auto bytes = answer(first + 16, first);
    put(bytes, first, 1, 0);
    EXPECT_TRUE(Chain(bytes).find(1, 16));
    EXPECT_FALSE(Chain(bytes).find(1, 17));
}

TEST(InfoChain, lists_no_more_entries_than_there_are) {
    const auto bytes = answer(first + 40, 0);
    const Chain chain(bytes);
    EXPECT_EQ(chain.list<vfio_region_sparse_mmap_area>(first, 2).size(), 2U);
    EXPECT_EQ(chain.list<vfio_region_sparse_mmap_area>(first, 0xffffffff).size(), 2U);
}

} // namespace
