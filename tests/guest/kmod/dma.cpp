// SPDX-License-Identifier: BSD-3-Clause
// Spaces: what maps, what does not, what the device reaches, what is charged.
#include "kmod.hpp"

using namespace kmodtest;

constexpr std::uint32_t kReadWrite = SLUICE_MAP_READ | SLUICE_MAP_WRITE;

static std::vector<sluice_iova_range> ranges(const Fd& space, sluice_space_info* out = nullptr) {
    std::vector<sluice_iova_range> r(64);
    auto i = arg<sluice_space_info>();
    i.num_ranges = static_cast<std::uint32_t>(r.size());
    i.ranges = reinterpret_cast<std::uintptr_t>(r.data());
    CHECK_EQ(call(space.get(), SLUICE_SPACE_INFO, i), 0);
    CHECK(i.num_ranges <= r.size());
    r.resize(i.num_ranges);
    if (out)
        *out = i;
    return r;
}

CASE(space_info_leaves_out_the_interrupt_range) {
    const Opened o(roles.edu);
    sluice_space_info i;
    const auto r = ranges(o.space, &i);
    std::uint64_t last = 0;
    CHECK(!r.empty());
    for (const auto& x : r) {
        std::printf("  iova %#llx-%#llx\n", x.first, x.last);
        CHECK(x.first < x.last);
        CHECK(last == 0 || x.first > last + 1);
        CHECK(x.last < 0xfee00000 || x.first > 0xfeefffff);
        last = x.last;
    }
    std::printf("  %u bits, page sizes %#llx, limit %u\n", i.address_bits, i.page_sizes, i.entry_limit);
    CHECK((i.page_sizes & kPage) != 0);
    CHECK_EQ(i.address_bits, static_cast<unsigned>(64 - __builtin_clzll(last)));
    CHECK_EQ(i.entries, 0U);
    CHECK_EQ(i.locked, 0U);
    auto ask = arg<sluice_space_info>();
    CHECK_EQ(call(o.space.get(), SLUICE_SPACE_INFO, ask), 0);
    CHECK_EQ(ask.num_ranges, r.size());
}

CASE(map_edges_give_exact_errors) {
    const Opened o(roles.edu);
    const Memory m(16 * kPage);
    const auto r = ranges(o.space);
    const std::uint64_t end = r.back().last + 1;
    CHECK_ERRNO(map(o.space, m.data(), kIova, 0), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), kIova, kPage, 0), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), kIova, kPage, 4), EINVAL);
    CHECK_ERRNO(map(o.space, m.data() + 1, kIova, kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), kIova + 512, kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), kIova, kPage + 512), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), ~0ULL - kPage + 1, 2 * kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), 0, ~0ULL - kPage + 1), EINVAL);
    CHECK_ERRNO(map(o.space, reinterpret_cast<void*>(~0ULL - kPage + 1), kIova, 2 * kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), 0xfee00000, kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), 0xfedff000, 2 * kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), end, kPage), EINVAL);
    CHECK_ERRNO(map(o.space, m.data(), end - kPage, 2 * kPage), EINVAL);
    CHECK_EQ(map(o.space, m.data(), end - kPage, kPage), 0);
    CHECK_EQ(map(o.space, m.data(), 0, kPage), 0);
    CHECK_EQ(map(o.space, m.data(), kIova, 4 * kPage), 0);
    CHECK_ERRNO(map(o.space, m.data(), kIova, kPage), EEXIST);
    CHECK_ERRNO(map(o.space, m.data(), kIova + 3 * kPage, 2 * kPage), EEXIST);
    CHECK_ERRNO(map(o.space, m.data(), kIova - kPage, 2 * kPage), EEXIST);
    CHECK_ERRNO(map(o.space, m.data(), kIova - kPage, 6 * kPage), EEXIST);
    CHECK_EQ(map(o.space, m.data(), kIova + 4 * kPage, kPage), 0);

    std::uint64_t n = 0;
    CHECK_ERRNO(unmap(o.space, kIova + kPage, kPage), EINVAL);
    CHECK_ERRNO(unmap(o.space, kIova, 2 * kPage), EINVAL);
    CHECK_ERRNO(unmap(o.space, kIova, 0), EINVAL);
    CHECK_ERRNO(unmap(o.space, kIova + 1, kPage), EINVAL);
    CHECK_ERRNO(unmap(o.space, ~0ULL - kPage + 1, 2 * kPage), EINVAL);
    CHECK_ERRNO(unmap(o.space, 0x700000, kPage), ENOENT);
    CHECK_EQ(unmap(o.space, kIova - kPage, 8 * kPage, &n), 0);
    CHECK_EQ(n, 5 * kPage);
    auto all = arg<sluice_space_unmap>(SLUICE_UNMAP_ALL);
    all.length = kPage;
    CHECK_ERRNO(call(o.space.get(), SLUICE_SPACE_UNMAP, all), EINVAL);
    all.length = 0;
    CHECK_EQ(call(o.space.get(), SLUICE_SPACE_UNMAP, all), 0);
    CHECK_EQ(all.unmapped, 2 * kPage);
    CHECK_EQ(call(o.space.get(), SLUICE_SPACE_UNMAP, all), 0);
    CHECK_EQ(all.unmapped, 0U);
}

