// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Splitting a region access into what a bus can carry.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::device {

/// Calls `access(offset, width)` for [offset, offset + size) in ascending, naturally aligned pieces of 1, 2,
/// 4 or 8 bytes, each as wide as fits. Stops at the first error.
template <typename Access>
Result<> for_each_piece(std::uint64_t offset, std::size_t size, Access access) {
    while (size > 0) {
        unsigned width = 8;
        while (width > size || offset % width != 0)
            width /= 2;
        Result<> done = access(offset, width);
        if (!done)
            return done;
        offset += width;
        size -= width;
    }
    return {};
}

} // namespace sluice::inline v1::device
