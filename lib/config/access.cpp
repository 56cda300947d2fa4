// SPDX-License-Identifier: BSD-3-Clause
// The access path: pieces that never cross a dword or an owner, and the two merges.
#include <cerrno>

#include "state.hpp"

namespace sluice::inline v1::config {

/// How many of the next bytes one access may cover: 1, 2 or 4.
unsigned Space::State::piece(std::uint32_t offset, std::size_t remaining) const noexcept {
    const std::uint32_t boundary = (offset | 3U) + 1;
    const std::uint32_t most =
        remaining < boundary - offset ? static_cast<std::uint32_t>(remaining) : boundary - offset;
    std::uint32_t count = 1;
    while (count < most && byte_rules[offset + count].key == byte_rules[offset].key)
        ++count;
    if (count == 4)
        return 4;
    return count >= 2 && offset % 2 == 0 ? 2 : 1;
}

Result<std::uint32_t> Space::State::read_merged(std::uint32_t offset, unsigned width) {
    const std::uint32_t in_shadow = load(&virt[offset], width);
    if (in_shadow == ones(width))
        return load(&shadow[offset], width);
    auto value = backend->read(offset, width);
    if (value && in_shadow != 0)
        *value = (*value & ~in_shadow) | (load(&shadow[offset], width) & in_shadow);
    return value;
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
    return (*value & ~from_shadow) | (load(&shadow[offset], width) & from_shadow);
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
        return load(&shadow[offset], width);
    case ReadKind::header:
        return read_header(offset, width);
    case ReadKind::msi:
        return read_msi(offset, width);
    case ReadKind::zero:
        break;
    }
    return 0U;
}

std::uint32_t Space::State::clears_at(std::uint32_t offset, unsigned width) const noexcept {
    return has(Rule::keep_write_one_to_clear) ? load(&clears[offset], width) : 0;
}

/// The shadow takes its bits first; hardware is read, changed where the user may, and written back.
Result<void> Space::State::write_merged(std::uint32_t offset, unsigned width, std::uint32_t value) {
    const std::uint32_t may = load(&writable[offset], width);
    if (may == 0)
        return {};
    const std::uint32_t in_shadow = load(&virt[offset], width);
    if ((may & in_shadow) != 0) {
        const std::uint32_t changed = may & in_shadow;
        store(&shadow[offset], width, (load(&shadow[offset], width) & ~changed) | (value & changed));
    }
    const std::uint32_t passed = may & ~in_shadow;
    if (passed == 0)
        return {};
    auto physical = backend->read(offset, width);
    if (!physical)
        return propagate<std::uint32_t>(std::move(physical));
    const std::uint32_t merged = (*physical & ~passed) | (value & passed);
    return backend->write(offset, width, merged & ~(clears_at(offset, width) & ~(value & passed)));
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
        store(&shadow[offset], width, value);
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
