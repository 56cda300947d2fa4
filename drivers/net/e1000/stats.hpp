// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The devices' own counters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <sluice/net/stats.hpp>

#include "regs.hpp"

namespace sluice::inline v1::e1000 {

/// Sums of the registers that a read clears. Locked by the owner.
class DeviceCounters {
  public:
    static constexpr std::size_t count = 24;

    /// Reads every register once and adds it up; nothing when the device is gone.
    void take(const Registers& regs) noexcept;
    /// Adds frames that were missed or damaged.
    void add_to(net::Stats& stats) const noexcept;
    void append_to(std::vector<net::XStat>& list) const;

  private:
    std::array<std::uint64_t, count> totals_{};
};

} // namespace sluice::inline v1::e1000
