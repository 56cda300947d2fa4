// SPDX-License-Identifier: BSD-3-Clause
#include "routes.hpp"

#include <bit>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

constexpr std::uint32_t flag_reject = 0x0200;    // linux/route.h
constexpr std::uint32_t flag_local = 0x80000000; // linux/ipv6_route.h
constexpr unsigned v4_bits = 96;

template <typename T>
std::optional<T> hex(std::string_view text) {
    T value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

IpAddress mapped(std::uint32_t network_order) {
    IpAddress address{};
    address[10] = address[11] = 0xff;
    std::memcpy(&address[12], &network_order, 4);
    return address;
}

// Interface Destination Gateway Flags RefCnt Use Metric Mask …; addresses as integers of network order.
void read_v4(const std::string& text, std::vector<Route>& routes) {
    for (auto line : files::lines(text)) {
        auto fields = files::words(line);
        if (fields.size() < 8)
            continue;
        auto destination = hex<std::uint32_t>(fields[1]);
        auto flags = hex<std::uint32_t>(fields[3]);
        auto mask = hex<std::uint32_t>(fields[7]);
        if (!destination || !flags || !mask || (*flags & flag_reject) != 0)
            continue;
        auto bits = static_cast<unsigned>(std::popcount(*mask));
        routes.push_back({std::string(fields[0]), mapped(*destination), v4_bits + bits, true});
    }
}

// Destination Prefix Source Prefix NextHop Metric RefCnt Use Flags Interface.
void read_v6(const std::string& text, std::vector<Route>& routes) {
    for (auto line : files::lines(text)) {
        auto fields = files::words(line);
        if (fields.size() != 10 || fields[0].size() != 32)
            continue;
        auto prefix = hex<unsigned>(fields[1]);
        auto flags = hex<std::uint32_t>(fields[8]);
        if (!prefix || !flags || (*flags & (flag_reject | flag_local)) != 0 || fields[9] == "lo")
            continue;
        Route route{std::string(fields[9]), {}, *prefix, false};
        bool whole = true;
        for (std::size_t index = 0; index < route.destination.size(); ++index) {
            auto byte = hex<std::uint8_t>(fields[0].substr(index * 2, 2));
            whole = whole && byte;
            route.destination[index] = byte.value_or(0);
        }
        if (whole)
            routes.push_back(std::move(route));
    }
}

} // namespace

std::optional<IpAddress> parse_ip(const std::string& text) {
    in_addr v4{};
    if (::inet_pton(AF_INET, text.c_str(), &v4) == 1)
        return mapped(v4.s_addr);
    IpAddress v6{};
    if (::inet_pton(AF_INET6, text.c_str(), v6.data()) == 1)
        return v6;
    return std::nullopt;
}

bool Route::covers(const IpAddress& address) const noexcept {
    unsigned bits = prefix;
    // An IPv6 default route has no say over IPv4.
    constexpr IpAddress v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool address_v4 = std::memcmp(address.data(), v4_prefix.data(), 12) == 0;
    if (address_v4 != v4)
        return false;
    for (std::size_t index = 0; index < address.size() && bits > 0; ++index) {
        unsigned here = bits < 8 ? bits : 8;
        auto mask = static_cast<std::uint8_t>(0xff << (8 - here));
        if (((address[index] ^ destination[index]) & mask) != 0)
            return false;
        bits -= here;
    }
    return true;
}

bool Route::is_automatic() const noexcept {
    if (v4)
        return prefix > v4_bits && destination[12] == 169 && destination[13] == 254;
    return prefix >= 8 &&
           (destination[0] == 0xff || (destination[0] == 0xfe && (destination[1] & 0xc0) == 0x80));
}

std::string Route::describe() const {
    unsigned bits = v4 ? prefix - v4_bits : prefix;
    if (bits == 0)
        return "the default route";
    char text[INET6_ADDRSTRLEN];
    ::inet_ntop(v4 ? AF_INET : AF_INET6, destination.data() + (v4 ? 12 : 0), text, sizeof text);
    return std::string("the route ") + text + '/' + std::to_string(bits);
}

std::vector<Route> read_routes(const std::string& proc) {
    std::vector<Route> routes;
    read_v4(files::read(proc + "/net/route").value_or(""), routes);
    read_v6(files::read(proc + "/net/ipv6_route").value_or(""), routes);
    return routes;
}

std::string interface_to(const std::vector<Route>& routes, const IpAddress& address) {
    const Route* best = nullptr;
    for (const auto& route : routes) {
        if (route.covers(address) && (best == nullptr || route.prefix > best->prefix))
            best = &route;
    }
    return best != nullptr ? best->interface : std::string();
}

} // namespace sluice::inline v1::pci
