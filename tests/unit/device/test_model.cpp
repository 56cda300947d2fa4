// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/device/inproc.hpp>

#include "page.hpp"

using namespace sluice;
using device::Area;
using device::DmaAccess;
using device::Irq;
using device::Region;
using device::inproc::ConfigImage;
using device::inproc::Model;
using device::inproc::ModelSetup;

namespace {

device::Identity identity() {
    device::Identity who;
    who.name = "model0";
    who.vendor = 0x8086;
    who.device = 0x10d3;
    who.subsystem_vendor = 0x1af4;
    who.class_code = 0x020000;
    who.revision = 3;
    return who;
}

ModelSetup plain() {
    ModelSetup setup;
    setup.identity = identity();
    setup.regions = {{.region = Region::bar0, .size = 4 * page, .mappable = {Area{0, 4 * page}}}};
    return setup;
}

std::span<const std::byte> bytes_of(const auto& value) {
    return std::as_bytes(std::span(&value, 1));
}

TEST(Model, tells_who_it_is) {
    auto model = Model::create(plain());
    ASSERT_TRUE(model);
    EXPECT_EQ((*model)->name(), "model0");
    EXPECT_EQ((*model)->identity().transport, "inproc");
    EXPECT_EQ((*model)->config().read32(0).value(), 0x10d38086U);
    EXPECT_EQ((*model)->config().read32(8).value(), 0x02000003U);
    EXPECT_EQ((*model)->config().read16(0x2c).value(), 0x1af4U);
}

TEST(Model, shares_a_mapped_region_with_its_own_side) {
    auto model = Model::create(plain());
    ASSERT_TRUE(model);
    auto mapping = (*model)->map(Region::bar0);
    ASSERT_TRUE(mapping);
    ASSERT_EQ(mapping->size(), 4 * page);
    mapping->data()[page + 3] = std::byte{0x5a};
    EXPECT_EQ((*model)->memory(Region::bar0)[page + 3], std::byte{0x5a});
    (*model)->memory(Region::bar0)[7] = std::byte{0xa5};
    std::byte read{};
    ASSERT_TRUE((*model)->read(Region::bar0, 7, {&read, 1}));
    EXPECT_EQ(read, std::byte{0xa5});
    EXPECT_EQ(mapping->data()[7], std::byte{0xa5});
}

TEST(Model, maps_only_inside_its_mappable_areas) {
    ModelSetup setup = plain();
    setup.regions[0].mappable = {Area{0, page}, Area{2 * page, 2 * page}};
    auto model = Model::create(std::move(setup));
    ASSERT_TRUE(model);
    const auto code = [&](std::uint64_t offset, std::size_t size) {
        auto mapping = (*model)->map(Region::bar0, offset, size);
        return mapping ? 0 : mapping.error().code();
    };
    EXPECT_EQ(code(0, page), 0);
    EXPECT_EQ(code(3 * page, page), 0);
    EXPECT_EQ(code(0, page + 1), EINVAL);
    EXPECT_EQ(code(page, page), EINVAL);
    EXPECT_EQ(code(page, 2 * page), EINVAL);
    EXPECT_EQ(code(2 * page + 1, page), EINVAL);
    EXPECT_EQ(code(2 * page, 0), EINVAL);
    EXPECT_EQ(code(2 * page, SIZE_MAX), EINVAL);
    EXPECT_EQ(code(4 * page, page), EINVAL);
    EXPECT_EQ((*model)->map(Region::bar0).error().code(), EINVAL) << "has a hole";
    EXPECT_EQ((*model)->map(Region::bar3).error().code(), EINVAL);
}

TEST(Model, hands_trapped_accesses_to_its_callbacks_in_aligned_pieces) {
    struct Access {
        std::uint64_t offset;
        unsigned width;
        std::uint64_t value;
        bool operator==(const Access&) const = default;
    };
    std::vector<Access> reads;
    std::vector<Access> writes;
    ModelSetup setup = plain();
    setup.regions[0].mappable = {};
    setup.regions[0].on_read = [&](std::uint64_t offset, unsigned width) {
        reads.push_back({offset, width, 0});
        return std::uint64_t{0x1122334455667788};
    };
    setup.regions[0].on_write = [&](std::uint64_t offset, unsigned width, std::uint64_t value) {
        writes.push_back({offset, width, value});
    };
    auto model = Model::create(std::move(setup));
    ASSERT_TRUE(model);
    std::uint32_t word = 0;
    ASSERT_TRUE((*model)->read(Region::bar0, 8, std::as_writable_bytes(std::span(&word, 1))));
    EXPECT_EQ(word, 0x55667788U);
    std::array<std::byte, 7> odd{};
    ASSERT_TRUE((*model)->read(Region::bar0, 1, odd));
    EXPECT_EQ(reads, (std::vector<Access>{{8, 4, 0}, {1, 1, 0}, {2, 2, 0}, {4, 4, 0}}));
    const std::uint64_t wide = 0x0102030405060708;
    ASSERT_TRUE((*model)->write(Region::bar0, 16, bytes_of(wide)));
    ASSERT_TRUE((*model)->write(Region::bar0, 4, bytes_of(wide)));
    EXPECT_EQ(writes, (std::vector<Access>{{16, 8, wide}, {4, 4, 0x05060708}, {8, 4, 0x01020304}}));
    EXPECT_EQ((*model)->map(Region::bar0).error().code(), EINVAL) << "nothing is mappable";
}

TEST(Model, refuses_accesses_outside_its_regions) {
    ModelSetup setup = plain();
    setup.regions.push_back({.region = Region::rom, .size = page});
    auto model = Model::create(std::move(setup));
    ASSERT_TRUE(model);
    const std::uint32_t word = 1;
    std::uint32_t out = 0;
    const auto into = std::as_writable_bytes(std::span(&out, 1));
    EXPECT_EQ((*model)->read(Region::bar0, 4 * page - 3, into).error().code(), EINVAL);
    EXPECT_EQ((*model)->read(Region::bar0, ~std::uint64_t{0}, into).error().code(), EINVAL);
    EXPECT_TRUE((*model)->read(Region::bar0, 4 * page - 4, into));
    EXPECT_EQ((*model)->read(Region::bar1, 0, into).error().code(), EINVAL);
    EXPECT_TRUE((*model)->read(Region::rom, 0, into));
    EXPECT_EQ((*model)->write(Region::rom, 0, bytes_of(word)).error().code(), EINVAL) << "read-only";
}

TEST(Model, refuses_regions_that_make_no_sense) {
    const auto code = [](std::vector<device::inproc::RegionSetup> regions) {
        ModelSetup setup = plain();
        setup.regions = std::move(regions);
        auto model = Model::create(std::move(setup));
        return model ? 0 : model.error().code();
    };
    EXPECT_EQ(code({{.region = Region::bar0, .size = 0}}), EINVAL);
    EXPECT_EQ(code({{.region = Region::bar0, .size = page}, {.region = Region::bar0, .size = page}}), EINVAL);
    EXPECT_EQ(code({{.region = Region::bar0, .size = 100, .mappable = {Area{0, 100}}}}), EINVAL);
    EXPECT_EQ(code({{.region = Region::bar0, .size = page, .mappable = {Area{0, 2 * page}}}}), EINVAL);
    EXPECT_EQ(code({{.region = Region::bar0, .size = 100}}), 0);
}

TEST(Model, carries_a_config_write_through_the_engine_to_its_image) {
    auto model = Model::create(plain());
    ASSERT_TRUE(model);
    ASSERT_TRUE((*model)->config().set_bus_master(true));
    EXPECT_EQ((*model)->config_image().bytes()[4] & 4, 4);
    ASSERT_TRUE((*model)->config().write16(0, 0x1234));
    EXPECT_EQ((*model)->config().read16(0).value(), 0x8086U) << "ids are not writable";
}

TEST(Model, shows_the_capabilities_that_it_was_given) {
    std::uint32_t power = 0;
    ModelSetup setup = plain();
    setup.config = [&](ConfigImage& image) {
        const std::array<std::uint8_t, 6> body{0x03, 0, 0, 0, 0, 0};
        power = image.add_capability(0x01, body);
        const std::array<std::uint8_t, 250> endless{};
        EXPECT_EQ(image.add_capability(0x09, endless), 0U) << "no room";
    };
    auto model = Model::create(std::move(setup));
    ASSERT_TRUE(model);
    ASSERT_NE(power, 0U);
    EXPECT_EQ((*model)->config().find_capability(0x01), power);
    EXPECT_EQ((*model)->config().find_capability(0x09), 0U);
}

TEST(Model, resets_by_call_and_says_when_it_cannot) {
    int resets = 0;
    ModelSetup setup = plain();
    setup.on_reset = [&]() -> Result<> {
        ++resets;
        return {};
    };
    auto model = Model::create(std::move(setup));
    ASSERT_TRUE(model);
    EXPECT_TRUE((*model)->reset());
    EXPECT_EQ(resets, 1);
    auto without = Model::create(plain());
    ASSERT_TRUE(without);
    EXPECT_EQ((*without)->reset().error().code(), EOPNOTSUPP);
}

TEST(Model, does_dma_by_iova_and_never_by_pointer) {
    auto model = Model::create(plain());
    ASSERT_TRUE(model);
    auto memory = Mapping::anonymous(page);
    ASSERT_TRUE(memory);
    const auto pointer = reinterpret_cast<std::uintptr_t>(memory->data());
    const Iova iova{pointer + (*model)->space()->iova_offset()};
    ASSERT_TRUE((*model)->space()->map(iova, memory->span(), DmaAccess::read_write));
    auto target = (*model)->dma(iova + 100, 8, DmaAccess::write);
    ASSERT_EQ(target.data(), memory->data() + 100);
    EXPECT_TRUE((*model)->dma(Iova{pointer}, 8, DmaAccess::write).empty());
    EXPECT_TRUE((*model)->dma(iova + (page - 4), 8, DmaAccess::write).empty());
}

TEST(Model, opens_into_a_space_that_others_share) {
    ModelSetup one = plain();
    one.space = device::inproc::TableSpace::create();
    ModelSetup other = plain();
    other.space = one.space;
    auto a = Model::create(std::move(one));
    auto b = Model::create(std::move(other));
    ASSERT_TRUE(a && b);
    EXPECT_EQ((*a)->space(), (*b)->space());
}

TEST(Model, fires_the_interrupts_that_the_driver_enabled) {
    ModelSetup setup = plain();
    setup.vectors = {0, 0, 2, 0, 0};
    auto model = Model::create(std::move(setup));
    auto event = EventFd::create();
    ASSERT_TRUE(model && event);
    const int fds[] = {event->fd()};
    ASSERT_TRUE((*model)->interrupts().enable(Irq::msix, fds));
    EXPECT_TRUE((*model)->lines().fire(Irq::msix, 0));
    EXPECT_EQ(event->take(), 1U);
}

} // namespace
