// SPDX-License-Identifier: BSD-3-Clause
// Owners that die, stop or ignore; devices that are taken away; groups that may not be opened; the module
// itself.
#include "kmod.hpp"

#include <thread>

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

using namespace kmodtest;

// An owner with memory mapped, bus master on, edu writing into the memory for ever.
struct Busy {
    Opened o;
    Bar bar;
    explicit Busy(std::uint8_t* memory)
        : o(roles.edu)
        , bar(o.device.get(), SLUICE_REGION_OFFSET(0), 0x1000) {
        CHECK_EQ(map(o.space, memory, kIova, kPage), 0);
        write16(o.device, SLUICE_REGION_CONFIG, 4, 6);
    }
    [[noreturn]] void write_for_ever() const {
        for (;;)
            edu_dma(bar, kIova, Dma::to_memory, 2048);
    }
};

CASE(timed_kill_20_times_under_dma) {
    const Memory m(kPage);
    const long pins = pinned_pages();
    std::vector<std::uint8_t> canary(kPage, 0xc5);
    double slowest = 0;
    for (int n = 0; n < 20; ++n) {
        Busy* busy = nullptr;
        std::memcpy(m.data(), canary.data(), kPage);
        const pid_t pid = spawn_owner([&] { busy = new Busy(m.data()); }, [&] { busy->write_for_ever(); });
        const double end = now() + 10;
        while (std::memcmp(m.data(), canary.data(), kPage) == 0 && now() < end)
            ::usleep(1000);
        CHECK(std::memcmp(m.data(), canary.data(), kPage) != 0);
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        const double dead = now();
        std::memcpy(m.data(), canary.data(), kPage);
        const Fd group = open_group(roles.edu);
        CHECK(group);
        slowest = std::max(slowest, now() - dead);
        ::usleep(150000);
        CHECK_EQ(std::memcmp(m.data(), canary.data(), kPage), 0);
    }
    std::printf("  the group opened again within %.3f s\n", slowest);
    CHECK(slowest < 1);
    CHECK_EQ(pinned_pages(), pins);
}

static double unbind_seconds(const std::string& bdf) {
    const double begin = now();
    unbind_driver(bdf);
    return now() - begin;
}

CASE(timed_unbind_asks_and_a_polite_owner_closes) {
    const Parameter ms("revoke_ms", "5000");
    for (int n = 0; n < 10; ++n) {
        Opened* o = nullptr;
        int fd = -1;
        const pid_t pid = spawn_owner(
            [&] {
                o = new Opened(roles.nic);
                fd = ::eventfd(0, EFD_NONBLOCK);
                CHECK_EQ(set_eventfd(o->device, SLUICE_IRQ_REQ, 0, fd), 0);
            },
            [&] {
                CHECK(fires(fd, 10000));
                delete o;
            });
        CHECK(unbind_seconds(roles.nic) < 4);
        int status = 0;
        ::waitpid(pid, &status, 0);
        CHECK_EQ(status, 0);
        bind_driver(roles.nic, "sluice-pci");
        const Opened again(roles.nic);
        CHECK(read32(again.device, 0, 8) != 0xffffffffU);
    }
}

