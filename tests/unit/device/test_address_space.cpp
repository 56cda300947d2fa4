// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <gtest/gtest.h>

#include <sluice/base/mapping.hpp>
#include <sluice/device/inproc.hpp>

#include "page.hpp"

using namespace sluice;
using device::DmaAccess;
using device::inproc::TableSpace;

namespace {

/// Sixteen pages of memory, and a space to map them in.
class AddressSpace : public ::testing::Test {
  protected:
    void SetUp() override {
        auto memory = Mapping::anonymous(16 * page);
        ASSERT_TRUE(memory);
        memory_ = std::move(*memory);
    }

    std::span<std::byte> pages(std::size_t first, std::size_t count) {
        return memory_.span().subspan(first * page, count * page);
    }
    int map(std::uint64_t iova, std::size_t first, std::size_t count) {
        auto done = space_->map(Iova{iova}, pages(first, count), DmaAccess::read_write);
        return done ? 0 : done.error().code();
    }
    int unmap(std::uint64_t iova, std::uint64_t size) {
        auto done = space_->unmap(Iova{iova}, size);
        return done ? 0 : done.error().code();
    }
    std::uint64_t entries() { return space_->info()->entries; }

    Mapping memory_;
    std::shared_ptr<TableSpace> space_ = TableSpace::create();
};

TEST_F(AddressSpace, translates_what_is_mapped_and_nothing_else) {
    ASSERT_EQ(map(0x10000, 2, 3), 0);
    auto found = space_->translate(Iova{0x10010}, 16, DmaAccess::read);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->data(), memory_.data() + 2 * page + 0x10);
    EXPECT_EQ(found->size(), 16U);
    EXPECT_TRUE(space_->translate(Iova{0x10000}, 3 * page, DmaAccess::write));
    EXPECT_FALSE(space_->translate(Iova{0x10000}, 3 * page + 1, DmaAccess::write));
    EXPECT_FALSE(space_->translate(Iova{0xffff}, 1, DmaAccess::read));
    EXPECT_FALSE(space_->translate(Iova{0x13000}, 1, DmaAccess::read));
    EXPECT_FALSE(space_->translate(Iova{0x12fff}, SIZE_MAX, DmaAccess::read));
}

TEST_F(AddressSpace, keeps_the_access_that_was_given) {
    ASSERT_TRUE(space_->map(Iova{0x1000}, pages(0, 1), DmaAccess::read));
    EXPECT_TRUE(space_->translate(Iova{0x1000}, 1, DmaAccess::read));
    EXPECT_FALSE(space_->translate(Iova{0x1000}, 1, DmaAccess::write));
    EXPECT_FALSE(space_->translate(Iova{0x1000}, 1, DmaAccess::read_write));
}

TEST_F(AddressSpace, refuses_arguments_that_are_no_whole_pages) {
    EXPECT_EQ(map(0x1000, 0, 0), EINVAL);
    EXPECT_EQ(map(0x1001, 0, 1), EINVAL);
    auto odd = memory_.span().subspan(8, page);
    EXPECT_EQ(space_->map(Iova{0x1000}, odd, DmaAccess::read).error().code(), EINVAL);
    auto half = memory_.span().first(page / 2);
    EXPECT_EQ(space_->map(Iova{0x1000}, half, DmaAccess::read).error().code(), EINVAL);
    EXPECT_EQ(entries(), 0U);
}

TEST_F(AddressSpace, refuses_what_leaves_the_ranges_or_wraps) {
    const std::uint64_t last = space_->info()->ranges.back().last.value;
    EXPECT_EQ(map(last - page + 1, 0, 1), 0);
    EXPECT_EQ(map(last - page + 1, 1, 2), EINVAL);
    EXPECT_EQ(map(last + 1, 0, 1), EINVAL);
    EXPECT_EQ(map(~std::uint64_t{0} - page + 1, 0, 2), EINVAL);
}

