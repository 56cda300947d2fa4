// SPDX-License-Identifier: BSD-3-Clause
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;
using device::DmaAccess;

namespace {

class DeviceSpace : public OpenDevice {
  protected:
    void SetUp() override {
        OpenDevice::SetUp();
        memory_ = Mapping::anonymous(64 * page).value();
        std::ranges::fill(memory_.span(), std::byte{1}); // the shared page of zeroes is never charged
        base_ = dev().space()->find_free(64 * page).value();
    }

    device::AddressSpace& space() { return *dev().space(); }
    int map(std::uint64_t at, std::size_t first, std::size_t count,
            DmaAccess access = DmaAccess::read_write) {
        return code(space().map(base_ + at, memory_.span().subspan(first * page, count * page), access));
    }
    int unmap(std::uint64_t at, std::uint64_t size) { return code(space().unmap(base_ + at, size)); }
    std::uint64_t entries() { return space().info()->entries; }

    Mapping memory_;
    Iova base_;
};

/// RLIMIT_MEMLOCK of `bytes`, and no CAP_IPC_LOCK to pass it by, for as long as this lives.
class LockLimit {
  public:
    explicit LockLimit(std::uint64_t bytes) {
        ::getrlimit(RLIMIT_MEMLOCK, &before_);
        const struct rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_MEMLOCK, &limit);
        change(false);
    }
    LockLimit(const LockLimit&) = delete;
    LockLimit& operator=(const LockLimit&) = delete;
    ~LockLimit() {
        change(true);
        ::setrlimit(RLIMIT_MEMLOCK, &before_);
    }

  private:
    static void change(bool granted) {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2]{};
        ::syscall(SYS_capget, &header, data);
        const std::uint32_t bit = 1U << CAP_IPC_LOCK;
        data[0].effective = granted ? data[0].effective | bit : data[0].effective & ~bit;
        ::syscall(SYS_capset, &header, data);
    }
    struct rlimit before_{};
};

TEST_F(DeviceSpace, tells_ranges_page_sizes_and_limits) {
    auto facts = space().info();
    ASSERT_TRUE(facts) << facts.error().message();
    EXPECT_EQ(facts->granule(), page);
    ASSERT_FALSE(facts->ranges.empty());
    for (std::size_t i = 0; i < facts->ranges.size(); ++i) {
        EXPECT_LE(facts->ranges[i].first, facts->ranges[i].last);
        if (i > 0) {
            EXPECT_LT(facts->ranges[i - 1].last, facts->ranges[i].first);
        }
        const bool holds_msi =
            facts->ranges[i].first.value <= 0xfee00000 && facts->ranges[i].last.value >= 0xfee00000;
        EXPECT_FALSE(holds_msi) << "the MSI window is reserved";
    }
    EXPECT_GE(facts->address_bits, 32U);
    EXPECT_GE(facts->entry_limit, 1024U);
    EXPECT_EQ(facts->entries, 0U);
}

TEST_F(DeviceSpace, maps_and_unmaps_to_where_it_began) {
    EXPECT_EQ(map(0, 0, 4), 0);
    EXPECT_EQ(map(4 * page, 4, 1, DmaAccess::read), 0);
    EXPECT_EQ(map(5 * page, 5, 1, DmaAccess::write), 0);
    EXPECT_EQ(entries(), 3U);
    EXPECT_EQ(unmap(0, 6 * page), 0);
    EXPECT_EQ(entries(), 0U);
}

TEST_F(DeviceSpace, gives_each_edge_its_errno) {
    EXPECT_EQ(map(0, 0, 0), EINVAL);
    EXPECT_EQ(map(1, 0, 1), EINVAL);
    EXPECT_EQ(code(space().map(base_, memory_.span().first(page / 2), DmaAccess::read)), EINVAL);
    EXPECT_EQ(code(space().map(base_, memory_.span().subspan(512, page), DmaAccess::read)), EINVAL);
    EXPECT_EQ(code(space().map(Iova{0xfee00000}, memory_.span().first(page), DmaAccess::read)), EINVAL);
    const std::uint64_t last = space().info()->ranges.back().last.value;
    EXPECT_EQ(code(space().map(Iova{last - page + 1}, memory_.span().first(2 * page), DmaAccess::read)),
              EINVAL);
    EXPECT_EQ(code(space().map(Iova{0 - page}, memory_.span().first(2 * page), DmaAccess::read)), EINVAL);
    ASSERT_EQ(map(0, 0, 4), 0);
    EXPECT_EQ(map(0, 8, 4), EEXIST);
    EXPECT_EQ(map(3 * page, 8, 4), EEXIST);
    EXPECT_EQ(unmap(0, page), EINVAL);
    EXPECT_EQ(unmap(page, 4 * page), EINVAL);
    EXPECT_EQ(unmap(16 * page, page), ENOENT);
    EXPECT_EQ(unmap(0, 4 * page), 0);
    EXPECT_EQ(unmap(0, 4 * page), ENOENT);
}

TEST_F(DeviceSpace, maps_the_last_page_of_its_ranges) {
    const std::uint64_t last = space().info()->ranges.back().last.value;
    EXPECT_EQ(code(space().map(Iova{last - page + 1}, memory_.span().first(page), DmaAccess::read_write)), 0);
    EXPECT_EQ(code(space().unmap(Iova{last - page + 1}, page)), 0);
}

TEST_F(DeviceSpace, refuses_memory_that_is_not_there) {
    Mapping gone = Mapping::anonymous(page).value();
    const std::span<std::byte> hole(gone.data(), page);
    gone.reset();
    EXPECT_EQ(code(space().map(base_, hole, DmaAccess::read)), EFAULT);
    EXPECT_EQ(entries(), 0U);
}

TEST_F(DeviceSpace, says_limit_and_need_when_memory_cannot_be_locked) {
    ASSERT_EQ(map(0, 0, 8), 0);
    {
        const LockLimit limit(16 * page);
        EXPECT_EQ(map(8 * page, 8, 8), 0);
        auto refused =
            space().map(base_ + 16 * page, memory_.span().subspan(16 * page, 32 * page), DmaAccess::read);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ENOMEM);
        const std::string line = refused.error().message();
        EXPECT_NE(line.find("limit 64 KiB"), std::string::npos) << line;
        EXPECT_NE(line.find("needed 192 KiB"), std::string::npos) << line;
    }
    EXPECT_EQ(map(16 * page, 16, 32), 0);
    EXPECT_EQ(entries(), 3U);
}

TEST_F(DeviceSpace, forgets_everything_with_its_last_device) {
    ASSERT_EQ(map(0, 0, 4), 0);
    device_.reset();
    registers_.reset();
    device_ = open_device();
    ASSERT_NE(device_, nullptr);
    EXPECT_EQ(entries(), 0U);
}

TEST_F(DeviceSpace, maps_and_unmaps_a_thousand_times) {
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(map(0, 0, 64), 0) << i;
        ASSERT_EQ(unmap(0, 64 * page), 0) << i;
    }
}

} // namespace
