// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The address that a device uses.
#pragma once

#include <compare>
#include <cstdint>

namespace sluice::inline v1 {

/// An I/O virtual address: what a device puts on the bus. Never interchangeable with a pointer.
struct Iova {
    std::uint64_t value = 0;

    friend constexpr auto operator<=>(const Iova&, const Iova&) noexcept = default;
    friend constexpr Iova operator+(Iova base, std::uint64_t bytes) noexcept { return {base.value + bytes}; }
    friend constexpr std::uint64_t operator-(Iova end, Iova begin) noexcept {
        return end.value - begin.value;
    }
};

} // namespace sluice::inline v1