TEST_F(AddressSpace, refuses_any_overlap) {
    ASSERT_EQ(map(0x10000, 0, 4), 0);
    EXPECT_EQ(map(0x10000, 4, 4), EEXIST);
    EXPECT_EQ(map(0xf000, 4, 2), EEXIST);
    EXPECT_EQ(map(0x13000, 4, 2), EEXIST);
    EXPECT_EQ(map(0x11000, 4, 1), EEXIST);
    EXPECT_EQ(map(0xe000, 4, 12), EEXIST);
    EXPECT_EQ(map(0xf000, 4, 1), 0);
    EXPECT_EQ(map(0x14000, 4, 1), 0);
    EXPECT_EQ(entries(), 3U);
}

TEST_F(AddressSpace, unmaps_every_whole_mapping_in_the_range) {
    ASSERT_EQ(map(0x10000, 0, 2), 0);
    ASSERT_EQ(map(0x14000, 2, 1), 0);
    ASSERT_EQ(map(0x20000, 3, 1), 0);
    EXPECT_EQ(unmap(0x10000, 0x10000), 0);
    EXPECT_EQ(entries(), 1U);
    EXPECT_FALSE(space_->translate(Iova{0x14000}, 1, DmaAccess::read));
    EXPECT_TRUE(space_->translate(Iova{0x20000}, 1, DmaAccess::read));
}

TEST_F(AddressSpace, changes_nothing_when_an_unmap_is_refused) {
    ASSERT_EQ(map(0x10000, 0, 4), 0);
    EXPECT_EQ(unmap(0x10000, page), EINVAL);
    EXPECT_EQ(unmap(0x11000, 3 * page), EINVAL);
    EXPECT_EQ(unmap(0x11000, page), EINVAL);
    EXPECT_EQ(unmap(0x10000, 0), EINVAL);
    EXPECT_EQ(unmap(0x10001, page), EINVAL);
    EXPECT_EQ(unmap(0x30000, page), ENOENT);
    EXPECT_EQ(unmap(~std::uint64_t{0} - page + 1, 2 * page), EINVAL);
    EXPECT_EQ(entries(), 1U);
    EXPECT_EQ(unmap(0x10000, 4 * page), 0);
    EXPECT_EQ(unmap(0x10000, 4 * page), ENOENT);
}

TEST_F(AddressSpace, forgets_a_mapping_that_the_transport_refused) {
    space_ = TableSpace::create(0, 1);
    ASSERT_EQ(map(0x10000, 0, 1), 0);
    EXPECT_EQ(map(0x20000, 1, 1), ENOSPC);
    EXPECT_FALSE(space_->translate(Iova{0x20000}, 1, DmaAccess::read));
    EXPECT_EQ(unmap(0x10000, page), 0);
    EXPECT_EQ(map(0x20000, 1, 1), 0);
}

TEST_F(AddressSpace, finds_the_lowest_gap_that_fits) {
    EXPECT_EQ(space_->find_free(page)->value, page) << "page 0 stays free";
    ASSERT_EQ(map(0x1000, 0, 1), 0);
    ASSERT_EQ(map(0x3000, 1, 1), 0);
    EXPECT_EQ(space_->find_free(page)->value, 0x2000U);
    EXPECT_EQ(space_->find_free(2 * page)->value, 0x4000U);
    EXPECT_FALSE(space_->find_free(std::uint64_t{1} << 48));
    EXPECT_FALSE(space_->find_free(0));
}

TEST_F(AddressSpace, tells_where_memory_is_mapped) {
    ASSERT_EQ(map(0x50000, 4, 2), 0);
    EXPECT_EQ(space_->iova_of(memory_.data() + 5 * page + 7)->value, 0x51007U);
    EXPECT_FALSE(space_->iova_of(memory_.data() + 6 * page));
    EXPECT_FALSE(space_->iova_of(memory_.data() + 4 * page - 1));
}

TEST_F(AddressSpace, lifts_iovas_out_of_pointers_in_a_space_of_models) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    EXPECT_NE(space_->iova_offset(), 0U);
    EXPECT_GT(address + space_->iova_offset(), std::uint64_t{1} << 47) << "no pointer of the process";
    EXPECT_EQ(map(address + space_->iova_offset(), 0, 16), 0) << "and yet inside the space";
    EXPECT_FALSE(space_->translate(Iova{address}, 1, DmaAccess::read));
}

} // namespace
