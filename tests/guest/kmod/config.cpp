// SPDX-License-Identifier: BSD-3-Clause
// The floor, and what has effects beyond bytes: reset, power, read request, VPD.
#include "kmod.hpp"

using namespace kmodtest;

using Bytes = std::vector<std::uint8_t>;

static std::uint32_t config_size(const Fd& device) {
    auto i = arg<sluice_device_info>();
    CHECK_EQ(call(device.get(), SLUICE_DEVICE_INFO, i), 0);
    return i.config_size;
}

static Bytes floor(const Fd& device, std::uint32_t which) {
    Bytes m(config_size(device));
    auto f = arg<sluice_floor>();
    f.which = which;
    f.length = static_cast<std::uint32_t>(m.size());
    f.mask = reinterpret_cast<std::uintptr_t>(m.data());
    CHECK_EQ(call(device.get(), SLUICE_FLOOR_GET, f), 0);
    return m;
}

static int floor_set(const Fd& device, std::uint32_t offset, const Bytes& mask) {
    auto f = arg<sluice_floor>();
    f.offset = offset;
    f.length = static_cast<std::uint32_t>(mask.size());
    f.mask = reinterpret_cast<std::uintptr_t>(mask.data());
    return call(device.get(), SLUICE_FLOOR_SET, f);
}

// What hardware has, by the kernel's own file.
static Bytes hardware(const std::string& bdf) {
    const std::string s = [&] {
        std::ifstream in("/sys/bus/pci/devices/" + bdf + "/config", std::ios::binary);
        return std::string{std::istreambuf_iterator<char>(in), {}};
    }();
    return Bytes(s.begin(), s.end());
}

static std::uint16_t word(const Bytes& b, std::size_t at) {
    return static_cast<std::uint16_t>(b[at] | b[at + 1] << 8);
}

static unsigned find_cap(const Bytes& hw, std::uint8_t id) {
    for (unsigned at = hw[0x34], n = 0; at && n < 48; at = hw[at + 1], ++n)
        if (hw[at] == id)
            return at;
    return 0;
}

// Check 12a. Each dword gets the complement of what it has, in each width, then all ones, all zeros; after
// each, hardware may differ from before only in bits of the floor. One register that is not writable by
// anybody's leave would show.
static void write_every_bit(const std::string& bdf) {
    const Opened o(bdf);
    const Bytes list = floor(o.device, SLUICE_FLOOR_LIST);
    Bytes before = hardware(bdf);
    CHECK_EQ(before.size(), list.size());
    unsigned allowed = 0, changed = 0;
    for (const std::uint8_t b : list)
        allowed += static_cast<unsigned>(__builtin_popcount(b));
    const auto compare = [&](std::size_t written) {
        const Bytes after = hardware(bdf);
        for (std::size_t i = 0; i < after.size(); ++i) {
            const auto diff = static_cast<std::uint8_t>(after[i] ^ before[i]);
            changed |= diff;
            if (diff & ~list[i]) {
                std::printf("  byte %#zx: %#x became %#x, floor %#x, by a write near %#zx\n", i, before[i],
                            after[i], list[i], written);
                CHECK(false);
            }
        }
    };
    const auto config_write = [&](const void* p, std::size_t n, std::size_t at) {
        const auto off = static_cast<off_t>(SLUICE_REGION_OFFSET(SLUICE_REGION_CONFIG) + at);
        CHECK_EQ(::pwrite(o.device.get(), p, n, off), static_cast<ssize_t>(n));
    };
    for (std::size_t at = 0; at < before.size(); at += 4) {
        for (const std::size_t width : {1U, 2U, 4U})
            for (std::size_t i = 0; i < 4; i += width) {
                std::uint8_t v[4];
                for (std::size_t b = 0; b < width; ++b)
                    v[b] = static_cast<std::uint8_t>(~before[at + i + b]);
                config_write(v, width, at + i);
            }
        if (at < 0x100 || list[at] || list[at + 1] || list[at + 2] || list[at + 3])
            compare(at);
    }
    compare(before.size());
    for (const int fill : {0xff, 0x00}) {
        const Bytes all(before.size(), static_cast<std::uint8_t>(fill));
        config_write(all.data(), all.size(), 0);
        compare(static_cast<std::size_t>(fill));
        // and in pieces that begin and end anywhere
        for (std::size_t at = 1, n = 3; at + n <= all.size(); at += n, n = n % 9 + 1)
            config_write(all.data(), n, at);
        compare(static_cast<std::size_t>(fill));
    }
    std::printf("  %s: %u bits on the list, config space %zu bytes\n", bdf.c_str(), allowed, before.size());
    CHECK(changed != 0);
}

