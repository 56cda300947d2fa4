// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The eventfds that a client has given for the device's interrupts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sluice/base/unique_fd.hpp>
#include <sluice/device/interrupts.hpp>
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::serve {

/// Carries DEVICE_SET_IRQS to a device's Interrupts, and owns the descriptors. Ends with all of them off.
class ClientIrqs {
  public:
    explicit ClientIrqs(device::Interrupts& interrupts) noexcept
        : interrupts_(interrupts) {}
    ClientIrqs(const ClientIrqs&) = delete;
    ClientIrqs& operator=(const ClientIrqs&) = delete;
    ~ClientIrqs() { disable_all(); }

    /// EINVAL: no such index. Fills the answer.
    int info(vfio_user::IrqInfo& request) const;

    /// `flags` and data have been checked against each other. 0, or the errno to refuse with: EINVAL for an
    /// index, a range of vectors, an action or descriptors that the device does not have or that are no
    /// eventfds; others as Interrupts.
    int set(const vfio_user::IrqSet& request, std::span<const std::byte> flags, std::vector<UniqueFd> fds);
    void disable_all();

  private:
    int trigger(device::Irq irq, const vfio_user::IrqSet& request, std::span<const std::byte> flags);
    int mask(device::Irq irq, const vfio_user::IrqSet& request, std::span<const std::byte> flags);
    int assign(device::Irq irq, const vfio_user::IrqSet& request, std::vector<UniqueFd> fds);
    int disable(device::Irq irq);

    device::Interrupts& interrupts_;
    std::array<std::vector<UniqueFd>, device::irq_count> held_;
};

} // namespace sluice::inline v1::serve