CASE(timed_unbind_revokes_from_who_ignores_it) {
    const Parameter ms("revoke_ms", "300");
    for (int n = 0; n < 10; ++n) {
        int go[2];
        CHECK_EQ(::pipe(go), 0);
        const Memory m(kPage);
        Busy* busy = nullptr;
        Fd old_bar;
        const pid_t pid = spawn_owner(
            [&] {
                busy = new Busy(m.data());
                auto a = arg<sluice_device_bar_fd>();
                old_bar = Fd(call(busy->o.device.get(), SLUICE_DEVICE_BAR_FD, a));
                CHECK(old_bar);
                edu_dma(busy->bar, kIova, Dma::to_memory, 256);
            },
            [&] {
                char c;
                CHECK_EQ(::read(go[0], &c, 1), 1);
                CHECK(bus_error(busy->bar.base()));
                auto i = arg<sluice_device_info>();
                CHECK_ERRNO(call(busy->o.device.get(), SLUICE_DEVICE_INFO, i), ENODEV);
                CHECK_ERRNO(::pread(busy->o.device.get(), &c, 1, 0), ENODEV);
                CHECK_ERRNO(set_irqs(busy->o.device, 0, SLUICE_SET_TRIGGER | SLUICE_SET_DATA_NONE, 0, 0),
                            ENODEV);
                auto g = arg<sluice_group_info>();
                CHECK_ERRNO(call(busy->o.group.get(), SLUICE_GROUP_INFO, g), ENODEV);
                CHECK_ERRNO(new_space(busy->o.group).get(), ENODEV);
                CHECK_ERRNO(get_device(busy->o.group, roles.edu).get(), ENODEV);
                CHECK_ERRNO(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, old_bar.get(), 0) == MAP_FAILED ? -1
                                                                                                          : 0,
                            ENODEV);
                // what it mapped it can still unmap
                CHECK_EQ(unmap(busy->o.space, kIova, kPage), 0);
            });
        const double s = unbind_seconds(roles.edu);
        CHECK(s > 0.25 && s < 3);
        CHECK(::access(("/sys/bus/pci/devices/" + roles.edu + "/sluice").c_str(), F_OK) != 0);
        // and a new owner comes while the old one still sits there
        bind_driver(roles.edu, "sluice-pci");
        {
            const Opened fresh(roles.edu);
            CHECK_EQ(read32(fresh.device, 0, 0), 0x010000edU);
            CHECK_EQ(::write(go[1], "g", 1), 1);
            int status = 0;
            ::waitpid(pid, &status, 0);
            CHECK_EQ(status, 0);
            CHECK_EQ(read32(fresh.device, 0, 0), 0x010000edU);
        }
        ::close(go[0]);
        ::close(go[1]);
    }
}

CASE(timed_unbind_revokes_from_a_stopped_owner) {
    const Parameter ms("revoke_ms", "300");
    const Memory m(kPage);
    Busy* busy = nullptr;
    const pid_t pid = spawn_owner([&] { busy = new Busy(m.data()); }, [&] { busy->write_for_ever(); });
    ::usleep(50000);
    ::kill(pid, SIGSTOP);
    ::usleep(50000);
    CHECK(unbind_seconds(roles.edu) < 3);
    std::memset(m.data(), 0xc5, kPage);
    ::usleep(200000);
    for (std::size_t i = 0; i < kPage; ++i)
        CHECK_EQ(m.data()[i], 0xc5);
    bind_driver(roles.edu, "sluice-pci");
    CHECK(Opened(roles.edu).device);
    ::kill(pid, SIGKILL);
    ::kill(pid, SIGCONT);
    ::waitpid(pid, nullptr, 0);
    CHECK(Opened(roles.edu).device);
}

// The owner's own page fault handler never answers, so that SPACE_MAP sleeps in the middle of pinning.
CASE(timed_unbind_does_not_wait_for_a_page_that_never_comes) {
    const Parameter ms("revoke_ms", "300");
    const pid_t pid = spawn_owner(
        [] {
            const int uffd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
            CHECK(uffd >= 0);
            uffdio_api api{UFFD_API, 0, 0};
            CHECK_EQ(::ioctl(uffd, UFFDIO_API, &api), 0);
            static const Memory* m = new Memory(4 * kPage, MAP_PRIVATE | MAP_ANONYMOUS);
            uffdio_register r{
                {reinterpret_cast<std::uintptr_t>(m->data()), m->size()}, UFFDIO_REGISTER_MODE_MISSING, 0};
            CHECK_EQ(::ioctl(uffd, UFFDIO_REGISTER, &r), 0);
            static const Opened* o = new Opened(roles.edu);
            std::thread([] { map(o->space, m->data(), kIova, m->size()); }).detach();
            ::usleep(100000);
        },
        [] { ::pause(); });
    CHECK(unbind_seconds(roles.edu) < 3);
    bind_driver(roles.edu, "sluice-pci");
    CHECK(Opened(roles.edu).device);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    CHECK(Opened(roles.edu).device);
}

