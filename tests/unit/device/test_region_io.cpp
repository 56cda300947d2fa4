// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/device/inproc.hpp>
#include <sluice/device/region_io.hpp>

#include "page.hpp"

using namespace sluice;
using device::Area;
using device::Region;
using device::RegionIo;
using device::inproc::Model;
using device::inproc::ModelSetup;

namespace {

/// Three pages; the one in the middle cannot be mapped.
Result<std::unique_ptr<Model>> with_hole(std::vector<std::uint64_t>& trapped) {
    ModelSetup setup;
    setup.identity.name = "model0";
    setup.regions = {{.region = Region::bar2,
                      .size = 3 * page,
                      .mappable = {Area{0, page}, Area{2 * page, page}},
                      .on_read =
                          [&trapped](std::uint64_t offset, unsigned) {
                              trapped.push_back(offset);
                              return std::uint64_t{0xabcd1234};
                          },
                      .on_write = [&trapped](std::uint64_t offset, unsigned,
                                             std::uint64_t) { trapped.push_back(offset); }}};
    return Model::create(std::move(setup));
}

TEST(RegionIo, maps_what_can_be_mapped_and_traps_the_rest) {
    std::vector<std::uint64_t> trapped;
    auto model = with_hole(trapped);
    ASSERT_TRUE(model);
    auto io = RegionIo::create(**model, Region::bar2);
    ASSERT_TRUE(io);
    EXPECT_EQ((*io)->size(), 3 * page);
    (*io)->write(2 * page + 8, 4, 0x01020304);
    EXPECT_EQ((*model)->memory(Region::bar2)[2 * page + 8], std::byte{4}) << "little-endian";
    EXPECT_EQ((*io)->read(2 * page + 8, 4), 0x01020304U);
    EXPECT_TRUE(trapped.empty());
    EXPECT_NE((*io)->pointer(2 * page, 8), nullptr);

    EXPECT_EQ((*io)->read(page + 4, 4), 0xabcd1234U);
    (*io)->write(page, 2, 7);
    EXPECT_EQ(trapped, (std::vector<std::uint64_t>{page + 4, page}));
    EXPECT_EQ((*io)->pointer(page, 4), nullptr);
}

TEST(RegionIo, reads_all_ones_where_the_device_does_not_answer) {
    ModelSetup setup;
    setup.identity.name = "model0";
    setup.regions = {{.region = Region::bar0, .size = 16}};
    auto model = Model::create(std::move(setup));
    ASSERT_TRUE(model);
    auto io = RegionIo::create(**model, Region::bar0);
    ASSERT_TRUE(io);
    EXPECT_EQ((*io)->read(0, 4), 0U);
    EXPECT_EQ((*io)->read(16, 1), 0xffU);
    EXPECT_EQ((*io)->read(16, 2), 0xffffU);
    EXPECT_EQ((*io)->read(16, 4), 0xffffffffU);
    EXPECT_EQ((*io)->read(16, 8), ~std::uint64_t{0});
}

TEST(RegionIo, refuses_a_region_that_is_not_there) {
    std::vector<std::uint64_t> trapped;
    auto model = with_hole(trapped);
    ASSERT_TRUE(model);
    auto io = RegionIo::create(**model, Region::bar0);
    ASSERT_FALSE(io);
    EXPECT_EQ(io.error().code(), EINVAL);
    EXPECT_EQ(io.error().object(), "model0 BAR0");
}

} // namespace
