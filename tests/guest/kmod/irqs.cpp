// SPDX-License-Identifier: BSD-3-Clause
// INTx, MSI, MSI-X, and what SET_IRQS refuses. Devices raise interrupts when their own registers ask for it:
// edu by 0x60 (acknowledged by 0x64), e1000e by ICS.
#include "kmod.hpp"

using namespace kmodtest;

constexpr std::uint32_t kTrigger = SLUICE_SET_TRIGGER, kMask = SLUICE_SET_MASK, kUnmask = SLUICE_SET_UNMASK;
constexpr std::uint32_t kNone = SLUICE_SET_DATA_NONE, kFds = SLUICE_SET_DATA_EVENTFD;

static Fd event() {
    return Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static sluice_irq_info irq_info(const Fd& device, std::uint32_t index) {
    auto i = arg<sluice_irq_info>();
    i.index = index;
    CHECK_EQ(call(device.get(), SLUICE_IRQ_INFO, i), 0);
    return i;
}

static int off(const Fd& device, std::uint32_t index) {
    return set_irqs(device, index, kTrigger | kNone, 0, 0);
}

static void command_bit(const Fd& device, std::uint16_t bit, bool on) {
    const std::uint16_t c = read16(device, SLUICE_REGION_CONFIG, 4);
    write16(device, SLUICE_REGION_CONFIG, 4, static_cast<std::uint16_t>(on ? c | bit : c & ~bit));
}

CASE(irq_info_counts) {
    const Opened e(roles.edu);
    CHECK_EQ(irq_info(e.device, SLUICE_IRQ_INTX).count, 1U);
    CHECK_EQ(irq_info(e.device, SLUICE_IRQ_INTX).flags,
             SLUICE_IRQ_EVENTFD | SLUICE_IRQ_MASKABLE | SLUICE_IRQ_AUTOMASKED | SLUICE_IRQ_NORESIZE);
    CHECK_EQ(irq_info(e.device, SLUICE_IRQ_MSI).count, 1U);
    CHECK_EQ(irq_info(e.device, SLUICE_IRQ_MSIX).count, 0U);
    CHECK_EQ(irq_info(e.device, SLUICE_IRQ_REQ).count, 1U);
    const Opened n(roles.nic);
    CHECK_EQ(irq_info(n.device, SLUICE_IRQ_MSIX).count, 5U);
    CHECK_EQ(irq_info(n.device, SLUICE_IRQ_ERR).count, 1U);
    auto v = arg<sluice_version>();
    CHECK_EQ(call(n.device.get(), SLUICE_VERSION, v), 0);
    const bool dynamic = (v.features & SLUICE_FEATURE_MSIX_DYNAMIC) != 0;
    CHECK_EQ((irq_info(n.device, SLUICE_IRQ_MSIX).flags & SLUICE_IRQ_NORESIZE) == 0, dynamic);
    auto bad = arg<sluice_irq_info>();
    bad.index = SLUICE_NUM_IRQS;
    CHECK_ERRNO(call(n.device.get(), SLUICE_IRQ_INFO, bad), EINVAL);
}

CASE(intx_fires_masks_itself_and_unmasks) {
    const Opened o(roles.edu);
    const Fd fd = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, fd.get()), 0);
    CHECK(!fires(fd.get(), 50));
    write32(o.device, 0, 0x60, 1);
    CHECK(fires(fd.get()));
    CHECK(!fires(fd.get(), 50));
    // not acknowledged yet: unmasking tells at once, and stays masked
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kNone, 0, 1), 0);
    CHECK(fires(fd.get()));
    write32(o.device, 0, 0x64, 1);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kNone, 0, 1), 0);
    (void)fires(fd.get(), 50);
    for (int n = 0; n < 100; ++n) {
        write32(o.device, 0, 0x60, 1);
        CHECK(fires(fd.get()));
        write32(o.device, 0, 0x64, 1);
        CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kNone, 0, 1), 0);
    }
    // masked by hand
    (void)fires(fd.get(), 20);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kMask | kNone, 0, 1), 0);
    write32(o.device, 0, 0x60, 1);
    CHECK(!fires(fd.get(), 100));
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kNone, 0, 1), 0);
    CHECK(fires(fd.get()));
    write32(o.device, 0, 0x64, 1);
    CHECK_EQ(off(o.device, SLUICE_IRQ_INTX), 0);
    write32(o.device, 0, 0x60, 1);
    CHECK(!fires(fd.get(), 100));
    write32(o.device, 0, 0x64, 1);
}