CASE(timed_request_eventfd_set_late_fires_at_once) {
    const Parameter ms("revoke_ms", "3000");
    Opened* o = nullptr;
    const pid_t pid = spawn_owner([&] { o = new Opened(roles.nic); },
                                  [&] {
                                      ::usleep(500000);
                                      const int fd = ::eventfd(0, EFD_NONBLOCK);
                                      CHECK_EQ(set_eventfd(o->device, SLUICE_IRQ_REQ, 0, fd), 0);
                                      CHECK(fires(fd, 100));
                                      CHECK_ERRNO(get_device(o->group, roles.nic).get(), ENODEV);
                                      delete o;
                                  });
    const double s = unbind_seconds(roles.nic);
    CHECK(s > 0.3 && s < 2.5);
    int status = 0;
    ::waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    bind_driver(roles.nic, "sluice-pci");
}

CASE(module_stays_while_in_use) {
    Opened o(roles.edu);
    CHECK_ERRNO(::syscall(SYS_delete_module, "sluice_pci", O_NONBLOCK), EWOULDBLOCK);
    auto a = arg<sluice_device_bar_fd>();
    Fd bar(call(o.device.get(), SLUICE_DEVICE_BAR_FD, a));
    o.device.reset();
    o.group.reset();
    CHECK_ERRNO(::syscall(SYS_delete_module, "sluice_pci", O_NONBLOCK), EWOULDBLOCK);
    bar.reset();
    CHECK_ERRNO(::syscall(SYS_delete_module, "sluice_pci", O_NONBLOCK), EWOULDBLOCK);
}

static bool becomes(const std::string& bdf, const char* state) {
    const double end = now() + 3;
    while (group_sysfs(bdf, "state") != state && now() < end)
        ::usleep(10000);
    return group_sysfs(bdf, "state") == state;
}

CASE(group_beside_a_kernel_driver_is_refused) {
    CHECK(group_sysfs(roles.pair0, "devices") == roles.pair0 + "\n" + roles.pair1);
    CHECK(becomes(roles.pair0, "idle"));
    CHECK_EQ(std::system("modprobe e1000e"), 0);
    bind_driver(roles.pair1, "e1000e");
    CHECK(becomes(roles.pair0, "blocked"));
    CHECK(group_sysfs(roles.pair0, "devices") == roles.pair0);
    for (int n = 0; n < 20; ++n)
        CHECK_ERRNO(open_group(roles.pair0).get(), EBUSY);
    unbind_driver(roles.pair1);
    CHECK(becomes(roles.pair0, "idle"));
    {
        const Opened o(roles.pair0);
        // and the other way round: a kernel driver cannot come while the group is claimed
        CHECK(write_file("/sys/bus/pci/devices/" + roles.pair1 + "/driver_override", "e1000e"));
        write_file("/sys/bus/pci/drivers_probe", roles.pair1);
        CHECK(driver_of(roles.pair1).empty());
    }
    bind_driver(roles.pair1, "sluice-pci");
    const Opened o(roles.pair0);
    const Fd second = get_device(o.group, roles.pair1);
    CHECK(second);
    auto g = arg<sluice_group_info>();
    CHECK_EQ(call(o.group.get(), SLUICE_GROUP_INFO, g), 0);
    CHECK_EQ(g.num_devices, 2U);
    CHECK_EQ(g.num_open, 2U);
}

CASE(group_outlives_one_of_two_members) {
    const Parameter ms("revoke_ms", "200");
    const Opened o(roles.pair0);
    unbind_driver(roles.pair1);
    CHECK_EQ(read32(o.device, 0, 8), read32(o.device, 0, 8));
    auto g = arg<sluice_group_info>();
    CHECK_EQ(call(o.group.get(), SLUICE_GROUP_INFO, g), 0);
    CHECK_EQ(g.num_devices, 1U);
    bind_driver(roles.pair1, "sluice-pci");
    CHECK(get_device(o.group, roles.pair1));
}

