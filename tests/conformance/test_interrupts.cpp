// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <sluice/config/space.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;
using device::Irq;

namespace {

/// Eventfds as a device takes them.
struct Events {
    explicit Events(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            events.push_back(EventFd::create().value());
            fds.push_back(events.back().fd());
        }
    }
    std::vector<EventFd> events;
    std::vector<int> fds;
};

class DeviceInterrupts : public OpenDevice {
  protected:
    device::Interrupts& irqs() { return dev().interrupts(); }

    /// The kind with the most vectors that the device has.
    Irq best() { return irqs().info(Irq::msix).count > 0 ? Irq::msix : Irq::msi; }
};

TEST_F(DeviceInterrupts, reach_the_eventfd_of_their_vector) {
    for (const Irq irq : {Irq::intx, Irq::msi, Irq::msix}) {
        const std::uint32_t count = irqs().info(irq).count;
        if (count == 0)
            continue;
        Events events(count);
        ASSERT_EQ(code(irqs().enable(irq, events.fds)), 0) << device::name(irq);
        for (std::uint32_t vector = 0; vector < count; ++vector) {
            ASSERT_TRUE(irqs().trigger(irq, vector)) << device::name(irq);
            for (std::uint32_t other = 0; other < count; ++other)
                EXPECT_EQ(events.events[other].take(), other == vector ? 1U : 0U);
        }
        ASSERT_TRUE(irqs().disable(irq));
        EXPECT_EQ(code(irqs().trigger(irq, 0)), EINVAL);
    }
}

TEST_F(DeviceInterrupts, tell_of_errors_and_of_requests_to_close) {
    for (const Irq irq : {Irq::error, Irq::request}) {
        if (irqs().info(irq).count == 0)
            continue;
        Events events(1);
        ASSERT_EQ(code(irqs().enable(irq, events.fds)), 0) << device::name(irq);
        ASSERT_TRUE(irqs().trigger(irq, 0)) << device::name(irq);
        EXPECT_TRUE(arrives(events.events[0])) << device::name(irq);
        ASSERT_TRUE(irqs().disable(irq));
    }
    EXPECT_EQ(irqs().info(Irq::request).count, 1U);
}

TEST_F(DeviceInterrupts, take_any_number_of_vectors_that_the_device_has) {
    const std::uint32_t count = irqs().info(best()).count;
    Events events(count + 1);
    EXPECT_EQ(code(irqs().enable(best(), events.fds)), EINVAL);
    for (std::uint32_t wanted = 1; wanted <= count; ++wanted) {
        ASSERT_EQ(code(irqs().enable(best(), std::span(events.fds).first(wanted))), 0) << wanted;
        EXPECT_EQ(irqs().active(best()), wanted);
        ASSERT_TRUE(irqs().disable(best()));
    }
}

TEST_F(DeviceInterrupts, swap_eventfds_of_live_vectors) {
    Events events(2);
    ASSERT_EQ(code(irqs().enable(best(), std::span(events.fds).first(1))), 0);
    ASSERT_EQ(code(irqs().set(best(), 0, std::span(events.fds).subspan(1))), 0);
    ASSERT_TRUE(irqs().trigger(best(), 0));
    EXPECT_EQ(events.events[0].take(), 0U);
    EXPECT_EQ(events.events[1].take(), 1U);
    const int none[] = {-1};
    ASSERT_EQ(code(irqs().set(best(), 0, none)), 0);
    ASSERT_TRUE(irqs().trigger(best(), 0));
    EXPECT_EQ(events.events[1].take(), 0U);
}

TEST_F(DeviceInterrupts, add_vectors_live_only_where_they_say_so) {
    const device::IrqInfo& info = irqs().info(best());
    Events events(2);
    ASSERT_EQ(code(irqs().enable(best(), std::span(events.fds).first(1))), 0);
    const int added = code(irqs().set(best(), 1, std::span(events.fds).subspan(1)));
    EXPECT_EQ(added, info.can_add ? 0 : EINVAL);
    EXPECT_EQ(irqs().active(best()), info.can_add ? 2U : 1U);
}

TEST_F(DeviceInterrupts, exclude_each_other) {
    Events events(1);
    ASSERT_EQ(code(irqs().enable(best(), events.fds)), 0);
    if (irqs().info(Irq::intx).count > 0) {
        EXPECT_EQ(code(irqs().enable(Irq::intx, events.fds)), EBUSY);
    }
    ASSERT_TRUE(irqs().disable(best()));
    if (irqs().info(Irq::intx).count > 0) {
        EXPECT_EQ(code(irqs().enable(Irq::intx, events.fds)), 0);
    }
}

TEST_F(DeviceInterrupts, refuse_an_fd_that_is_no_eventfd) {
    const int fds[] = {0};
    EXPECT_NE(code(irqs().enable(best(), fds)), 0);
    EXPECT_EQ(irqs().active(best()), 0U);
    Events events(1);
    EXPECT_EQ(code(irqs().enable(best(), events.fds)), 0) << "and work afterwards";
}

TEST_F(DeviceInterrupts, work_whichever_state_memory_decoding_has) {
    ASSERT_TRUE(dev().config().set_memory_decoding(false));
    Events events(1);
    EXPECT_EQ(code(irqs().enable(best(), events.fds)), 0);
    EXPECT_TRUE(irqs().trigger(best(), 0));
    EXPECT_TRUE(arrives(events.events[0]));
}

} // namespace
