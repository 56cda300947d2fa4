// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What these tests map and unmap.
#pragma once

#include <cstdint>

inline constexpr std::uint64_t page = 4096;