// Looking at a group's drivers takes their locks for a moment, and so do others: that refuses nobody.
CASE(opens_at_once_after_every_bind) {
    for (int n = 0; n < 50; ++n) {
        unbind_driver(roles.pair1);
        bind_driver(roles.pair1, "sluice-pci");
        const Opened o(roles.pair1);
        auto r = arg<sluice_reset>();
        auto i = arg<sluice_device_info>();
        CHECK_EQ(call(o.device.get(), SLUICE_DEVICE_INFO, i), 0);
        if (i.flags & SLUICE_DEVICE_RESET)
            CHECK_EQ(call(o.device.get(), SLUICE_RESET, r), 0);
    }
}

CASE(new_id_and_driver_override_both_bind) {
    unbind_driver(roles.nic);
    write_file("/sys/bus/pci/devices/" + roles.nic + "/driver_override", "\n");
    const std::string drivers = "/sys/bus/pci/drivers/sluice-pci/";
    CHECK_ERRNO(write_file(drivers + "new_id", "8086") ? 0 : -1, EINVAL);
    CHECK(write_file(drivers + "new_id", "8086 10d3"));
    write_file("/sys/bus/pci/drivers_probe", roles.nic);
    CHECK(driver_of(roles.nic) == "sluice-pci");
    CHECK(Opened(roles.nic).device);
    CHECK(write_file(drivers + "remove_id", "8086 10d3"));
    unbind_driver(roles.nic);
    write_file("/sys/bus/pci/drivers_probe", roles.nic);
    CHECK(driver_of(roles.nic) != "sluice-pci");
    bind_driver(roles.nic, "sluice-pci");
}

// The folder of the bridge that a device is behind.
static std::string port_of(const std::string& bdf) {
    char link[512];
    const ssize_t n = ::readlink(("/sys/bus/pci/devices/" + bdf).c_str(), link, sizeof link);
    CHECK(n > 0);
    std::string path(link, static_cast<std::size_t>(n));
    path = path.substr(0, path.rfind('/'));
    return "/sys/bus/pci/devices/" + path.substr(path.rfind('/') + 1);
}

CASE(bridges_are_refused) {
    // a root port has header type 1
    const std::string folder = port_of(roles.nic), port = folder.substr(folder.rfind('/') + 1);
    const std::string was = driver_of(port);
    unbind_driver(port);
    CHECK(write_file(folder + "/driver_override", "sluice-pci"));
    write_file("/sys/bus/pci/drivers_probe", port);
    CHECK(driver_of(port).empty());
    CHECK(write_file(folder + "/driver_override", "\n"));
    write_file("/sys/bus/pci/drivers_probe", port);
    CHECK(driver_of(port) == was);
}

static void tell_suite() {
    CHECK(::close(::open("/run/kmod-ready", O_CREAT | O_WRONLY, 0600)) == 0);
}

// The suite injects an error once the file is there. The device may report it because the floor lets the
// owner turn reporting on; its port needs SERR# forwarding, which is not the owner's.
CASE(special_error_reaches_its_eventfd) {
    const Opened o(roles.flr);
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_ERR, 0, fd), 0);
    unsigned exp = read16(o.device, SLUICE_REGION_CONFIG, 0x34) & 0xff;
    while (exp && (read16(o.device, SLUICE_REGION_CONFIG, exp) & 0xff) != 0x10)
        exp = read16(o.device, SLUICE_REGION_CONFIG, exp) >> 8;
    CHECK(exp != 0);
    write16(o.device, SLUICE_REGION_CONFIG, exp + 8,
            static_cast<std::uint16_t>(read16(o.device, SLUICE_REGION_CONFIG, exp + 8) | 0xf));
    write16(o.device, SLUICE_REGION_CONFIG, 4, 0x0106);
    const Fd port(::open((port_of(roles.flr) + "/config").c_str(), O_RDWR));
    CHECK(port);
    const std::uint16_t command = 0x0107, control = 0x0002;
    CHECK_EQ(::pwrite(port.get(), &command, 2, 4), 2);
    CHECK_EQ(::pwrite(port.get(), &control, 2, 0x3e), 2);
    tell_suite();
    CHECK(fires(fd, 15000));
    CHECK_EQ(read32(o.device, SLUICE_REGION_CONFIG, 0) & 0xffff, 0x1af4U);
}

