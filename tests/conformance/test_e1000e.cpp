// SPDX-License-Identifier: BSD-3-Clause
// Interrupts of the 82574 that software can cause. Sections are those of Intel's 82574 datasheet.
#include <chrono>
#include <thread>

#include <sluice/config/space.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;
using device::Irq;

namespace {

constexpr std::size_t ctrl_ext = 0x0018; // §10.2.2.5
constexpr std::size_t icr = 0x00c0;      // §10.2.4.1
constexpr std::size_t ics = 0x00c8;      // §10.2.4.3
constexpr std::size_t imc = 0x00d8;      // §10.2.4.5
constexpr std::size_t ims = 0x00d0;      // §10.2.4.4
constexpr std::size_t ivar = 0x00e4;     // §10.2.4.8
constexpr std::uint64_t pba_support = std::uint64_t{1} << 31;
constexpr std::uint64_t link_change = 1U << 2;

/// The causes that IVAR spreads over vectors: receive queue 0 and 1, transmit queue 0 and 1, other.
constexpr std::uint64_t causes[] = {1U << 20, 1U << 21, 1U << 22, 1U << 23, 1U << 24};

/// Cause i on vector i, each valid. §10.2.4.8: fields of four bits, the highest of each being the valid bit.
constexpr std::uint64_t spread = 0x8 | 0x9U << 4 | 0xaU << 8 | 0xbU << 12 | 0xcU << 16;

class E1000e : public OpenDevice {
  protected:
    void SetUp() override {
        OpenDevice::SetUp();
        registers().write(imc, 4, 0xffffffff);
        registers().read(icr, 4);
    }
    /// QEMU's model, up to 7.2, aborts when MSI-X is turned off while one of its throttling timers (128 µs)
    /// runs, and neither shows them nor stops them at a reset.
    void TearDown() override {
        if (registers_)
            registers().write(imc, 4, 0xffffffff);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    std::vector<EventFd> events(std::size_t count) {
        std::vector<EventFd> made;
        for (std::size_t i = 0; i < count; ++i)
            made.push_back(EventFd::create().value());
        return made;
    }
    static std::vector<int> fds(const std::vector<EventFd>& events) {
        std::vector<int> list;
        for (const EventFd& event : events)
            list.push_back(event.fd());
        return list;
    }
};

TEST_F(E1000e, fires_each_of_its_five_msix_vectors) {
    ASSERT_EQ(dev().interrupts().info(Irq::msix).count, 5U);
    auto made = events(5);
    ASSERT_EQ(code(dev().interrupts().enable(Irq::msix, fds(made))), 0);
    registers().write(ctrl_ext, 4, registers().read(ctrl_ext, 4) | pba_support);
    registers().write(ivar, 4, spread);
    for (std::size_t i = 0; i < 5; ++i) {
        registers().write(ims, 4, causes[i]);
        registers().write(ics, 4, causes[i]);
        EXPECT_TRUE(arrives(made[i])) << "vector " << i;
        for (std::size_t other = 0; other < 5; ++other)
            EXPECT_EQ(made[other].take(), 0U) << "vector " << i << " came to " << other;
        registers().write(imc, 4, causes[i]);
        registers().write(icr, 4, causes[i]);
    }
}

TEST_F(E1000e, fires_msi) {
    auto made = events(1);
    ASSERT_EQ(code(dev().interrupts().enable(Irq::msi, fds(made))), 0);
    registers().write(ims, 4, link_change);
    registers().write(ics, 4, link_change);
    EXPECT_TRUE(arrives(made[0]));
}

TEST_F(E1000e, fires_intx_and_masks_it) {
    auto made = events(1);
    ASSERT_EQ(code(dev().interrupts().enable(Irq::intx, fds(made))), 0);
    registers().write(ims, 4, link_change);
    registers().write(ics, 4, link_change);
    EXPECT_TRUE(arrives(made[0]));
    registers().read(icr, 4);
    ASSERT_TRUE(dev().interrupts().unmask_intx());
    registers().write(ics, 4, link_change);
    EXPECT_TRUE(arrives(made[0]));
}

TEST_F(E1000e, keeps_its_interrupts_over_a_reset) {
    auto made = events(5);
    ASSERT_EQ(code(dev().interrupts().enable(Irq::msix, fds(made))), 0);
    ASSERT_TRUE(dev().reset());
    registers().write(ctrl_ext, 4, registers().read(ctrl_ext, 4) | pba_support);
    registers().write(ivar, 4, spread);
    registers().write(ims, 4, causes[4]);
    registers().write(ics, 4, causes[4]);
    EXPECT_TRUE(arrives(made[4]));
}

} // namespace
