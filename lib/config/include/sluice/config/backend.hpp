// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Raw access to a function's configuration space. PCI Express Base §7.2, PCI Local Bus 3.0 §3.2.2.3.
#pragma once

#include <cstdint>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::config {

/// Sizes of configuration space in bytes.
inline constexpr std::uint32_t conventional_size = 256;
inline constexpr std::uint32_t extended_size = 4096;

/// Raw configuration space of one function: what a transport implements and config::Space mediates.
///
/// The Space calls it with `width` 1, 2 or 4, `offset` a multiple of `width` and below `size()`; values are
/// in the host's order, and the bits above the width are zero. One thread at a time.
class Backend {
  public:
    virtual ~Backend() = default;

    /// 256 or 4096. Does not change.
    virtual std::uint32_t size() const noexcept = 0;

    /// The value, or the errno that the access failed with.
    virtual Result<std::uint32_t> read(std::uint32_t offset, unsigned width) = 0;

    virtual Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) = 0;
};

} // namespace sluice::inline v1::config
