// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Interrupts of a vhost-user back-end: a call eventfd for each receive queue, and what its connection tells.
#pragma once

#include <string>
#include <vector>

#include <sluice/device/interrupts.hpp>

namespace sluice::inline v1::virtio {

/// Vector 0 is the configuration's, signalled by this process; vector n + 1 is written by the back-end.
/// `error` is signalled when a back-end waits for a reset of the port.
class VhostInterrupts final : public device::Interrupts {
  public:
    explicit VhostInterrupts(std::string name);

    /// The eventfd of a vector, −1 when it has none.
    int call(std::uint16_t vector) const noexcept;
    void link_changed() const noexcept;
    void ready_for_reset() const noexcept;

  private:
    Result<> do_set(device::Irq irq, std::uint32_t first, std::span<const int> eventfds) override;
    Result<> do_disable(device::Irq irq) override;
    Result<> do_mask_intx(bool masked) override;
    Result<> do_trigger(device::Irq irq, std::uint32_t vector) override;

    std::vector<int> vectors_;
    int error_ = -1;
};

} // namespace sluice::inline v1::virtio