CASE(map_refuses_what_is_not_memory) {
    const Opened o(roles.edu);
    CHECK_ERRNO(map(o.space, reinterpret_cast<void*>(0x10000), kIova, kPage), EFAULT);
    const Bar bar(o.device.get(), SLUICE_REGION_OFFSET(0), kPage);
    CHECK_ERRNO(map(o.space, bar.base(), kIova, kPage), EFAULT);
    // a hole in the middle: nothing stays
    const Memory m(8 * kPage);
    CHECK_EQ(::munmap(m.data() + 5 * kPage, kPage), 0);
    const long pins = pinned_pages();
    CHECK_ERRNO(map(o.space, m.data(), kIova, 8 * kPage), EFAULT);
    CHECK_EQ(pinned_pages(), pins);
    sluice_space_info i;
    ranges(o.space, &i);
    CHECK_EQ(i.entries, 0U);
    CHECK_EQ(i.locked, 0U);
    CHECK_EQ(map(o.space, m.data(), kIova, 4 * kPage), 0);
    // read-only memory: for reading only
    const Memory ro(kPage, MAP_PRIVATE | MAP_ANONYMOUS);
    CHECK_EQ(::mprotect(ro.data(), kPage, PROT_READ), 0);
    CHECK_ERRNO(map(o.space, ro.data(), 0x200000, kPage), EFAULT);
    CHECK_EQ(map(o.space, ro.data(), 0x200000, kPage, SLUICE_MAP_READ), 0);
}

CASE(map_stops_at_the_entry_limit) {
    const Parameter limit("dma_entry_limit", "8");
    const Opened o(roles.edu);
    const Memory m(kPage);
    for (std::uint64_t n = 0; n < 8; ++n)
        CHECK_EQ(map(o.space, m.data(), kIova + n * kPage, kPage), 0);
    CHECK_ERRNO(map(o.space, m.data(), kIova + 8 * kPage, kPage), ENOSPC);
    CHECK_EQ(unmap(o.space, kIova, kPage), 0);
    CHECK_EQ(map(o.space, m.data(), kIova + 8 * kPage, kPage), 0);
}

static long locked_kib() {
    std::ifstream in("/proc/self/status");
    std::string line;
    while (std::getline(in, line))
        if (line.rfind("VmLck:", 0) == 0)
            return std::strtol(line.c_str() + 6, nullptr, 10);
    return -1;
}