CASE(intx_unmasks_by_eventfd) {
    const Opened o(roles.edu);
    const Fd fd = event();
    Fd unmask = event();
    const int u = unmask.get();
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kFds, 0, 1, &u), EINVAL);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, fd.get()), 0);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kFds, 0, 1, &u), 0);
    const std::uint64_t one = 1;
    for (int n = 0; n < 100; ++n) {
        write32(o.device, 0, 0x60, 1);
        CHECK(fires(fd.get()));
        write32(o.device, 0, 0x64, 1);
        CHECK_EQ(::write(u, &one, sizeof one), 8);
        // consumed by the module
        for (int i = 0; i < 100 && fires(u, 0); ++i)
            ::usleep(1000);
        ::usleep(2000);
        (void)fires(fd.get(), 0);
    }
    // the last close of the eventfd ends it, and so does another one, and so does -1
    unmask.reset();
    const Fd second = event();
    const int s = second.get(), none = -1;
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kFds, 0, 1, &s), 0);
    write32(o.device, 0, 0x60, 1);
    CHECK(fires(fd.get()));
    write32(o.device, 0, 0x64, 1);
    CHECK_EQ(::write(s, &one, sizeof one), 8);
    ::usleep(20000);
    (void)fires(fd.get(), 0);
    write32(o.device, 0, 0x60, 1);
    CHECK(fires(fd.get()));
    write32(o.device, 0, 0x64, 1);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kFds, 0, 1, &none), 0);
    const int not_one = o.group.get();
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kFds, 0, 1, &not_one), EINVAL);
}

CASE(intx_disable_bit_is_a_wish) {
    const Opened o(roles.edu);
    const Fd fd = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, fd.get()), 0);
    command_bit(o.device, 0x400, true);
    write32(o.device, 0, 0x60, 1);
    CHECK(!fires(fd.get(), 100));
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kNone, 0, 1), 0);
    CHECK(!fires(fd.get(), 100));
    command_bit(o.device, 0x400, false);
    CHECK(fires(fd.get()));
    write32(o.device, 0, 0x64, 1);
}

CASE(msi_fires) {
    const Opened o(roles.edu);
    command_bit(o.device, 4, true);
    const Fd fd = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSI, 0, fd.get()), 0);
    for (int n = 0; n < 100; ++n) {
        write32(o.device, 0, 0x60, 1);
        CHECK(fires(fd.get()));
        write32(o.device, 0, 0x64, 1);
    }
    // another eventfd, then none
    const Fd other = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSI, 0, other.get()), 0);
    write32(o.device, 0, 0x60, 1);
    CHECK(fires(other.get()));
    write32(o.device, 0, 0x64, 1);
    CHECK(!fires(fd.get(), 20));
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSI, 0, -1), 0);
    write32(o.device, 0, 0x60, 1);
    CHECK(!fires(other.get(), 50));
    write32(o.device, 0, 0x64, 1);
    CHECK_EQ(off(o.device, SLUICE_IRQ_MSI), 0);
    CHECK_EQ(off(o.device, SLUICE_IRQ_MSI), 0);
}

// 82574: IVAR (0xe4) routes "other" causes to a vector, IMS (0xd0) enables, ICS (0xc8) raises cause 24,
// §10.2.4.
static void e1000e_route_other(const Fd& device, std::uint32_t vector) {
    write32(device, 0, 0xd8, 0xffffffff);
    write32(device, 0, 0xe4, (8U | vector) << 16);
    write32(device, 0, 0xd0, 1U << 24);
}
static void e1000e_raise_other(const Fd& device) {
    write32(device, 0, 0xc8, 1U << 24);
}

// QEMU's e1000e ends itself if MSI-X is turned off while it still counts down the time to the next interrupt
// (EITR).
static void e1000e_settle(const Fd& device) {
    write32(device, 0, 0xd8, 0xffffffff);
    ::usleep(50000);
}

// Ones written to ICR (0xc0) clear it: a cause that is set already raises nothing.
static bool e1000e_fires(const Fd& device, const Fd& fd) {
    write32(device, 0, 0xc0, 0xffffffff);
    write32(device, 0, 0xd0, 1U << 24);
    e1000e_raise_other(device);
    return fires(fd.get());
}