CASE(no_write_reaches_hardware_beyond_the_floor_nic) {
    write_every_bit(roles.nic);
}
CASE(no_write_reaches_hardware_beyond_the_floor_virtio) {
    write_every_bit(roles.flr);
}
CASE(no_write_reaches_hardware_beyond_the_floor_edu) {
    write_every_bit(roles.edu);
}

CASE(floor_has_the_decided_bits_and_no_others) {
    const Opened o(roles.nic);
    const Bytes list = floor(o.device, SLUICE_FLOOR_LIST), w1c = floor(o.device, SLUICE_FLOOR_W1C),
                hw = hardware(roles.nic);
    CHECK_EQ(word(list, 4), 0x0157);
    CHECK_EQ(word(list, 6), 0xf900);
    CHECK_EQ(word(w1c, 6), 0xf900);
    CHECK_EQ(word(list, 0xc), 0xffff);
    for (std::size_t i = 0; i < 4; ++i)
        CHECK_EQ(list[i], 0);
    for (std::size_t i = 0xe; i < 0x40; ++i)
        CHECK_EQ(list[i], 0);
    const unsigned exp = find_cap(hw, 0x10), msi = find_cap(hw, 5), msix = find_cap(hw, 0x11),
                   pm = find_cap(hw, 1);
    CHECK(exp && msi && msix && pm);
    CHECK_EQ(word(list, exp + 8), 0x091f);
    CHECK_EQ(word(list, exp + 10), 0x000f);
    CHECK_EQ(word(w1c, exp + 10), 0x000f);
    CHECK_EQ(word(list, exp + 0x10), 0);
    for (unsigned i = 0; i < 12; ++i)
        CHECK_EQ(list[msi + i] | list[msix + i], 0);
    for (unsigned i = 0; i < 8; ++i)
        CHECK_EQ(list[pm + i], 0);
    // e1000e has AER at 0x100
    CHECK_EQ(word(hw, 0x100), 1);
    CHECK_EQ(word(list, 0x100) | word(list, 0x102), 0);
    CHECK_EQ(word(list, 0x108), 0xf031);
    CHECK_EQ(word(list, 0x10a), 0x03ff);
    CHECK_EQ(word(list, 0x114), 0xf1c1);
    CHECK_EQ(word(list, 0x118), 0);
    for (std::size_t i = 0x140; i < 0x1000; ++i)
        CHECK_EQ(list[i], 0);
}

CASE(floor_only_narrows_and_seals) {
    {
        const Opened o(roles.nic);
        const Bytes list = floor(o.device, SLUICE_FLOOR_LIST);
        CHECK_EQ(floor_set(o.device, 0, Bytes(list.size(), 0xff)), 0);
        CHECK(floor(o.device, SLUICE_FLOOR_EFFECTIVE) == list);
        // without MASTER, writing it does nothing
        CHECK_EQ(floor_set(o.device, 4, Bytes{0xfb}), 0);
        write16(o.device, SLUICE_REGION_CONFIG, 4, 0x0006);
        CHECK_EQ(word(hardware(roles.nic), 4) & 6, 2);
        CHECK_EQ(floor_set(o.device, 4, Bytes{0xff, 0xff}), 0);
        CHECK_EQ(floor(o.device, SLUICE_FLOOR_EFFECTIVE)[4], 0x53);
        CHECK(floor(o.device, SLUICE_FLOOR_LIST) == list);
        CHECK_ERRNO(floor_set(o.device, 4096, Bytes{0}), EINVAL);
        CHECK_ERRNO(floor_set(o.device, 4095, Bytes{0, 0}), EINVAL);
        CHECK_ERRNO(floor_set(o.device, 0, Bytes{}), EINVAL);
        auto s = arg<sluice_floor_seal>();
        CHECK_EQ(call(o.device.get(), SLUICE_FLOOR_SEAL, s), 0);
        CHECK_EQ(call(o.device.get(), SLUICE_FLOOR_SEAL, s), 0);
        CHECK_ERRNO(floor_set(o.device, 4, Bytes{0}), EPERM);
        auto i = arg<sluice_device_info>();
        CHECK_EQ(call(o.device.get(), SLUICE_DEVICE_INFO, i), 0);
        CHECK(i.flags & SLUICE_DEVICE_FLOOR_SEALED);
        const Fd other = get_device(o.group, roles.nic);
        CHECK_ERRNO(floor_set(other, 4, Bytes{0}), EPERM);
    }
    const Opened again(roles.nic);
    CHECK(floor(again.device, SLUICE_FLOOR_EFFECTIVE) == floor(again.device, SLUICE_FLOOR_LIST));
    CHECK_EQ(floor_set(again.device, 4, Bytes{0}), 0);
}

