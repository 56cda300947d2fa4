// SPDX-License-Identifier: BSD-3-Clause
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_memzone.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <sluice/base/mapping.hpp>
#include <sluice/device/inproc.hpp>
#include <sluice/dma/attach.hpp>
#include <sluice/dma/eal_memory.hpp>
#include <sluice/dma/region.hpp>

#include "eal.hpp"

using namespace sluice;
using device::DmaAccess;
using device::inproc::TableSpace;
using dma::DmaRegion;
using dma::EalMemory;

namespace {

constexpr std::size_t page = 4096;

const auto* const environment = ::testing::AddGlobalTestEnvironment(new test::Eal);

TEST(EalMemory, is_mapped_at_eals_iova_plus_the_spaces_offset) {
    auto space = TableSpace::create();
    auto memory = EalMemory::subscribe(space);
    ASSERT_TRUE(memory) << memory.error().message();
    const rte_memzone* zone = rte_memzone_reserve("probe", 8192, SOCKET_ID_ANY, RTE_MEMZONE_IOVA_CONTIG);
    ASSERT_NE(zone, nullptr);
    const auto found =
        space->translate(Iova{zone->iova + memory->iova_offset()}, zone->len, DmaAccess::read_write);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->data(), zone->addr);
    EXPECT_FALSE(space->translate(Iova{zone->iova}, 1, DmaAccess::read)) << "EAL's IOVA alone is none here";
    rte_memzone_free(zone);
}

TEST(EalMemory, is_mapped_once_however_many_subscribe) {
    auto space = TableSpace::create();
    auto first = EalMemory::subscribe(space);
    ASSERT_TRUE(first);
    const auto entries = space->info()->entries;
    EXPECT_GT(entries, 0U);
    {
        auto second = EalMemory::subscribe(space);
        ASSERT_TRUE(second);
        EXPECT_EQ(space->info()->entries, entries);
    }
    EXPECT_EQ(space->info()->entries, entries) << "the first still holds it";
}

TEST(EalMemory, is_unmapped_with_its_last_holder) {
    auto space = TableSpace::create();
    {
        auto first = EalMemory::subscribe(space);
        ASSERT_TRUE(first);
        const EalMemory copy = *first;
    }
    EXPECT_EQ(space->info()->entries, 0U);
    auto again = EalMemory::subscribe(space);
    ASSERT_TRUE(again);
    EXPECT_GT(space->info()->entries, 0U);
}

TEST(EalMemory, serves_any_number_of_spaces) {
    auto a = TableSpace::create();
    auto b = TableSpace::create(std::uint64_t{3} << 45);
    auto in_a = EalMemory::subscribe(a);
    auto in_b = EalMemory::subscribe(b);
    ASSERT_TRUE(in_a && in_b);
    EXPECT_EQ(a->info()->entries, b->info()->entries);
    EXPECT_NE(in_a->iova_offset(), in_b->iova_offset());
}

TEST(EalMemory, says_so_when_the_space_cannot_take_it_and_leaves_nothing_behind) {
    auto space = TableSpace::create(std::uint64_t{1} << 48);
    auto memory = EalMemory::subscribe(space);
    ASSERT_FALSE(memory);
    EXPECT_EQ(memory.error().code(), EINVAL);
    EXPECT_EQ(space->info()->entries, 0U);
}

TEST(EalMemory, maps_without_change_events_where_eal_has_none) {
    auto memory = EalMemory::subscribe(TableSpace::create());
    ASSERT_TRUE(memory);
    EXPECT_FALSE(memory->follows_changes()) << "--no-huge has no events";
    EXPECT_EQ(memory->failures(), 0U);
}

TEST(EalMemory, holds_every_mbuf_of_a_pool) {
    auto space = TableSpace::create();
    auto memory = EalMemory::subscribe(space);
    ASSERT_TRUE(memory);
    rte_mempool* pool = rte_pktmbuf_pool_create("mbufs", 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(pool, nullptr);
    struct Check {
        const EalMemory& memory;
        unsigned missing;
    } check{*memory, 0};
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool*, void* argument, void* object, unsigned) {
            auto& state = *static_cast<Check*>(argument);
            const auto* mbuf = static_cast<const rte_mbuf*>(object);
            const auto found =
                state.memory.space()->translate(Iova{rte_mbuf_iova_get(mbuf) + state.memory.iova_offset()},
                                                mbuf->buf_len, DmaAccess::read_write);
            if (!found || static_cast<void*>(found->data()) != mbuf->buf_addr)
                ++state.missing;
        },
        &check);
    EXPECT_EQ(check.missing, 0U);
    rte_mempool_free(pool);
}

TEST(DmaRegion, is_zeroed_aligned_and_reachable) {
    auto space = TableSpace::create();
    auto memory = EalMemory::subscribe(space);
    ASSERT_TRUE(memory);
    std::optional<DmaRegion> kept;
    for (int round = 0; round < 3; ++round) {
        auto ring = DmaRegion::allocate(*memory, 3 * page, {.alignment = page, .numa_node = 0});
        ASSERT_TRUE(ring) << ring.error().message();
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(ring->data()) % page, 0U);
        EXPECT_EQ(ring->iova().value % page, 0U);
        EXPECT_EQ(ring->size(), 3 * page);
        EXPECT_TRUE(std::ranges::all_of(ring->span(), [](std::byte b) { return b == std::byte{0}; }));
        std::memset(ring->data(), 0xff, ring->size());
        const auto found = space->translate(ring->iova(16), 3 * page - 16, DmaAccess::read_write);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->data(), ring->data() + 16);
        kept = std::move(*ring);
    }
    EXPECT_EQ(kept->as<std::uint64_t>().size(), 3 * page / 8);
}

