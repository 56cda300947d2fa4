// SPDX-License-Identifier: BSD-3-Clause
// BARs by pread and by mmap, what ends a mapping, BAR fds and tenures.
#include "kmod.hpp"

#include <sys/prctl.h>

using namespace kmodtest;

constexpr std::uint32_t kEduId = 0x010000ed;

static Fd bar_fd(const Fd& device, std::uint32_t index) {
    auto a = arg<sluice_device_bar_fd>();
    a.index = index;
    return Fd(call(device.get(), SLUICE_DEVICE_BAR_FD, a));
}

CASE(bar_reads_alike_by_pread_and_mmap) {
    const Opened o(roles.edu);
    CHECK_EQ(read32(o.device, 0, 0), kEduId);
    const Bar bar(o.device.get(), SLUICE_REGION_OFFSET(0), kPage);
    CHECK_EQ(bar.get(0), kEduId);
    bar.put(4, 0x12345678);
    CHECK_EQ(read32(o.device, 0, 4), ~0x12345678U);
    write32(o.device, 0, 4, 0x1111);
    CHECK_EQ(bar.get(4), ~0x1111U);
}

CASE(region_accesses_are_bounded) {
    const Opened o(roles.edu);
    char buf[8];
    const auto rd = [&](std::uint64_t region, std::uint64_t at, std::size_t n) {
        return ::pread(o.device.get(), buf, n, static_cast<off_t>(SLUICE_REGION_OFFSET(region) + at));
    };
    CHECK_EQ(rd(0, 0, 0), 0);
    CHECK_ERRNO(rd(0, 1 << 20, 4), EINVAL);
    CHECK_ERRNO(rd(0, (1 << 20) - 2, 4), EINVAL);
    CHECK_ERRNO(rd(1, 0, 4), EINVAL);
    CHECK_ERRNO(rd(8, 0, 4), EINVAL);
    CHECK_ERRNO(rd(100, 0, 4), EINVAL);
    CHECK_ERRNO(rd(SLUICE_REGION_CONFIG, 254, 4), EFAULT);
    CHECK_ERRNO(rd(SLUICE_REGION_CONFIG, 256, 1), EFAULT);
    CHECK_EQ(rd(SLUICE_REGION_CONFIG, 253, 3), 3);
    char* volatile nowhere = nullptr;
    CHECK_ERRNO(::pread(o.device.get(), nowhere, 4, 0), EFAULT);
}

CASE(mmap_refuses_what_it_should) {
    const Opened o(roles.edu);
    const auto at = [&](std::size_t n, int prot, int flags, std::uint64_t off) {
        return ::mmap(nullptr, n, prot, flags, o.device.get(), static_cast<off_t>(off));
    };
    const int rw = PROT_READ | PROT_WRITE;
    CHECK_ERRNO(at(kPage, rw, MAP_PRIVATE, 0) == MAP_FAILED ? -1 : 0, EINVAL);
    CHECK_ERRNO(at(kPage, rw | PROT_EXEC, MAP_SHARED, 0) == MAP_FAILED ? -1 : 0, EPERM);
    CHECK_ERRNO(at((1 << 20) + kPage, rw, MAP_SHARED, 0) == MAP_FAILED ? -1 : 0, EINVAL);
    CHECK_ERRNO(at(kPage, rw, MAP_SHARED, 1 << 20) == MAP_FAILED ? -1 : 0, EINVAL);
    CHECK_ERRNO(at(kPage, rw, MAP_SHARED, SLUICE_REGION_OFFSET(1)) == MAP_FAILED ? -1 : 0, EINVAL);
    CHECK_ERRNO(at(kPage, rw, MAP_SHARED, SLUICE_REGION_OFFSET(7)) == MAP_FAILED ? -1 : 0, EINVAL);
    const Bar bar(o.device.get(), 0, 4 * kPage);
    CHECK_EQ(bar.get(0), kEduId);
    CHECK_ERRNO(::mremap(bar.base(), 4 * kPage, 8 * kPage, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0, EFAULT);
    CHECK_ERRNO(::mremap(bar.base(), kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED,
                         bar.base() + (64UL << 20)) == MAP_FAILED
                    ? -1
                    : 0,
                EPERM);
    CHECK_EQ(bar.get(0), kEduId);
    CHECK_ERRNO(::mprotect(bar.base(), kPage, PROT_READ | PROT_EXEC), EACCES);
}

CASE(part_of_a_mapping_may_go) {
    const Opened o(roles.edu);
    const Bar bar(o.device.get(), 0, 4 * kPage);
    CHECK_EQ(bar.get(0), kEduId);
    CHECK_EQ(::munmap(bar.base() + kPage, kPage), 0);
    CHECK_EQ(bar.get(0), kEduId);
    (void)bar.get(2 * kPage);
}

CASE(memory_off_zaps_and_on_brings_back) {
    const Opened o(roles.edu);
    const Bar bar(o.device.get(), 0, kPage);
    CHECK_EQ(bar.get(0), kEduId);
    const std::uint16_t command = read16(o.device, SLUICE_REGION_CONFIG, 4);
    write16(o.device, SLUICE_REGION_CONFIG, 4, static_cast<std::uint16_t>(command & ~2));
    CHECK(bus_error(bar.base()));
    char buf[4];
    CHECK_ERRNO(::pread(o.device.get(), buf, 4, 0), EIO);
    write16(o.device, SLUICE_REGION_CONFIG, 4, static_cast<std::uint16_t>(command | 2));
    CHECK(!bus_error(bar.base()));
    CHECK_EQ(bar.get(0), kEduId);
    for (int n = 0; n < 200; ++n) {
        write16(o.device, SLUICE_REGION_CONFIG, 4, static_cast<std::uint16_t>(command & ~2));
        CHECK(bus_error(bar.base()));
        write16(o.device, SLUICE_REGION_CONFIG, 4, static_cast<std::uint16_t>(command | 2));
        CHECK_EQ(bar.get(0), kEduId);
    }
}

CASE(a_child_shares_the_mapping_and_its_end) {
    const Opened o(roles.edu);
    const Bar bar(o.device.get(), 0, kPage);
    CHECK_EQ(bar.get(0), kEduId);
    int go[2], back[2];
    CHECK_EQ(::pipe(go) | ::pipe(back), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        char c = bar.get(0) == kEduId ? 'y' : 'n';
        if (::write(back[1], &c, 1) != 1 || ::read(go[0], &c, 1) != 1)
            ::_exit(1);
        c = bus_error(bar.base()) ? 'y' : 'n';
        ::_exit(::write(back[1], &c, 1) == 1 ? 0 : 1);
    }
    char c;
    CHECK(::read(back[0], &c, 1) == 1 && c == 'y');
    const std::uint16_t command = read16(o.device, SLUICE_REGION_CONFIG, 4);
    write16(o.device, SLUICE_REGION_CONFIG, 4, static_cast<std::uint16_t>(command & ~2));
    CHECK_EQ(::write(go[1], "g", 1), 1);
    CHECK(::read(back[0], &c, 1) == 1 && c == 'y');
    ::waitpid(pid, nullptr, 0);
}

CASE(bar_fd_does_nothing_but_mmap) {
    const Opened o(roles.edu);
    const Fd fd = bar_fd(o.device, 0);
    CHECK(fd);
    char buf[4];
    CHECK_ERRNO(::pread(fd.get(), buf, 4, 0), ESPIPE);
    CHECK_ERRNO(::pwrite(fd.get(), buf, 4, 0), ESPIPE);
    auto i = arg<sluice_device_info>();
    CHECK_ERRNO(call(fd.get(), SLUICE_DEVICE_INFO, i), ENOTTY);
    CHECK_ERRNO(bar_fd(o.device, 1).get(), EINVAL);
    CHECK_ERRNO(bar_fd(o.device, 7).get(), EINVAL);
    const Bar bar(fd.get(), 0, kPage);
    CHECK_EQ(bar.get(0), kEduId);
    CHECK_ERRNO(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd.get(), 1 << 20) == MAP_FAILED ? -1 : 0,
                EINVAL);
}