// virtio 1.1, 4.1.4.3: device_status is at 0x14 of the common configuration, which QEMU has at the beginning
// of BAR 4.
constexpr unsigned kCommonBar = 4;
constexpr std::uint64_t kDeviceStatus = 0x14;

static std::uint8_t status(const Fd& device) {
    std::uint8_t v = 0;
    CHECK_EQ(
        ::pread(device.get(), &v, 1, static_cast<off_t>(SLUICE_REGION_OFFSET(kCommonBar) + kDeviceStatus)),
        1);
    return v;
}

static void set_status(const Fd& device, std::uint8_t v) {
    CHECK_EQ(
        ::pwrite(device.get(), &v, 1, static_cast<off_t>(SLUICE_REGION_OFFSET(kCommonBar) + kDeviceStatus)),
        1);
}

CASE(reset_brings_back_config_space) {
    const Opened o(roles.flr);
    write16(o.device, SLUICE_REGION_CONFIG, 4, 6);
    const Bytes before = hardware(roles.flr);
    const Bar bar(o.device.get(), SLUICE_REGION_OFFSET(kCommonBar), 0x1000);
    auto r = arg<sluice_reset>();
    for (int n = 0; n < 20; ++n) {
        set_status(o.device, 3);
        CHECK_EQ(status(o.device), 3);
        CHECK_EQ(bar.get(kDeviceStatus) & 0xff, 3U);
        CHECK_EQ(call(o.device.get(), SLUICE_RESET, r), 0);
        CHECK_EQ(status(o.device), 0);
        CHECK_EQ(bar.get(kDeviceStatus) & 0xff, 0U);
        CHECK(hardware(roles.flr) == before);
    }
}

static void close_leaves(const std::string& bdf) {
    {
        const Opened first(bdf);
    }
    const Bytes before = hardware(bdf);
    Bytes list;
    {
        const Opened o(bdf);
        list = floor(o.device, SLUICE_FLOOR_LIST);
        const Bytes all(0x100, 0xff);
        CHECK_EQ(::pwrite(o.device.get(), all.data(), all.size(),
                          static_cast<off_t>(SLUICE_REGION_OFFSET(SLUICE_REGION_CONFIG))),
                 static_cast<ssize_t>(all.size()));
        CHECK_EQ(word(hardware(bdf), 4) & 4, 4);
        if (bdf == roles.flr)
            set_status(o.device, 3);
    }
    const Bytes after = hardware(bdf);
    CHECK_EQ(word(after, 4) & 4, 0);
    // what is in the body of a vendor capability only the vendor can put back
    for (std::size_t i = 0; i < before.size(); ++i)
        if (i < 0x40 || list[i] != 0xff)
            CHECK_EQ(after[i], before[i]);
}

CASE(close_leaves_a_nic_as_it_was) {
    close_leaves(roles.nic);
}
CASE(close_leaves_edu_as_it_was) {
    close_leaves(roles.edu);
}
CASE(close_resets_what_can_be_reset) {
    close_leaves(roles.flr);
    // not by the next open alone: nobody has it now, and its registers are as after power-on
    const std::string folder = "/sys/bus/pci/devices/" + roles.flr;
    const Fd registers(::open((folder + "/resource4").c_str(), O_RDWR)),
        config(::open((folder + "/config").c_str(), O_RDWR));
    CHECK(registers && config);
    const Bar bar(registers.get(), 0, 0x1000);
    std::uint16_t command = 0;
    CHECK_EQ(::pread(config.get(), &command, 2, 4), 2);
    const auto decoding = static_cast<std::uint16_t>(command | 2);
    CHECK_EQ(::pwrite(config.get(), &decoding, 2, 4), 2);
    CHECK_EQ(bar.get(kDeviceStatus) & 0xff, 0U);
    CHECK_EQ(::pwrite(config.get(), &command, 2, 4), 2);
}

static int power(const Fd& device, std::uint32_t state, std::uint32_t* got = nullptr) {
    auto p = arg<sluice_set_power_state>();
    p.state = state;
    const int ret = call(device.get(), SLUICE_SET_POWER_STATE, p);
    if (got)
        *got = p.state;
    return ret;
}