TEST(DmaRegion, gives_its_memory_back) {
    auto memory = EalMemory::subscribe(TableSpace::create());
    ASSERT_TRUE(memory);
    for (int i = 0; i < 100; ++i) {
        auto big = DmaRegion::allocate(*memory, 16 << 20);
        ASSERT_TRUE(big) << "round " << i << ": " << big.error().message();
        DmaRegion moved = std::move(*big);
        *big = std::move(moved);
    }
}

TEST(DmaRegion, keeps_its_memory_mapped) {
    auto space = TableSpace::create();
    std::optional<DmaRegion> ring;
    {
        auto memory = EalMemory::subscribe(space);
        ASSERT_TRUE(memory);
        auto made = DmaRegion::allocate(*memory, page);
        ASSERT_TRUE(made);
        ring = std::move(*made);
    }
    EXPECT_TRUE(space->translate(ring->iova(), page, DmaAccess::read));
    ring.reset();
    EXPECT_EQ(space->info()->entries, 0U);
}

TEST(DmaRegion, refuses_what_cannot_be) {
    auto memory = EalMemory::subscribe(TableSpace::create());
    ASSERT_TRUE(memory);
    EXPECT_EQ(DmaRegion::allocate(*memory, 0).error().code(), EINVAL);
    EXPECT_EQ(DmaRegion::allocate(*memory, 64, {.alignment = 48}).error().code(), EINVAL);
    EXPECT_EQ(DmaRegion::allocate(*memory, std::size_t{1} << 40).error().code(), ENOMEM);
}

/// Memory that EAL does not own.
class Attach : public ::testing::Test {
  protected:
    void SetUp() override {
        auto memory = Mapping::anonymous(8 * page);
        ASSERT_TRUE(memory);
        memory_ = std::move(*memory);
    }
    Mapping memory_;
};

TEST_F(Attach, reaches_the_callers_memory_and_tells_eal_its_iova) {
    auto space = TableSpace::create();
    auto attached = dma::attach(space, memory_.span());
    ASSERT_TRUE(attached) << attached.error().message();
    const auto found = space->translate(attached->iova(page), page, DmaAccess::read_write);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->data(), memory_.data() + page);
    EXPECT_EQ(attached->eal_iova(8) + space->iova_offset(), attached->iova(8).value);
    EXPECT_EQ(rte_mem_virt2iova(memory_.data() + page), attached->eal_iova(page));
}

TEST_F(Attach, ends_with_its_owner) {
    auto space = TableSpace::create();
    {
        auto attached = dma::attach(space, memory_.span());
        ASSERT_TRUE(attached);
        dma::Attachment moved = std::move(*attached);
        EXPECT_EQ(space->info()->entries, 1U);
    }
    EXPECT_EQ(space->info()->entries, 0U);
    EXPECT_EQ(rte_mem_virt2memseg_list(memory_.data()), nullptr) << "EAL has forgotten it";
}

TEST_F(Attach, has_one_eal_iova_in_every_space) {
    auto a = TableSpace::create();
    auto b = TableSpace::create(std::uint64_t{3} << 45);
    auto in_a = dma::attach(a, memory_.span());
    auto in_b = dma::attach(b, memory_.span());
    ASSERT_TRUE(in_a && in_b);
    EXPECT_EQ(in_a->eal_iova(), in_b->eal_iova());
    EXPECT_NE(in_a->iova(), in_b->iova());
}

TEST_F(Attach, places_memory_elsewhere_when_its_address_does_not_fit) {
    auto space = TableSpace::create(std::uint64_t{1} << 48);
    auto attached = dma::attach(space, memory_.span());
    ASSERT_TRUE(attached) << attached.error().message();
    EXPECT_TRUE(space->translate(attached->iova(), 8 * page, DmaAccess::read_write));
}

TEST_F(Attach, refuses_halves_of_pages_repetition_and_eals_own) {
    auto space = TableSpace::create();
    EXPECT_EQ(dma::attach(space, {}).error().code(), EINVAL);
    EXPECT_EQ(dma::attach(space, memory_.span().first(100)).error().code(), EINVAL);
    EXPECT_EQ(dma::attach(space, memory_.span().subspan(16, page)).error().code(), EINVAL);
    auto once = dma::attach(space, memory_.span());
    ASSERT_TRUE(once);
    EXPECT_EQ(dma::attach(space, memory_.span()).error().code(), EEXIST);
    const rte_memzone* zone = rte_memzone_reserve_aligned("own", page, SOCKET_ID_ANY, 0, page);
    ASSERT_NE(zone, nullptr);
    EXPECT_EQ(dma::attach(space, {static_cast<std::byte*>(zone->addr), page}).error().code(), EEXIST);
    rte_memzone_free(zone);
}

} // namespace
