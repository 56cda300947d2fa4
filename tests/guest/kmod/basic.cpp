// SPDX-License-Identifier: BSD-3-Clause
// Opening, the rules that every ioctl obeys, sysfs.
#include "kmod.hpp"

using namespace kmodtest;

CASE(version_says_one) {
    const Fd group = open_group(roles.edu);
    CHECK(group);
    auto v = arg<sluice_version>();
    CHECK_EQ(call(group.get(), SLUICE_VERSION, v), 0);
    CHECK_EQ(v.version, unsigned{SLUICE_API_VERSION});
}

CASE(structs_are_checked_by_size_and_flags) {
    const Fd group = open_group(roles.edu);
    struct {
        sluice_group_info info;
        std::uint32_t tail[4];
    } big;
    std::memset(&big, 0, sizeof big);
    big.info.size = sizeof big;
    CHECK_EQ(::ioctl(group.get(), SLUICE_GROUP_INFO, &big), 0);
    CHECK_EQ(big.info.size, sizeof(sluice_group_info));
    big.info.size = sizeof big;
    big.info.flags = 0;
    big.tail[2] = 1;
    CHECK_ERRNO(::ioctl(group.get(), SLUICE_GROUP_INFO, &big), E2BIG);
    auto info = arg<sluice_group_info>();
    info.size = sizeof info - 1;
    CHECK_ERRNO(call(group.get(), SLUICE_GROUP_INFO, info), EINVAL);
    info.size = 0;
    CHECK_ERRNO(call(group.get(), SLUICE_GROUP_INFO, info), EINVAL);
    info = arg<sluice_group_info>(1U << 31);
    CHECK_ERRNO(call(group.get(), SLUICE_GROUP_INFO, info), EINVAL);
    CHECK_ERRNO(::ioctl(group.get(), SLUICE_GROUP_INFO, nullptr), EFAULT);
    CHECK_ERRNO(::ioctl(group.get(), SLUICE_IOC(200), &info), ENOTTY);
    CHECK_ERRNO(::ioctl(group.get(), SLUICE_SPACE_INFO, &info), ENOTTY);
}

CASE(group_has_one_opener) {
    const Fd group = open_group(roles.edu);
    CHECK(group);
    CHECK_ERRNO(::open(group_node(roles.edu).c_str(), O_RDWR), EBUSY);
}

CASE(group_stays_busy_while_a_device_is_open) {
    Fd device;
    {
        const Opened o(roles.edu);
        device = get_device(o.group, roles.edu);
        CHECK(device);
    }
    CHECK_ERRNO(::open(group_node(roles.edu).c_str(), O_RDWR), EBUSY);
    device.reset();
    CHECK(open_group(roles.edu));
}

CASE(sysfs_tells_state_and_members) {
    CHECK(group_sysfs(roles.edu, "state") == "idle");
    CHECK(group_sysfs(roles.edu, "devices") == roles.edu);
    Fd group = open_group(roles.edu);
    CHECK(group_sysfs(roles.edu, "state") == "open");
    auto info = arg<sluice_group_info>();
    CHECK_EQ(call(group.get(), SLUICE_GROUP_INFO, info), 0);
    CHECK(std::to_string(info.iommu_group) == group_sysfs(roles.edu, "iommu_group"));
    CHECK_EQ(info.num_devices, 1U);
    CHECK_EQ(info.num_open, 0U);
    CHECK_EQ(info.flags, 0U);
    const Fd space = new_space(group);
    CHECK_EQ(attach(group, space), 0);
    const Fd device = get_device(group, roles.edu);
    info = arg<sluice_group_info>();
    CHECK_EQ(call(group.get(), SLUICE_GROUP_INFO, info), 0);
    CHECK_EQ(info.num_open, 1U);
    CHECK_EQ(info.flags, SLUICE_GROUP_HAS_SPACE);
}