CASE(power_gates_the_bars) {
    const Opened o(roles.nic);
    {
        const Bar bar(o.device.get(), 0, 0x20000);
        (void)bar.get(8);
        std::uint32_t got = 9;
        CHECK_EQ(power(o.device, 3, &got), 0);
        CHECK_EQ(got, 3U);
        CHECK(bus_error(bar.base()));
        char buf[4];
        CHECK_ERRNO(::pread(o.device.get(), buf, 4, 0), EIO);
        CHECK_ERRNO(power(o.device, 4), EINVAL);
        CHECK_EQ(power(o.device, 0, &got), 0);
        CHECK_EQ(got, 0U);
        CHECK(!bus_error(bar.base()));
        CHECK_EQ(power(o.device, 3), 0);
    }
    // closed in D3hot: the next owner finds D0
    const_cast<Fd&>(o.device).reset();
    const Fd again = get_device(o.group, roles.nic);
    CHECK(again);
    auto i = arg<sluice_device_info>();
    CHECK_EQ(call(again.get(), SLUICE_DEVICE_INFO, i), 0);
    CHECK_EQ(i.power_state, 0U);
    (void)read32(again, 0, 8);
}

CASE(memory_is_restored_after_a_reset_behind_the_modules_back) {
    // a bus reset of its port, by setpci's way: the bridge's control register in the kernel's file
    const Opened o(roles.nic);
    const Bytes before = hardware(roles.nic);
    char link[512];
    const ssize_t n = ::readlink(("/sys/bus/pci/devices/" + roles.nic).c_str(), link, sizeof link - 1);
    CHECK(n > 0);
    std::string path(link, static_cast<std::size_t>(n));
    path = path.substr(0, path.rfind('/'));
    const std::string bridge = "/sys/bus/pci/devices/" + path.substr(path.rfind('/') + 1) + "/config";
    const int fd = ::open(bridge.c_str(), O_RDWR);
    CHECK(fd >= 0);
    std::uint8_t control = 0;
    CHECK_EQ(::pread(fd, &control, 1, 0x3e), 1);
    control |= 0x40;
    CHECK_EQ(::pwrite(fd, &control, 1, 0x3e), 1);
    ::usleep(5000);
    control &= static_cast<std::uint8_t>(~0x40);
    CHECK_EQ(::pwrite(fd, &control, 1, 0x3e), 1);
    ::usleep(200000);
    ::close(fd);
    CHECK(word(hardware(roles.nic), 0x12) != word(before, 0x12));
    write16(o.device, SLUICE_REGION_CONFIG, 4, 0x0002);
    const Bytes after = hardware(roles.nic);
    for (std::size_t i = 0x10; i < 0x28; ++i)
        CHECK_EQ(after[i], before[i]);
    CHECK(read32(o.device, 0, 8) != 0xffffffffU);
}

CASE(read_request_is_bounded) {
    const Opened o(roles.nic);
    const auto set = [&](std::uint32_t bytes) {
        auto r = arg<sluice_set_readrq>();
        r.bytes = bytes;
        return call(o.device.get(), SLUICE_SET_READRQ, r);
    };
    // QEMU's e1000e has the field wired to 128
    CHECK_EQ(set(512), 0);
    CHECK_EQ(set(128), 0);
    for (const std::uint32_t bad : {0U, 1U, 64U, 129U, 8192U, 0x80000000U, 0xffffffffU})
        CHECK_ERRNO(set(bad), EINVAL);
    const Opened edu(roles.edu);
    auto r = arg<sluice_set_readrq>();
    r.bytes = 512;
    CHECK_ERRNO(call(edu.device.get(), SLUICE_SET_READRQ, r), EINVAL);
}

CASE(vpd_that_is_not_there) {
    const Opened o(roles.nic);
    char buf[8];
    auto v = arg<sluice_vpd>();
    v.length = 4;
    v.data = reinterpret_cast<std::uintptr_t>(buf);
    CHECK_ERRNO(call(o.device.get(), SLUICE_VPD_READ, v), ENODEV);
    CHECK_ERRNO(call(o.device.get(), SLUICE_VPD_WRITE, v), ENODEV);
    v.offset = 32768;
    CHECK_ERRNO(call(o.device.get(), SLUICE_VPD_READ, v), EINVAL);
    v.offset = 2;
    CHECK_ERRNO(call(o.device.get(), SLUICE_VPD_WRITE, v), EINVAL);
}
