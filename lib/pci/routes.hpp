// SPDX-License-Identifier: BSD-3-Clause
// The kernel's routes, from procfs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::inline v1::pci {

/// An IPv4 address as v4-mapped IPv6, or an IPv6 address; network order.
using IpAddress = std::array<std::uint8_t, 16>;

std::optional<IpAddress> parse_ip(const std::string& text);

struct Route {
    std::string interface;
    IpAddress destination{};
    unsigned prefix = 0; ///< bits of the mapped form: 96 and more for IPv4
    bool v4 = false;

    bool covers(const IpAddress& address) const noexcept;
    /// True for what every interface has by itself: link-local and multicast destinations.
    bool is_automatic() const noexcept;
    /// "the default route", or "the route 10.0.0.0/8".
    std::string describe() const;
};

/// Routes of PROC/net/route and PROC/net/ipv6_route, without local and rejecting ones.
std::vector<Route> read_routes(const std::string& proc);

/// The interface by which `address` is reached; empty when none is.
std::string interface_to(const std::vector<Route>& routes, const IpAddress& address);

} // namespace sluice::inline v1::pci
