// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The address of a PCI function.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::pci {

/// Domain, bus, device and function, ordered as the bus is. A plain value.
struct Address {
    std::uint32_t domain = 0;
    std::uint8_t bus = 0;
    std::uint8_t device = 0;   ///< 0–31
    std::uint8_t function = 0; ///< 0–7

    /// Reads "0000:01:00.0" or the short form "01:00.0" (domain 0). Fails with EINVAL on anything else.
    static Result<Address> parse(std::string_view text);

    /// The full form, as sysfs names it: "0000:01:00.0".
    std::string to_string() const;

    friend constexpr auto operator<=>(const Address&, const Address&) noexcept = default;
};

} // namespace sluice::inline v1::pci

template <>
struct std::hash<sluice::pci::Address> {
    std::size_t operator()(const sluice::pci::Address& address) const noexcept {
        std::uint64_t bdf = (std::uint64_t{address.domain} << 16) | (std::uint64_t{address.bus} << 8) |
                            (std::uint64_t{address.device} << 3) | address.function;
        return std::hash<std::uint64_t>{}(bdf);
    }
};
