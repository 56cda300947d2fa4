// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Why memory could not be pinned.
#pragma once

#include <cstdint>
#include <string>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>

namespace sluice::inline v1::device {

/// What a process has locked, and may lock, in bytes.
struct LockedMemory {
    std::uint64_t locked = 0;
    std::uint64_t limit = 0; ///< UINT64_MAX: none

    static LockedMemory of_this_process();
};

/// The Error for a kernel's refusal, errno `code`, to pin and map `size` bytes at `iova`. `locked` tells what
/// had been locked before.
Error map_error(int code, Iova iova, std::uint64_t size, const LockedMemory& locked);

} // namespace sluice::inline v1::device
