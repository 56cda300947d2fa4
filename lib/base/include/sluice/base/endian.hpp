// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Little-endian integers for structures that a device reads and writes.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace sluice::inline v1 {

/// `value` with its bytes swapped on a big-endian host, unchanged on a little-endian one.
template <std::unsigned_integral T>
constexpr T to_little(T value) noexcept {
    if constexpr (std::endian::native == std::endian::little || sizeof(T) == 1)
        return value;
    else if constexpr (sizeof(T) == 2)
        return __builtin_bswap16(value);
    else if constexpr (sizeof(T) == 4)
        return __builtin_bswap32(value);
    else
        return __builtin_bswap64(value);
}

/// An integer that lies in memory in little-endian order. Same size and alignment as `T`; converts on
/// each read and write.
template <std::unsigned_integral T>
class Little {
  public:
    Little() noexcept = default;
    constexpr Little(T value) noexcept
        : raw_(to_little(value)) {}
    constexpr operator T() const noexcept { return to_little(raw_); }
    constexpr T value() const noexcept { return to_little(raw_); }

  private:
    T raw_;
};

using le16 = Little<std::uint16_t>;
using le32 = Little<std::uint32_t>;
using le64 = Little<std::uint64_t>;

static_assert(sizeof(le16) == 2 && sizeof(le32) == 4 && sizeof(le64) == 8);
static_assert(std::is_trivially_default_constructible_v<le32> && std::is_standard_layout_v<le32>);

} // namespace sluice::inline v1