// For a device that the suite unplugs once the file is there.
static void unplugged(const std::string& bdf, const std::function<void(Opened&, int)>& owner) {
    Opened o(bdf);
    const Memory m(kPage);
    CHECK_EQ(map(o.space, m.data(), kIova, kPage), 0);
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_REQ, 0, fd), 0);
    tell_suite();
    CHECK(fires(fd, 20000));
    owner(o, fd);
    const double end = now() + 10;
    while (::access(("/sys/bus/pci/devices/" + bdf).c_str(), F_OK) == 0 && now() < end)
        ::usleep(10000);
    CHECK(::access(("/sys/bus/pci/devices/" + bdf).c_str(), F_OK) != 0);
    auto g = arg<sluice_group_info>();
    CHECK_ERRNO(call(o.group.get(), SLUICE_GROUP_INFO, g), ENODEV);
    CHECK_EQ(unmap(o.space, kIova, kPage), 0);
}

CASE(special_unplug_polite) {
    unplugged(roles.nic, [](Opened& o, int) { o.device.reset(); });
}

CASE(special_unplug_ignored) {
    const Parameter ms("revoke_ms", "300");
    unplugged(roles.flr, [](Opened& o, int) {
        const double end = now() + 5;
        auto i = arg<sluice_device_info>();
        while (call(o.device.get(), SLUICE_DEVICE_INFO, i) == 0 && now() < end) {
            ::usleep(10000);
            i = arg<sluice_device_info>();
        }
        CHECK_ERRNO(call(o.device.get(), SLUICE_DEVICE_INFO, i), ENODEV);
    });
}

// For a machine with intremap=off, by name alone.
CASE(special_unsafe_interrupts) {
    CHECK(group_sysfs(roles.edu, "state") == "unsafe");
    CHECK_ERRNO(open_group(roles.edu).get(), EPERM);
    const Parameter allow("allow_unsafe_interrupts", "Y");
    CHECK(group_sysfs(roles.edu, "state") == "idle");
    const Opened o(roles.edu);
    auto g = arg<sluice_group_info>();
    CHECK_EQ(call(o.group.get(), SLUICE_GROUP_INFO, g), 0);
    CHECK(g.flags & SLUICE_GROUP_UNSAFE_INTERRUPTS);
    CHECK(std::strtol(read_file("/proc/sys/kernel/tainted").c_str(), nullptr, 10) & (1 << 6));
}

// For a machine without an IOMMU.
CASE(special_no_iommu) {
    unbind_driver(roles.edu);
    CHECK(write_file("/sys/bus/pci/devices/" + roles.edu + "/driver_override", "sluice-pci"));
    write_file("/sys/bus/pci/drivers_probe", roles.edu);
    CHECK(driver_of(roles.edu).empty());
    const Parameter enable("enable_unsafe_noiommu_mode", "Y");
    bind_driver(roles.edu, "sluice-pci");
    CHECK(group_node(roles.edu).find("noiommu-") != std::string::npos);
    const Fd group = open_group(roles.edu);
    CHECK(group);
    CHECK_ERRNO(new_space(group).get(), EOPNOTSUPP);
    const Fd device = get_device(group, roles.edu);
    CHECK(device);
    CHECK_EQ(read32(device, 0, 0), 0x010000edU);
    auto g = arg<sluice_group_info>();
    CHECK_EQ(call(group.get(), SLUICE_GROUP_INFO, g), 0);
    CHECK_EQ(g.flags, SLUICE_GROUP_NOIOMMU);
    CHECK_EQ(g.iommu_group, -1);
    if (::fork() == 0) {
        CHECK_EQ(::setuid(65534), 0);
        const Fd refused = get_device(group, roles.edu);
        ::_exit(!refused && errno == EPERM ? 0 : 1);
    }
    int status = 0;
    ::wait(&status);
    CHECK_EQ(status, 0);
}
