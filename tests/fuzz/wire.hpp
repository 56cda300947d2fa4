// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Raw ends of vfio-user connections for fuzzers.
#pragma once

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "../unit/vfio_user/wire.hpp"
#include "descriptors.hpp"

namespace sluice::fuzz {

inline void must_hold(bool holds) {
    if (!holds)
        std::abort();
}

/// Sends what the socket takes now, `fds` with the first byte.
inline bool send_some(int socket, std::span<const std::uint8_t> bytes, std::span<const int> fds) {
    return test::send_raw(socket, std::as_bytes(bytes), fds, MSG_DONTWAIT);
}

} // namespace sluice::fuzz