CASE(map_is_charged_to_the_locked_memory_limit) {
    const Opened o(roles.edu);
    const Memory m(64 * kPage);
    CHECK_EQ(locked_kib(), 0);
    CHECK_EQ(map(o.space, m.data(), kIova, 64 * kPage), 0);
    CHECK_EQ(locked_kib(), 256);
    CHECK_EQ(unmap(o.space, kIova, 64 * kPage), 0);
    CHECK_EQ(locked_kib(), 0);
    // without the capability the limit counts
    const rlimit limit{32 * kPage, 32 * kPage};
    CHECK_EQ(::setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    CHECK_EQ(map(o.space, m.data(), kIova, 64 * kPage), 0);
    CHECK_EQ(unmap(o.space, kIova, 64 * kPage), 0);
    CHECK_EQ(::setuid(65534), 0);
    CHECK_ERRNO(map(o.space, m.data(), kIova, 33 * kPage), ENOMEM);
    CHECK_EQ(map(o.space, m.data(), kIova, 32 * kPage), 0);
    CHECK_ERRNO(map(o.space, m.data(), kIova + 64 * kPage, kPage), ENOMEM);
    CHECK_EQ(unmap(o.space, kIova, 32 * kPage), 0);
    CHECK_EQ(locked_kib(), 0);
}

CASE(device_reads_and_writes_mapped_memory) {
    const Opened o(roles.edu);
    write16(o.device, SLUICE_REGION_CONFIG, 4, 6);
    const Bar bar(o.device.get(), SLUICE_REGION_OFFSET(0), 0x1000);
    const Memory m(2 * kPage);
    for (int i = 0; i < 256; ++i)
        m.data()[i] = static_cast<std::uint8_t>(i ^ 0x5a);
    CHECK_EQ(map(o.space, m.data(), kIova, 2 * kPage), 0);
    edu_dma(bar, kIova, Dma::from_memory);
    edu_dma(bar, kIova + kPage, Dma::to_memory);
    CHECK_EQ(std::memcmp(m.data(), m.data() + kPage, 256), 0);
    // unmapped: the next one does not arrive
    CHECK_EQ(unmap(o.space, kIova, 2 * kPage), 0);
    std::memset(m.data() + kPage, 0xc5, kPage);
    edu_dma(bar, kIova + kPage, Dma::to_memory);
    for (std::uint64_t i = 0; i < kPage; ++i)
        CHECK_EQ(m.data()[kPage + i], 0xc5);
    // and again when it is mapped again
    CHECK_EQ(map(o.space, m.data(), kIova, 2 * kPage), 0);
    edu_dma(bar, kIova + kPage, Dma::to_memory);
    CHECK_EQ(std::memcmp(m.data(), m.data() + kPage, 256), 0);
}

CASE(device_cannot_write_what_it_may_only_read) {
    const Opened o(roles.edu);
    write16(o.device, SLUICE_REGION_CONFIG, 4, 6);
    const Bar bar(o.device.get(), SLUICE_REGION_OFFSET(0), 0x1000);
    const Memory m(kPage);
    std::memset(m.data(), 0x77, kPage);
    CHECK_EQ(map(o.space, m.data(), kIova, kPage, SLUICE_MAP_READ), 0);
    edu_dma(bar, kIova, Dma::from_memory);
    std::memset(m.data(), 0x11, kPage);
    edu_dma(bar, kIova, Dma::to_memory);
    for (std::uint64_t i = 0; i < 256; ++i)
        CHECK_EQ(m.data()[i], 0x11);
}

CASE(device_without_a_space_reaches_nothing) {
    const Fd group = open_group(roles.edu);
    const Fd space = new_space(group);
    const Fd device = get_device(group, roles.edu);
    CHECK(device);
    const Memory m(kPage);
    std::memset(m.data(), 0xc5, kPage);
    CHECK_EQ(map(space, m.data(), kIova, kPage), 0);
    write16(device, SLUICE_REGION_CONFIG, 4, 6);
    const Bar bar(device.get(), SLUICE_REGION_OFFSET(0), 0x1000);
    edu_dma(bar, kIova, Dma::to_memory);
    for (std::uint64_t i = 0; i < 256; ++i)
        CHECK_EQ(m.data()[i], 0xc5);
    CHECK_EQ(attach(group, space), 0);
    edu_dma(bar, kIova, Dma::to_memory);
    CHECK(m.data()[0] != 0xc5 || m.data()[1] != 0xc5);
}

CASE(one_space_serves_two_groups) {
    const Opened o(roles.edu);
    const Fd nic = open_group(roles.nic);
    CHECK(nic);
    CHECK_EQ(attach(nic, o.space), 0);
    const Memory m(kPage);
    CHECK_EQ(map(o.space, m.data(), kIova, kPage), 0);
    CHECK(get_device(nic, roles.nic));
}

CASE(pins_come_back_after_many_maps_and_kills) {
    const long pins = pinned_pages();
    {
        const Opened o(roles.edu);
        const Memory m(256 * kPage);
        for (int n = 0; n < 2000; ++n) {
            CHECK_EQ(map(o.space, m.data(), kIova, 256 * kPage), 0);
            CHECK_EQ(unmap(o.space, kIova, 256 * kPage), 0);
        }
        CHECK_EQ(pinned_pages(), pins);
    }
    for (int n = 0; n < 50; ++n) {
        const pid_t pid = spawn_owner(
            [] {
                static const Opened* o = new Opened(roles.edu);
                static const Memory* m = new Memory(256 * kPage);
                CHECK_EQ(map(o->space, m->data(), kIova, 256 * kPage, kReadWrite), 0);
            },
            [] { ::pause(); });
        CHECK(pinned_pages() - pins == 256);
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        CHECK_EQ(pinned_pages(), pins);
    }
}

CASE(a_large_map_is_whole) {
    const Opened o(roles.edu);
    const Memory m(128UL << 20, MAP_PRIVATE | MAP_ANONYMOUS);
    const double begin = now();
    CHECK_EQ(map(o.space, m.data(), 1ULL << 30, m.size()), 0);
    std::printf("  128 MiB mapped in %.0f ms\n", (now() - begin) * 1000);
    CHECK_EQ(unmap(o.space, 1ULL << 30, m.size()), 0);
}
