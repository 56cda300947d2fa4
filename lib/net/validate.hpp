// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include <sluice/base/error.hpp>
#include <sluice/net/config.hpp>

namespace sluice::inline v1::net {

/// `wanted` with every default filled in but the pool, or EINVAL with the first thing that `limits` does not
/// allow.
Result<Config> validate(const Config& wanted, const Limits& limits, const std::string& name);

/// Bytes of the largest frame at `mtu`, with Ethernet header and two tags, without CRC.
constexpr std::uint32_t frame_bytes(std::uint16_t mtu) noexcept {
    return mtu + 14u + 8u;
}

} // namespace sluice::inline v1::net
