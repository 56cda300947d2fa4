// SPDX-License-Identifier: BSD-3-Clause
// Two devices of one transport and their address spaces.
#include <cerrno>

#include <sluice/device/inproc.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;
using device::DmaAccess;

namespace {

TEST(DevicePair, shares_one_space_by_default) {
    auto first = open_device();
    auto second = device::open(other());
    ASSERT_NE(first, nullptr);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(first->space(), (*second)->space());
}

TEST(DevicePair, keeps_the_mappings_while_either_is_open) {
    auto memory = Mapping::anonymous(page).value();
    auto first = open_device();
    ASSERT_NE(first, nullptr);
    const Iova iova = first->space()->find_free(page).value();
    ASSERT_TRUE(first->space()->map(iova, memory.span(), DmaAccess::read_write));
    auto second = device::open(other());
    ASSERT_TRUE(second) << second.error().message();
    first.reset();
    EXPECT_EQ((*second)->space()->info()->entries, 1U);
    EXPECT_TRUE((*second)->space()->translate(iova, page, DmaAccess::read));
    first = open_device();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->space(), (*second)->space()) << "and comes back into it";
    second = tl::unexpected<Error>(Error(0, "closed"));
    EXPECT_TRUE(first->space()->unmap(iova, page));
}

TEST(DevicePair, stays_apart_where_that_is_asked_for) {
    auto first = open_device();
    ASSERT_NE(first, nullptr);
    auto space = device::new_space(other());
    ASSERT_TRUE(space) << space.error().message();
    auto second = device::open(other(), {.space = *space});
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_NE(first->space(), (*second)->space());
    auto memory = Mapping::anonymous(page).value();
    const Iova iova = first->space()->find_free(page).value();
    ASSERT_TRUE(first->space()->map(iova, memory.span(), DmaAccess::read_write));
    EXPECT_EQ((*second)->space()->info()->entries, 0U);
}

TEST(DevicePair, refuses_a_space_of_another_kind) {
    auto second = device::open(other(), {.space = device::inproc::TableSpace::create()});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), EINVAL);
    EXPECT_TRUE(device::open(other())) << "and leaves the device usable";
}

} // namespace
