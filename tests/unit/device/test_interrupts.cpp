// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cerrno>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/config/image.hpp>
#include <sluice/device/inproc.hpp>

using namespace sluice;
using device::Irq;
using device::inproc::Lines;

namespace {

/// A device with INTx, 4 MSI and 5 MSI-X vectors, error and request; and eventfds to give it.
class Interrupts : public ::testing::Test {
  protected:
    void SetUp() override {
        for (int i = 0; i < 8; ++i) {
            auto event = EventFd::create();
            ASSERT_TRUE(event);
            fds_.push_back(event->fd());
            events_.push_back(std::move(*event));
        }
    }

    int enable(Irq irq, std::size_t count) { return code(lines_.enable(irq, std::span(fds_).first(count))); }
    static int code(const Result<>& done) { return done ? 0 : done.error().code(); }

    Lines lines_{"nic", {1, 4, 5, 1, 1}};
    std::vector<EventFd> events_;
    std::vector<int> fds_;
};

TEST_F(Interrupts, signal_the_eventfd_of_their_vector) {
    ASSERT_EQ(enable(Irq::msix, 3), 0);
    EXPECT_TRUE(lines_.fire(Irq::msix, 1));
    EXPECT_TRUE(lines_.fire(Irq::msix, 1));
    EXPECT_EQ(events_[0].take(), 0U);
    EXPECT_EQ(events_[1].take(), 2U);
    EXPECT_FALSE(lines_.fire(Irq::msix, 3)) << "that vector is off";
    EXPECT_FALSE(lines_.fire(Irq::msi, 0));
}

TEST_F(Interrupts, keep_a_vector_without_eventfd) {
    const int fds[] = {-1, fds_[1]};
    ASSERT_TRUE(lines_.enable(Irq::msix, fds));
    EXPECT_FALSE(lines_.fire(Irq::msix, 0));
    EXPECT_TRUE(lines_.fire(Irq::msix, 1));
    EXPECT_EQ(lines_.active(Irq::msix), 2U);
}

TEST_F(Interrupts, refuse_counts_that_the_device_does_not_have) {
    EXPECT_EQ(enable(Irq::msix, 0), EINVAL);
    EXPECT_EQ(enable(Irq::msix, 6), EINVAL);
    EXPECT_EQ(enable(Irq::intx, 2), EINVAL);
    EXPECT_EQ(enable(Irq::msix, 5), 0);
    Lines without("nic", {0, 0, 0, 0, 0});
    EXPECT_EQ(code(without.enable(Irq::intx, std::span(fds_).first(1))), EINVAL);
}

TEST_F(Interrupts, exclude_each_other_but_not_error_and_request) {
    ASSERT_EQ(enable(Irq::msix, 1), 0);
    EXPECT_EQ(enable(Irq::msix, 1), EBUSY);
    EXPECT_EQ(enable(Irq::msi, 1), EBUSY);
    EXPECT_EQ(enable(Irq::intx, 1), EBUSY);
    EXPECT_EQ(enable(Irq::error, 1), 0);
    EXPECT_EQ(enable(Irq::request, 1), 0);
    ASSERT_TRUE(lines_.disable(Irq::msix));
    EXPECT_EQ(enable(Irq::msi, 1), 0);
}

/// Accepts everything.
struct Following final : device::Interrupts {
    Following()
        : device::Interrupts("nic", {{{1}, {4}, {5}, {1}, {1}}}) {}
    using device::Interrupts::follow;
    Result<> do_set(Irq, std::uint32_t, std::span<const int>) override { return {}; }
    Result<> do_disable(Irq) override { return {}; }
    Result<> do_mask_intx(bool) override { return {}; }
    Result<> do_trigger(Irq, std::uint32_t) override { return {}; }
};

TEST_F(Interrupts, tell_the_config_space_what_is_on) {
    config::Image image;
    config::Effects effects;
    auto space = config::Space::create(image, effects, config::Facts());
    ASSERT_TRUE(space);
    Following lines;
    lines.follow(&*space);
    ASSERT_TRUE(lines.enable(Irq::msi, std::span(fds_).first(3)));
    EXPECT_EQ(space->status().irq_type, config::IrqType::msi);
    EXPECT_EQ(space->status().msi_limit, 2U);
    ASSERT_TRUE(lines.enable(Irq::error, std::span(fds_).first(1)));
    EXPECT_EQ(space->status().irq_type, config::IrqType::msi);
    ASSERT_TRUE(lines.disable(Irq::msi));
    EXPECT_EQ(space->status().irq_type, config::IrqType::none);
    EXPECT_EQ(space->status().msi_limit, 2U) << "as the kernel keeps it";
    ASSERT_TRUE(lines.enable(Irq::msix, std::span(fds_).first(2)));
    EXPECT_EQ(space->status().irq_type, config::IrqType::msix);
    ASSERT_TRUE(lines.disable(Irq::msix));
    ASSERT_TRUE(lines.enable(Irq::intx, std::span(fds_).first(1)));
    EXPECT_EQ(space->status().irq_type, config::IrqType::intx);
}

TEST_F(Interrupts, stay_silent_once_disabled) {
    ASSERT_EQ(enable(Irq::msi, 2), 0);
    ASSERT_TRUE(lines_.disable(Irq::msi));
    EXPECT_FALSE(lines_.fire(Irq::msi, 0));
    EXPECT_EQ(lines_.active(Irq::msi), 0U);
    EXPECT_TRUE(lines_.disable(Irq::msi)) << "twice is no error";
}

TEST_F(Interrupts, swap_eventfds_and_add_vectors_where_that_is_possible) {
    ASSERT_EQ(enable(Irq::msix, 2), 0);
    EXPECT_EQ(code(lines_.set(Irq::msix, 1, std::span(fds_).subspan(5, 1))), 0);
    EXPECT_TRUE(lines_.fire(Irq::msix, 1));
    EXPECT_EQ(events_[1].take(), 0U);
    EXPECT_EQ(events_[5].take(), 1U);
    ASSERT_TRUE(lines_.info(Irq::msix).can_add);
    EXPECT_EQ(code(lines_.set(Irq::msix, 2, std::span(fds_).subspan(2, 3))), 0);
    EXPECT_EQ(lines_.active(Irq::msix), 5U);
    EXPECT_EQ(code(lines_.set(Irq::msix, 5, std::span(fds_).first(1))), EINVAL);
    EXPECT_EQ(code(lines_.set(Irq::msix, 0xffffffff, std::span(fds_).first(2))), EINVAL);
}

TEST_F(Interrupts, add_no_vector_where_the_kind_cannot) {
    ASSERT_EQ(enable(Irq::msi, 2), 0);
    ASSERT_FALSE(lines_.info(Irq::msi).can_add);
    EXPECT_EQ(code(lines_.set(Irq::msi, 1, std::span(fds_).first(1))), 0);
    EXPECT_EQ(code(lines_.set(Irq::msi, 1, std::span(fds_).first(2))), EINVAL);
    EXPECT_EQ(code(lines_.set(Irq::msi, 2, std::span(fds_).first(1))), EINVAL);
    EXPECT_EQ(code(lines_.set(Irq::msix, 0, std::span(fds_).first(1))), EINVAL) << "is off";
}

TEST_F(Interrupts, mask_intx_when_it_fires_until_it_is_unmasked) {
    ASSERT_EQ(enable(Irq::intx, 1), 0);
    EXPECT_TRUE(lines_.fire(Irq::intx, 0));
    EXPECT_FALSE(lines_.fire(Irq::intx, 0));
    ASSERT_TRUE(lines_.unmask_intx());
    EXPECT_TRUE(lines_.fire(Irq::intx, 0));
    ASSERT_TRUE(lines_.unmask_intx());
    ASSERT_TRUE(lines_.mask_intx());
    EXPECT_FALSE(lines_.fire(Irq::intx, 0));
    EXPECT_EQ(events_[0].take(), 2U);
}

TEST_F(Interrupts, mask_nothing_while_intx_is_off) {
    EXPECT_EQ(code(lines_.mask_intx()), EINVAL);
    EXPECT_EQ(code(lines_.unmask_intx()), EINVAL);
}

TEST_F(Interrupts, can_be_signalled_for_a_test) {
    EXPECT_EQ(code(lines_.trigger(Irq::msix, 0)), EINVAL);
    ASSERT_EQ(enable(Irq::msix, 2), 0);
    EXPECT_EQ(code(lines_.trigger(Irq::msix, 1)), 0);
    EXPECT_EQ(events_[1].take(), 1U);
    EXPECT_EQ(code(lines_.trigger(Irq::msix, 2)), EINVAL);
}

TEST_F(Interrupts, of_one_vector_need_an_eventfd) {
    const int none[] = {-1};
    EXPECT_EQ(code(lines_.enable(Irq::intx, none)), EINVAL);
    EXPECT_EQ(code(lines_.enable(Irq::request, none)), EINVAL);
    ASSERT_EQ(enable(Irq::request, 1), 0);
    EXPECT_EQ(code(lines_.set(Irq::request, 0, none)), EINVAL);
}

} // namespace