CASE(msix_fires_though_memory_was_off) {
    const Opened o(roles.nic);
    const Fd fd[5] = {event(), event(), event(), event(), event()};
    const int fds[5] = {fd[0].get(), fd[1].get(), fd[2].get(), fd[3].get(), fd[4].get()};
    command_bit(o.device, 2, false);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kFds, 0, 5, fds), 0);
    CHECK_EQ(read16(o.device, SLUICE_REGION_CONFIG, 4) & 2, 0);
    command_bit(o.device, 6, true);
    for (std::uint32_t v = 0; v < 5; ++v) {
        e1000e_route_other(o.device, v);
        // what was throttled comes late, by the old route
        while (fires(fd[v == 0 ? 4 : v - 1].get(), 20)) {
        }
        for (int n = 0; n < 10; ++n)
            CHECK(e1000e_fires(o.device, fd[v]));
        for (std::uint32_t w = 0; w < 5; ++w)
            if (w != v)
                CHECK(!fires(fd[w].get(), 0));
    }
    // a vector without an eventfd keeps its place; the others go on
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSIX, 2, -1), 0);
    e1000e_route_other(o.device, 1);
    CHECK(e1000e_fires(o.device, fd[1]));
    e1000e_route_other(o.device, 2);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSIX, 2, fd[2].get()), 0);
    CHECK(e1000e_fires(o.device, fd[2]));
    e1000e_settle(o.device);
    CHECK_EQ(off(o.device, SLUICE_IRQ_MSIX), 0);
}

CASE(msix_survives_a_reset) {
    const Opened o(roles.nic);
    const Fd fd = event();
    command_bit(o.device, 6, true);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSIX, 0, fd.get()), 0);
    auto r = arg<sluice_reset>();
    CHECK_EQ(call(o.device.get(), SLUICE_RESET, r), 0);
    e1000e_route_other(o.device, 0);
    CHECK(e1000e_fires(o.device, fd));
    e1000e_settle(o.device);
}

CASE(msix_vectors_are_added_live_or_refused) {
    const Opened o(roles.nic);
    command_bit(o.device, 6, true);
    const Fd first = event(), last = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSIX, 0, first.get()), 0);
    if (irq_info(o.device, SLUICE_IRQ_MSIX).flags & SLUICE_IRQ_NORESIZE) {
        CHECK_ERRNO(set_eventfd(o.device, SLUICE_IRQ_MSIX, 4, last.get()), EINVAL);
    } else {
        CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSIX, 4, last.get()), 0);
        e1000e_route_other(o.device, 4);
        CHECK(e1000e_fires(o.device, last));
    }
    e1000e_route_other(o.device, 0);
    CHECK(e1000e_fires(o.device, first));
    e1000e_settle(o.device);
}

CASE(kinds_exclude_each_other) {
    const Opened o(roles.nic);
    const Fd fd = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSIX, 0, fd.get()), 0);
    CHECK_ERRNO(set_eventfd(o.device, SLUICE_IRQ_MSI, 0, fd.get()), EINVAL);
    CHECK_ERRNO(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, fd.get()), EINVAL);
    CHECK_EQ(off(o.device, SLUICE_IRQ_MSI), 0);
    CHECK_EQ(off(o.device, SLUICE_IRQ_MSIX), 0);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, fd.get()), 0);
    CHECK_ERRNO(set_eventfd(o.device, SLUICE_IRQ_MSIX, 0, fd.get()), EINVAL);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, -1), 0);
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_MSI, 0, fd.get()), 0);
}

CASE(trigger_without_data_pretends) {
    const Opened o(roles.nic);
    const Fd fd[2] = {event(), event()};
    const int fds[2] = {fd[0].get(), fd[1].get()};
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kNone, 0, 1), EINVAL);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kFds, 0, 2, fds), 0);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kNone, 1, 1), 0);
    CHECK(fires(fd[1].get()) && !fires(fd[0].get(), 0));
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kNone, 0, 2), 0);
    CHECK(fires(fd[0].get()) && fires(fd[1].get()));
    for (const unsigned kind : {SLUICE_IRQ_ERR, SLUICE_IRQ_REQ}) {
        CHECK_ERRNO(set_irqs(o.device, kind, kTrigger | kNone, 0, 1), EINVAL);
        CHECK_EQ(set_eventfd(o.device, kind, 0, fds[0]), 0);
        CHECK_EQ(set_irqs(o.device, kind, kTrigger | kNone, 0, 1), 0);
        CHECK(fires(fds[0]));
        CHECK_EQ(off(o.device, kind), 0);
    }
}

