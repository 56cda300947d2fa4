// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A model's registers and PCI capabilities as data.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <sluice/device/inproc.hpp>

namespace sluice::inline v1::model {

/// One register of a model that is an `Owner`.
template <typename Owner>
struct RegisterRow {
    std::uint32_t offset; ///< in bytes; rows ascend
    unsigned width;       ///< in bytes
    std::uint64_t (Owner::*read)();
    void (Owner::*write)(std::uint64_t value); ///< null: read only
};

/// Reads `width` bytes at `offset`. A register is read once however many of its bytes are asked for; bytes of
/// none are zero.
template <typename Owner>
std::uint64_t read_registers(Owner& owner, std::span<const RegisterRow<Owner>> rows, std::uint64_t offset,
                             unsigned width) {
    std::uint64_t value = 0;
    for (const auto& row : rows) {
        if (row.offset >= offset + width || row.offset + row.width <= offset)
            continue;
        const std::uint64_t held = (owner.*row.read)();
        value |= row.offset >= offset ? held << 8 * (row.offset - offset) : held >> 8 * (offset - row.offset);
    }
    return width < 8 ? value & ((std::uint64_t{1} << 8 * width) - 1) : value;
}

/// Writes the registers that lie in [offset, offset + width) as a whole; others are left alone.
template <typename Owner>
void write_registers(Owner& owner, std::span<const RegisterRow<Owner>> rows, std::uint64_t offset,
                     unsigned width, std::uint64_t value) {
    for (const auto& row : rows) {
        if (row.write == nullptr || row.offset < offset || row.offset + row.width > offset + width)
            continue;
        const std::uint64_t part = value >> 8 * (row.offset - offset);
        (owner.*row.write)(row.width < 8 ? part & ((std::uint64_t{1} << 8 * row.width) - 1) : part);
    }
}

/// A PCI capability: its bytes behind id and next pointer, and which bits of them a write changes.
struct Capability {
    std::uint8_t id = 0;
    std::vector<std::uint8_t> body;
    std::vector<std::uint8_t> writable{};
};

/// MSI-X (PCI Local Bus 3.0 §6.8.2) with `vectors` entries, table and pending bits in one BAR.
Capability msix_capability(unsigned vectors, unsigned bar, std::uint32_t table, std::uint32_t pending);

/// Puts them into the image, in this order. ENOSPC: they do not fit.
Result<> add_capabilities(device::inproc::ConfigImage& image, std::span<const Capability> capabilities);

} // namespace sluice::inline v1::model
