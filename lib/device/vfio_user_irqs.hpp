// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Interrupts of a device in another process.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <sluice/device/interrupts.hpp>

#include "vfio_user_link.hpp"

namespace sluice::inline v1::device {

class VfioUserInterrupts final : public Interrupts {
  public:
    VfioUserInterrupts(std::shared_ptr<VfioUserLink> link, const Infos& served) noexcept;

    /// What the server has.
    static Result<Infos> ask(VfioUserLink& link, std::uint32_t indices);

    /// Turns on at a new server what is on here.
    Result<> arm_again();

    using Interrupts::follow;

  private:
    Result<> do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) override;
    Result<> do_disable(Irq irq) override;
    Result<> do_mask_intx(bool masked) override;
    Result<> do_trigger(Irq irq, std::uint32_t vector) override;

    Result<> send_set(Irq irq, std::uint32_t first, std::span<const int> eventfds);
    Result<> send(Irq irq, std::uint32_t flags, std::uint32_t first, std::uint32_t count, const char* what,
                  std::span<const int> fds = {});

    const std::shared_ptr<VfioUserLink> link_;
    std::array<std::vector<int>, irq_count> eventfds_;
    bool intx_masked_ = false;
};

} // namespace sluice::inline v1::device
