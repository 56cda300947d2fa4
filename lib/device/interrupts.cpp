// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/interrupts.hpp>

#include <algorithm>
#include <cerrno>

#include <sluice/config/space.hpp>

namespace sluice::inline v1::device {

namespace {

constexpr Irq exclusive[] = {Irq::intx, Irq::msi, Irq::msix};

bool is_exclusive(Irq irq) {
    return std::ranges::find(exclusive, irq) != std::end(exclusive);
}

config::IrqType config_type(Irq irq) {
    switch (irq) {
    case Irq::intx:
        return config::IrqType::intx;
    case Irq::msi:
        return config::IrqType::msi;
    case Irq::msix:
        return config::IrqType::msix;
    default:
        return config::IrqType::none;
    }
}

} // namespace

const char* name(Irq irq) noexcept {
    static constexpr const char* names[] = {"INTx", "MSI", "MSI-X", "error", "request"};
    const auto index = static_cast<std::size_t>(irq);
    return index < irq_count ? names[index] : "unknown";
}

std::string Interrupts::object(Irq irq) const {
    return device_ + " " + name(irq);
}

void Interrupts::tell_config() noexcept {
    if (config_ == nullptr)
        return;
    config::IrqType type = config::IrqType::none;
    for (const Irq irq : exclusive)
        if (active(irq) != 0)
            type = config_type(irq);
    config_->set_irq_type(type);
    if (active(Irq::msi) != 0)
        config_->set_msi_vectors(active(Irq::msi));
}

Result<> Interrupts::enable(Irq irq, std::span<const int> eventfds) {
    const IrqInfo& facts = info(irq);
    if (eventfds.empty() || eventfds.size() > facts.count)
        return fail(EINVAL,
                    facts.count == 0 ? "cannot enable interrupts that the device does not have"
                                     : "cannot enable that many vectors: info().count is the limit",
                    object(irq));
    if ((irq == Irq::intx || !is_exclusive(irq)) && eventfds[0] < 0)
        return fail(EINVAL, "cannot enable an interrupt of one vector without an eventfd", object(irq));
    if (active(irq) != 0)
        return fail(EBUSY, "cannot enable interrupts that are on: disable them, or replace their eventfds",
                    object(irq));
    if (is_exclusive(irq))
        for (const Irq other : exclusive)
            if (active(other) != 0)
                return fail(EBUSY, "cannot enable two of INTx, MSI and MSI-X at once: disable the other one",
                            object(irq));
    auto done = do_set(irq, 0, eventfds);
    if (!done)
        return done;
    active_[static_cast<std::size_t>(irq)] = static_cast<std::uint32_t>(eventfds.size());
    tell_config();
    return {};
}

Result<> Interrupts::set(Irq irq, std::uint32_t first, std::span<const int> eventfds) {
    const std::uint32_t on = active(irq);
    if (on == 0)
        return fail(EINVAL, "cannot replace eventfds of interrupts that are off: enable them", object(irq));
    if (eventfds.empty())
        return fail(EINVAL, "cannot replace no eventfds", object(irq));
    const std::uint32_t limit = info(irq).can_add ? info(irq).count : on;
    if (first > limit || eventfds.size() > limit - first)
        return fail(EINVAL,
                    info(irq).can_add
                        ? "cannot add that many vectors: info().count is the limit"
                        : "cannot add vectors while others are on: this kernel needs all at first",
                    object(irq));
    if ((irq == Irq::intx || !is_exclusive(irq)) && eventfds[0] < 0)
        return fail(EINVAL, "cannot take the eventfd of a single interrupt away: disable it", object(irq));
    auto done = do_set(irq, first, eventfds);
    if (!done)
        return done;
    active_[static_cast<std::size_t>(irq)] =
        std::max(on, first + static_cast<std::uint32_t>(eventfds.size()));
    tell_config();
    return {};
}

Result<> Interrupts::disable(Irq irq) {
    if (active(irq) == 0)
        return {};
    auto done = do_disable(irq);
    if (!done)
        return done;
    active_[static_cast<std::size_t>(irq)] = 0;
    tell_config();
    return {};
}

Result<> Interrupts::mask_intx() {
    if (active(Irq::intx) == 0)
        return fail(EINVAL, "cannot mask an interrupt that is off", object(Irq::intx));
    return do_mask_intx(true);
}

Result<> Interrupts::unmask_intx() {
    if (active(Irq::intx) == 0)
        return fail(EINVAL, "cannot unmask an interrupt that is off", object(Irq::intx));
    return do_mask_intx(false);
}

Result<> Interrupts::trigger(Irq irq, std::uint32_t vector) {
    if (vector >= active(irq))
        return fail(EINVAL, "cannot signal a vector that is not on", object(irq));
    return do_trigger(irq, vector);
}

} // namespace sluice::inline v1::device