CASE(get_device_refuses_strangers) {
    const Fd group = open_group(roles.edu);
    CHECK_ERRNO(get_device(group, roles.nic).get(), ENODEV);
    CHECK_ERRNO(get_device(group, "").get(), ENODEV);
    auto a = arg<sluice_group_get_device>();
    std::memset(a.name, 'x', sizeof a.name);
    CHECK_ERRNO(call(group.get(), SLUICE_GROUP_GET_DEVICE, a), EINVAL);
}

CASE(attach_is_refused_twice_and_for_other_fds) {
    const Fd group = open_group(roles.edu);
    const Fd space = new_space(group), other = new_space(group);
    CHECK(space && other);
    CHECK_ERRNO(attach(group, group), EINVAL);
    CHECK_ERRNO(attach(group, Fd()), EBADF);
    CHECK_EQ(attach(group, space), 0);
    CHECK_ERRNO(attach(group, other), EBUSY);
    Fd device = get_device(group, roles.edu);
    auto d = arg<sluice_group_detach>();
    CHECK_ERRNO(call(group.get(), SLUICE_GROUP_DETACH, d), EBUSY);
    device.reset();
    CHECK_EQ(call(group.get(), SLUICE_GROUP_DETACH, d), 0);
    CHECK_ERRNO(call(group.get(), SLUICE_GROUP_DETACH, d), EINVAL);
    CHECK_EQ(attach(group, other), 0);
}

CASE(device_info_is_what_sysfs_says) {
    const Opened o(roles.nic);
    auto i = arg<sluice_device_info>();
    CHECK_EQ(call(o.device.get(), SLUICE_DEVICE_INFO, i), 0);
    const std::string dir = "/sys/bus/pci/devices/" + roles.nic + "/";
    const auto hex = [&](const char* f) { return std::strtoul(read_file(dir + f).c_str(), nullptr, 16); };
    CHECK_EQ(i.vendor, hex("vendor"));
    CHECK_EQ(i.device, hex("device"));
    CHECK_EQ(i.class_code, hex("class"));
    CHECK_EQ(i.config_size, 4096U);
    CHECK_EQ(i.power_state, 0U);
    CHECK(i.flags & SLUICE_DEVICE_PCIE);
    CHECK(i.flags & SLUICE_DEVICE_RESET);
    CHECK_EQ(i.msix_bar, 3U);
    CHECK_EQ(i.msix_size, 5U * 16);
    CHECK_EQ(i.num_regions, unsigned{SLUICE_NUM_REGIONS});
    char name[32];
    std::snprintf(name, sizeof name, "%04x:%02x:%02x.%x", i.segment, i.bus, i.devfn >> 3, i.devfn & 7);
    CHECK(roles.nic == name);
    const auto first = i.tenure;
    for (unsigned r = 0; r < SLUICE_NUM_REGIONS; ++r) {
        auto info = arg<sluice_region_info>();
        info.index = r;
        CHECK_EQ(call(o.device.get(), SLUICE_REGION_INFO, info), 0);
        std::printf("  region %u: %#llx bytes, flags %#x\n", r, info.length, info.flags);
    }
    auto info = arg<sluice_region_info>();
    info.index = SLUICE_NUM_REGIONS;
    CHECK_ERRNO(call(o.device.get(), SLUICE_REGION_INFO, info), EINVAL);
    const Fd again = get_device(o.group, roles.nic);
    CHECK(again);
    i = arg<sluice_device_info>();
    CHECK_EQ(call(again.get(), SLUICE_DEVICE_INFO, i), 0);
    CHECK_EQ(i.tenure, first);
}

CASE(a_hundred_opens_leave_nothing) {
    const long pins = pinned_pages();
    for (int n = 0; n < 100; ++n) {
        const Opened o(roles.edu);
        CHECK_EQ(read32(o.device, SLUICE_REGION_BAR0, 0), 0x010000edU);
    }
    CHECK_EQ(pinned_pages(), pins);
}