// Every combination of flags with counts and starts at the edges, on every kind; only those that the uapi
// names work.
CASE(set_irqs_refuses_every_other_combination) {
    const Opened o(roles.nic);
    const Fd fd = event();
    int fds[64];
    for (int& f : fds)
        f = fd.get();
    unsigned refused = 0, taken = 0;
    for (std::uint32_t kind = 0; kind < SLUICE_NUM_IRQS + 1; ++kind) {
        const std::uint32_t max = kind < SLUICE_NUM_IRQS ? irq_info(o.device, kind).count : 0;
        for (std::uint32_t flags = 0; flags < 64; ++flags)
            for (const std::uint32_t start : {0U, 1U, max, 0xffffffffU})
                for (const std::uint32_t count : {0U, 1U, max, max + 1, 0x80000000U, 0xffffffffU}) {
                    const std::uint32_t data = flags & 3, action = flags & 0x1c;
                    bool fine = flags < 32 && kind < SLUICE_NUM_IRQS && (data == kNone || data == kFds) &&
                                (action == kTrigger || action == kMask || action == kUnmask);
                    const bool turn_off = fine && flags == (kTrigger | kNone) && count == 0 && start == 0;
                    fine = fine && (turn_off || (count > 0 && start < max && count <= max - start));
                    if (action != kTrigger)
                        fine = fine && kind == SLUICE_IRQ_INTX && flags != (kMask | kFds);
                    errno = 0;
                    const int ret =
                        set_irqs(o.device, kind, flags, start, count, (flags & kFds) ? fds : nullptr);
                    // what fits may still be EINVAL, since the kind is off
                    if (!fine)
                        CHECK(ret < 0 && errno == EINVAL);
                    else
                        CHECK(ret == 0 || errno == EINVAL);
                    if (turn_off)
                        CHECK_EQ(ret, 0);
                    ++(ret == 0 ? taken : refused);
                    for (const std::uint32_t k : {0U, 1U, 2U, 3U, 4U})
                        CHECK_EQ(off(o.device, k), 0);
                }
    }
    std::printf("  %u taken, %u refused\n", taken, refused);
    CHECK(taken > 10);
    const int bad = 12345, minus2 = -2, group = o.group.get();
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kFds, 0, 1, &bad), EBADF);
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kFds, 0, 1, &minus2), EBADF);
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kFds, 0, 1, &group), EINVAL);
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kFds, 0, 1, nullptr), EFAULT);
    CHECK_ERRNO(set_irqs(o.device, SLUICE_IRQ_MSIX, kTrigger | kNone, 0, 0, fds), EINVAL);
}

// Four children swap, mask, pretend and unmask at once, while the device raises. edu, since QEMU's e1000e
// does not bear being moved between INTx and MSI-X under load.
CASE(interrupts_bear_a_storm) {
    const Opened o(roles.edu);
    command_bit(o.device, 6, true);
    const double end = now() + 6;
    pid_t pids[4];
    for (int who = 0; who < 4; ++who) {
        pids[who] = ::fork();
        if (pids[who] != 0)
            continue;
        const Fd a = event(), b = event();
        for (unsigned n = 0; now() < end; ++n) {
            const std::uint32_t kind = n / 64 % 2 ? SLUICE_IRQ_MSI : SLUICE_IRQ_INTX;
            if (who == 0)
                set_eventfd(o.device, kind, 0, n % 2 ? a.get() : b.get());
            if (who == 1)
                set_irqs(o.device, SLUICE_IRQ_INTX, (n % 2 ? kMask : kUnmask) | kNone, 0, 1);
            if (who == 2)
                set_irqs(o.device, kind, kTrigger | kNone, 0, n % 3 ? 1 : 0);
            if (who == 3) {
                const Fd u = event();
                const int f = u.get();
                const std::uint64_t one = 1;
                set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kFds, 0, 1, &f);
                if (::write(f, &one, sizeof one) != 8)
                    ::_exit(1);
            }
        }
        ::_exit(0);
    }
    unsigned raised = 0;
    for (; now() < end; ++raised) {
        write32(o.device, 0, 0x60, 1);
        write32(o.device, 0, 0x64, 1);
    }
    for (const pid_t pid : pids) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        CHECK_EQ(status, 0);
    }
    std::printf("  raised %u times\n", raised);
    for (const std::uint32_t k : {0U, 1U, 2U})
        CHECK_EQ(off(o.device, k), 0);
    const Fd fd = event();
    CHECK_EQ(set_eventfd(o.device, SLUICE_IRQ_INTX, 0, fd.get()), 0);
    (void)fires(fd.get(), 20);
    CHECK_EQ(set_irqs(o.device, SLUICE_IRQ_INTX, kUnmask | kNone, 0, 1), 0);
    (void)fires(fd.get(), 20);
    write32(o.device, 0, 0x60, 1);
    CHECK(fires(fd.get()));
    write32(o.device, 0, 0x64, 1);
}
