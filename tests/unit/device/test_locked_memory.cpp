// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <limits>

#include <gtest/gtest.h>

#include "locked_memory.hpp"

using namespace sluice;
using device::LockedMemory;
using device::map_error;

namespace {

TEST(MapError, says_limit_and_need_when_the_lock_limit_is_in_the_way) {
    const auto error = map_error(ENOMEM, Iova{0x100000}, 16 << 20, LockedMemory{4 << 20, 8 << 20});
    EXPECT_EQ(error.code(), ENOMEM);
    const std::string line = error.message();
    EXPECT_NE(line.find("locked 4096 KiB"), std::string::npos) << line;
    EXPECT_NE(line.find("needed 20480 KiB"), std::string::npos) << line;
    EXPECT_NE(line.find("limit 8192 KiB"), std::string::npos) << line;
    EXPECT_NE(line.find("RLIMIT_MEMLOCK"), std::string::npos) << line;
    EXPECT_NE(line.find("ulimit -l"), std::string::npos) << line;
}

TEST(MapError, blames_the_limit_only_when_it_is_too_low) {
    const LockedMemory enough{0, 8 << 20};
    EXPECT_EQ(map_error(ENOMEM, Iova{0}, 8 << 20, enough).message().find("RLIMIT"), std::string::npos);
    EXPECT_NE(map_error(ENOMEM, Iova{0}, (8 << 20) + 1, enough).message().find("RLIMIT"), std::string::npos);
    EXPECT_EQ(map_error(ENOSPC, Iova{0}, 64 << 20, enough).message().find("RLIMIT"), std::string::npos);
    const LockedMemory unlimited{0, std::numeric_limits<std::uint64_t>::max()};
    EXPECT_EQ(map_error(ENOMEM, Iova{0}, 1 << 30, unlimited).message().find("RLIMIT"), std::string::npos);
}

TEST(MapError, keeps_the_errno_and_names_the_place) {
    for (const int code : {ENOSPC, EFAULT, EEXIST, ENODEV, EIO}) {
        const auto error = map_error(code, Iova{0xabc000}, 0x2000, LockedMemory{0, 1});
        EXPECT_EQ(error.code(), code);
        EXPECT_EQ(error.object(), "IOVA 0xabc000 size 0x2000");
    }
}

TEST(LockedMemory, reads_this_process) {
    const auto facts = LockedMemory::of_this_process();
    EXPECT_GT(facts.limit, 0U);
    EXPECT_LE(facts.locked, std::uint64_t{1} << 40);
}

} // namespace
