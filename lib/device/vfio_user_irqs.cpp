// SPDX-License-Identifier: BSD-3-Clause
#include "vfio_user_irqs.hpp"

#include <algorithm>
#include <cerrno>

namespace sluice::inline v1::device {

using vfio_user::bytes_of;
using vfio_user::Command;
using vfio_user::IrqSet;

VfioUserInterrupts::VfioUserInterrupts(std::shared_ptr<VfioUserLink> link, const Infos& served) noexcept
    : Interrupts(link->name(), served)
    , link_(std::move(link)) {}

Result<VfioUserInterrupts::Infos> VfioUserInterrupts::ask(VfioUserLink& link, std::uint32_t indices) {
    Infos infos{};
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(indices, irq_count); ++i) {
        vfio_user::IrqInfo question;
        question.index = i;
        auto reply = link.ask(Command::get_irq_info, {bytes_of(question)},
                              "cannot ask the device's server about interrupts");
        if (!reply) {
            if (reply.error().code() == EINVAL && link.connected())
                continue;
            return propagate(std::move(reply));
        }
        const auto info = vfio_user::take<vfio_user::IrqInfo>(reply->body);
        if ((info.flags & vfio_user::IrqInfo::eventfd) == 0 || info.index != i)
            continue;
        infos[i] = {std::min(info.count, vfio_user::max_vectors),
                    (info.flags & vfio_user::IrqInfo::maskable) != 0,
                    (info.flags & vfio_user::IrqInfo::automasked) != 0,
                    (info.flags & vfio_user::IrqInfo::noresize) == 0 && info.count > 1};
    }
    return infos;
}

Result<> VfioUserInterrupts::send(Irq irq, std::uint32_t flags, std::uint32_t first, std::uint32_t count,
                                  const char* what, std::span<const int> fds) {
    IrqSet set;
    set.flags = flags;
    set.index = static_cast<std::uint32_t>(irq);
    set.start = first;
    set.count = count;
    auto reply = link_->ask(Command::set_irqs, {bytes_of(set)}, what, fds);
    if (!reply)
        return propagate(std::move(reply));
    return {};
}

/// Vectors with an eventfd and vectors without one go in messages of their own, of as many descriptors as the
/// server takes.
Result<> VfioUserInterrupts::send_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) {
    const std::size_t most = std::max<std::size_t>(link_->limits().max_msg_fds, 1);
    while (!eventfds.empty()) {
        const bool with = eventfds[0] >= 0;
        std::size_t count = 1;
        while (count < eventfds.size() && (eventfds[count] >= 0) == with && (!with || count < most))
            ++count;
        auto done =
            send(irq, IrqSet::data_eventfd | IrqSet::action_trigger, first, static_cast<std::uint32_t>(count),
                 "cannot turn interrupts on", with ? eventfds.first(count) : std::span<const int>());
        if (!done)
            return done;
        first += static_cast<std::uint32_t>(count);
        eventfds = eventfds.subspan(count);
    }
    return {};
}

Result<> VfioUserInterrupts::do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) {
    if (auto done = send_set(irq, first, eventfds); !done) {
        if (active(irq) == 0 && link_->connected())
            static_cast<void>(do_disable(irq));
        return done;
    }
    auto& held = eventfds_[static_cast<std::size_t>(irq)];
    if (held.size() < first + eventfds.size())
        held.resize(first + eventfds.size(), -1);
    std::ranges::copy(eventfds, held.begin() + first);
    if (irq == Irq::intx)
        intx_masked_ = false;
    return {};
}

/// A server that is gone delivers nothing any more.
Result<> VfioUserInterrupts::do_disable(Irq irq) {
    auto done = send(irq, IrqSet::data_none | IrqSet::action_trigger, 0, 0, "cannot turn interrupts off");
    if (!done && link_->connected())
        return done;
    eventfds_[static_cast<std::size_t>(irq)].clear();
    return {};
}

Result<> VfioUserInterrupts::do_mask_intx(bool masked) {
    auto done = send(Irq::intx, IrqSet::data_none | (masked ? IrqSet::action_mask : IrqSet::action_unmask), 0,
                     1, masked ? "cannot mask INTx" : "cannot unmask INTx");
    if (done)
        intx_masked_ = masked;
    return done;
}

Result<> VfioUserInterrupts::do_trigger(Irq irq, std::uint32_t vector) {
    return send(irq, IrqSet::data_none | IrqSet::action_trigger, vector, 1, "cannot signal an interrupt");
}

Result<> VfioUserInterrupts::arm_again() {
    for (std::size_t i = 0; i < irq_count; ++i) {
        const auto irq = static_cast<Irq>(i);
        if (eventfds_[i].empty())
            continue;
        auto done = send_set(irq, 0, eventfds_[i]);
        if (done && irq == Irq::intx && intx_masked_)
            done = do_mask_intx(true);
        if (!done)
            return done;
    }
    return {};
}

} // namespace sluice::inline v1::device
