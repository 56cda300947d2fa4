// SPDX-License-Identifier: BSD-3-Clause
#include "vhost_irqs.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sluice::inline v1::virtio {

namespace {

/// The configuration's, and one a receive queue.
constexpr std::uint32_t vectors = 257;

void signal(int eventfd) noexcept {
    const std::uint64_t one = 1;
    if (eventfd >= 0)
        static_cast<void>(!::write(eventfd, &one, sizeof one));
}

} // namespace

VhostInterrupts::VhostInterrupts(std::string name)
    : Interrupts(std::move(name),
                 Infos{device::IrqInfo{}, device::IrqInfo{}, device::IrqInfo{.count = vectors},
                       device::IrqInfo{.count = 1}, device::IrqInfo{}}) {}

int VhostInterrupts::call(std::uint16_t vector) const noexcept {
    return vector < vectors_.size() ? vectors_[vector] : -1;
}

void VhostInterrupts::link_changed() const noexcept {
    signal(call(0));
}

void VhostInterrupts::ready_for_reset() const noexcept {
    signal(error_);
}

Result<> VhostInterrupts::do_set(device::Irq irq, std::uint32_t first, std::span<const int> eventfds) {
    if (irq == device::Irq::error) {
        error_ = eventfds.front();
        return {};
    }
    if (vectors_.size() < first + eventfds.size())
        vectors_.resize(first + eventfds.size(), -1);
    for (std::size_t i = 0; i < eventfds.size(); ++i)
        vectors_[first + i] = eventfds[i];
    return {};
}

Result<> VhostInterrupts::do_disable(device::Irq irq) {
    if (irq == device::Irq::error)
        error_ = -1;
    else
        vectors_.clear();
    return {};
}

Result<> VhostInterrupts::do_mask_intx(bool) {
    return fail(EINVAL, "a vhost-user back-end has no INTx");
}

Result<> VhostInterrupts::do_trigger(device::Irq irq, std::uint32_t vector) {
    signal(irq == device::Irq::error ? error_ : call(static_cast<std::uint16_t>(vector)));
    return {};
}

} // namespace sluice::inline v1::virtio
