// SPDX-License-Identifier: BSD-3-Clause
// The access path: pieces that never cross a dword or an owner, and the two merges.
#include <algorithm>

#include "merge.hpp"

namespace sluice::inline v1::config {

/// Says of each byte how many from it on may be accessed together: those of its dword with the same key.
void Space::State::join_bytes() noexcept {
    for (std::uint32_t block = 0; block < size; block += block_size) {
        if (!touched[block / block_size])
            continue;
        for (std::uint32_t offset = block + block_size; offset-- != block;) {
            const bool joined = offset % 4 != 3 && byte_rules[offset + 1].key == byte_rules[offset].key;
            byte_rules[offset].together =
                joined ? static_cast<std::uint8_t>(byte_rules[offset + 1].together + 1) : 1;
        }
    }
}

/// How many of the next bytes one access may cover: 1, 2 or 4.
unsigned Space::State::piece(std::uint32_t offset, std::size_t remaining) const noexcept {
    const std::size_t count = std::min<std::size_t>(byte_rules[offset].together, remaining);
    if (count == 4)
        return 4;
    return count >= 2 && offset % 2 == 0 ? 2 : 1;
}

Result<std::uint32_t> Space::State::read_merged(std::uint32_t offset, unsigned width) {
    if (width == 4)
        return merge_read<4>(*this, offset);
    return width == 2 ? merge_read<2>(*this, offset) : merge_read<1>(*this, offset);
}

/// Hardware, with the header that the list edits touch from the shadow.
Result<std::uint32_t> Space::State::read_direct(std::uint32_t offset, unsigned width) {
    auto value = backend->read(offset, width);
    if (!value)
        return value;
    const std::uint32_t within = offset - byte_rules[offset].start;
    std::uint32_t from_shadow = 0;
    if (offset >= conventional_size) {
        if (within < 4)
            from_shadow = ones(width);
    } else if (offset >= header::end) {
        if (within == 0 && width > 1)
            from_shadow = ones(2);
        else if (within == 1)
            from_shadow = ones(1);
    }
    return (*value & ~from_shadow) | (load(shadow.data() + offset, width) & from_shadow);
}

Result<std::uint32_t> Space::State::read_piece(std::uint32_t offset, unsigned width) {
    switch (byte_rules[offset].read) {
    case ReadKind::merge:
        return read_merged(offset, width);
    case ReadKind::direct:
        return read_direct(offset, width);
    case ReadKind::raw:
        return backend->read(offset, width);
    case ReadKind::shadow:
    case ReadKind::placeholder:
        return load(shadow.data() + offset, width);
    case ReadKind::header:
        return read_header(offset, width);
    case ReadKind::msi:
        return read_msi(offset, width);
    case ReadKind::zero:
        break;
    }
    return 0U;
}

Result<void> Space::State::write_merged(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (width == 4)
        return merge_write<4>(*this, offset, value);
    return width == 2 ? merge_write<2>(*this, offset, value) : merge_write<1>(*this, offset, value);
}

Result<void> Space::State::write_piece(std::uint32_t offset, unsigned width, std::uint32_t value) {
    switch (byte_rules[offset].write) {
    case WriteKind::none:
        break;
    case WriteKind::merge:
        return write_merged(offset, width, value);
    case WriteKind::raw:
        return backend->write(offset, width, value);
    case WriteKind::shadow:
        store(shadow.data() + offset, width, value);
        break;
    case WriteKind::header:
        return write_header(offset, width, value);
    case WriteKind::power:
        return write_power(offset, width, value);
    case WriteKind::vpd:
        return write_vpd(offset, width, value);
    case WriteKind::msi:
        return write_msi(offset, width, value);
    case WriteKind::express:
        return write_express(offset, width, value);
    case WriteKind::advanced_features:
        return write_advanced_features(offset, width, value);
    }
    return {};
}

} // namespace sluice::inline v1::config