CASE(bar_fd_ends_with_its_tenure) {
    Fd fd;
    {
        const Opened o(roles.edu);
        fd = bar_fd(o.device, 0);
    }
    // it does not hold the device, or the group
    CHECK(open_group(roles.edu));
    CHECK_ERRNO(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd.get(), 0) == MAP_FAILED ? -1 : 0, ENODEV);
    {
        const Opened o(roles.edu);
        fd = bar_fd(o.device, 0);
    }
    const Opened first(roles.edu);
    Fd mine = bar_fd(first.device, 0);
    const Bar bar(mine.get(), 0, kPage);
    CHECK_EQ(bar.get(0), kEduId);
    CHECK_ERRNO(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd.get(), 0) == MAP_FAILED ? -1 : 0, ENODEV);
    const_cast<Fd&>(first.device).reset();
    CHECK(bus_error(bar.base()));
    const Fd again = get_device(first.group, roles.edu);
    CHECK(again);
    CHECK_EQ(read32(again, 0, 0), kEduId);
    CHECK(bus_error(bar.base()));
    const Fd fresh = bar_fd(again, 0);
    const Bar next(fresh.get(), 0, kPage);
    CHECK_EQ(next.get(0), kEduId);
    CHECK(bus_error(bar.base()));
}

CASE(rom_reads) {
    const Opened o(roles.nic);
    auto info = arg<sluice_region_info>();
    info.index = SLUICE_REGION_ROM;
    CHECK_EQ(call(o.device.get(), SLUICE_REGION_INFO, info), 0);
    CHECK(info.length > 0);
    CHECK_EQ(read16(o.device, SLUICE_REGION_ROM, 0), 0xaa55);
    char c = 0;
    CHECK_ERRNO(::pwrite(o.device.get(), &c, 1, static_cast<off_t>(SLUICE_REGION_OFFSET(SLUICE_REGION_ROM))),
                EINVAL);
}

CASE(io_bar_reads) {
    const Opened o(roles.nic);
    auto info = arg<sluice_region_info>();
    info.index = 2;
    CHECK_EQ(call(o.device.get(), SLUICE_REGION_INFO, info), 0);
    CHECK_EQ(info.length, 32U);
    CHECK_EQ(info.flags, SLUICE_REGION_READ | SLUICE_REGION_WRITE | SLUICE_REGION_IO);
    // e1000e: IOADDR selects a register, IODATA reads it; STATUS is 8
    write32(o.device, 2, 0, 8);
    CHECK_EQ(read32(o.device, 2, 4), read32(o.device, 0, 8));
}

CASE(msix_table_is_not_for_pread) {
    const Opened o(roles.nic);
    CHECK_EQ(read32(o.device, 3, 0), 0xffffffffU);
    write32(o.device, 3, 0, 0x1234);
}
