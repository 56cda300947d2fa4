// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Ethernet addresses.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::net {

/// Six bytes in the order in which they are sent.
struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    bool multicast() const noexcept { return (bytes[0] & 1) != 0; }
    bool zero() const noexcept { return *this == MacAddress{}; }

    /// "02:00:00:00:00:01".
    std::string to_string() const;

    /// Six pairs of hexadecimal digits with ':' between them. EINVAL for anything else.
    static Result<MacAddress> parse(std::string_view text);

    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) noexcept = default;
};

} // namespace sluice::inline v1::net
