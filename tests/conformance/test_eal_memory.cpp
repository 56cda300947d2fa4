// SPDX-License-Identifier: BSD-3-Clause
// EAL's hugepage memory as it comes and goes, in a model's space and in a device's (--device=BDF or
// SLUICE_DEVICE).
#include <rte_eal.h>
#include <rte_malloc.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/device/inproc.hpp>
#include <sluice/device/open.hpp>
#include <sluice/dma/eal_memory.hpp>
#include <sluice/dma/region.hpp>
#include <sluice/pci/address.hpp>

using namespace sluice;
using device::DmaAccess;
using dma::DmaRegion;
using dma::EalMemory;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::uint64_t entries(const device::AddressSpace& space) {
    return space.info()->entries;
}

/// Everything that a space of memory which follows EAL must do.
void follow(const std::shared_ptr<device::AddressSpace>& space) {
    auto memory = EalMemory::subscribe(space);
    ASSERT_TRUE(memory) << memory.error().message();
    ASSERT_TRUE(memory->follows_changes());
    const auto before = entries(*space);
    for (int round = 0; round < 3; ++round) {
        auto region = DmaRegion::allocate(*memory, 32 * mebibyte);
        ASSERT_TRUE(region) << region.error().message();
        EXPECT_GE(entries(*space), before + 8) << "EAL had to add pages";
        for (std::size_t at = 0; at < region->size(); at += mebibyte) {
            const auto found = space->translate(region->iova(at), 1, DmaAccess::read_write);
            ASSERT_TRUE(found) << at;
            EXPECT_EQ(found->data(), region->data() + at);
        }
        region = tl::unexpected<Error>(Error(0, "freed"));
        EXPECT_EQ(entries(*space), before) << "and gave them back";
    }
    EXPECT_EQ(memory->failures(), 0U);
}

TEST(EalMemoryEvents, are_followed_in_a_space_of_models) {
    follow(device::inproc::TableSpace::create());
}

TEST(EalMemoryEvents, are_followed_in_a_devices_space) {
    const char* text = std::getenv("SLUICE_DEVICE");
    ASSERT_NE(text, nullptr);
    auto opened = device::open(pci::Address::parse(text).value());
    ASSERT_TRUE(opened) << opened.error().message();
    follow((*opened)->space());
}

TEST(EalMemoryEvents, end_with_the_last_holder) {
    auto space = device::inproc::TableSpace::create();
    {
        auto memory = EalMemory::subscribe(space);
        ASSERT_TRUE(memory);
    }
    auto other = EalMemory::subscribe(device::inproc::TableSpace::create());
    ASSERT_TRUE(other);
    auto region = DmaRegion::allocate(*other, 32 * mebibyte);
    ASSERT_TRUE(region);
    EXPECT_EQ(entries(*space), 0U);
}

TEST(EalMemoryEvents, count_what_could_not_be_mapped) {
    auto space = device::inproc::TableSpace::create();
    std::uint64_t initial = 0;
    {
        auto memory = EalMemory::subscribe(space);
        ASSERT_TRUE(memory);
        initial = entries(*space);
    }
    space = device::inproc::TableSpace::create(device::inproc::TableSpace::default_offset, initial + 4);
    auto memory = EalMemory::subscribe(space);
    ASSERT_TRUE(memory);
    {
        auto region = DmaRegion::allocate(*memory, 32 * mebibyte);
        ASSERT_TRUE(region);
        EXPECT_GT(memory->failures(), 0U);
        EXPECT_EQ(entries(*space), initial + 4);
    }
    EXPECT_EQ(entries(*space), initial);
}

} // namespace

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    std::vector<std::string> words = {"test", "-l", "0", "--no-pci", "--no-telemetry", "--iova-mode=va"};
    std::vector<char*> eal;
    for (std::string& word : words)
        eal.push_back(word.data());
    if (rte_eal_init(static_cast<int>(eal.size()), eal.data()) < 0)
        return 2;
    const int status = RUN_ALL_TESTS();
    rte_eal_cleanup();
    return status;
}
