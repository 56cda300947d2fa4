// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/net/mac.hpp>

#include <cerrno>
#include <charconv>

namespace sluice::inline v1::net {

std::string MacAddress::to_string() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(17);
    for (const std::uint8_t byte : bytes) {
        if (!text.empty())
            text += ':';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
    constexpr const char* what =
        "not a MAC address: six pairs of hexadecimal digits, as in 02:00:00:00:00:01";
    if (text.size() != 17)
        return fail(EINVAL, what, std::string(text));
    MacAddress mac;
    for (std::size_t i = 0; i < 6; ++i) {
        const char* at = text.data() + 3 * i;
        const auto [end, error] = std::from_chars(at, at + 2, mac.bytes[i], 16);
        if (error != std::errc{} || end != at + 2 || (i < 5 && at[2] != ':'))
            return fail(EINVAL, what, std::string(text));
    }
    return mac;
}

} // namespace sluice::inline v1::net
