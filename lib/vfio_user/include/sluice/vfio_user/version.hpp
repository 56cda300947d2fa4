// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The VERSION message: what both sides say first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::vfio_user {

inline constexpr std::uint16_t our_major = 0;
inline constexpr std::uint16_t our_minor = 2;

struct TwinSocket {
    bool supported = false;
    std::uint32_t fd_index = 0; ///< among the descriptors of the reply
};

/// A peer's version and capabilities. Peers leave out any of them, or all the JSON.
struct Version {
    std::uint16_t major = our_major;
    std::uint16_t minor = our_minor;
    Limits limits;
    std::uint64_t pgsizes = 4096; ///< bitmap of DMA page sizes
    bool write_multiple = false;
    std::optional<TwinSocket> twin_socket; ///< none: not spoken of
    bool has_json = true;                  ///< false: VersionHead alone
};

/// The message's payload.
std::vector<std::byte> encode(const Version& version);

/// EINVAL: shorter than VersionHead, longer than max_json, JSON without its NUL, that is no JSON, no object,
/// or has a capability of the wrong type or out of range. Unknown members are passed over, as is the obsolete
/// `migration`.
Result<Version> parse_version(std::span<const std::byte> payload);

/// What both sides keep to: the smaller of each limit, and the smaller minor version. EPROTO: the majors
/// differ.
Result<Version> agree(const Version& ours, const Version& theirs);

} // namespace sluice::inline v1::vfio_user
