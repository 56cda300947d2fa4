// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The two merges, in line for accesses of a width known when compiled.
#pragma once

#include "state.hpp"

namespace sluice::inline v1::config {

/// Out of the way of accesses that succeed.
[[gnu::noinline, gnu::cold]] inline Result<void> hand_on(Error& error) {
    return tl::unexpected<Error>(std::move(error));
}

template <unsigned width>
[[gnu::always_inline]] inline Result<std::uint32_t> merge_read(Space::State& state, std::uint32_t offset) {
    const std::uint32_t in_shadow = load(state.virt.data() + offset, width);
    if (in_shadow == ones(width))
        return load(state.shadow.data() + offset, width);
    auto value = state.backend->read(offset, width);
    if (value && in_shadow != 0) [[unlikely]]
        *value = (*value & ~in_shadow) | (load(state.shadow.data() + offset, width) & in_shadow);
    return value;
}

/// The shadow takes its bits first; hardware is read, changed where the user may, and written back.
template <unsigned width>
[[gnu::always_inline]] inline Result<void> merge_write(Space::State& state, std::uint32_t offset,
                                                       std::uint32_t value) {
    if (const std::uint32_t kept = load(state.kept.data() + offset, width); kept != 0) [[unlikely]] {
        std::uint8_t* shadow = state.shadow.data() + offset;
        store(shadow, width, (load(shadow, width) & ~kept) | (value & kept));
    }
    const std::uint32_t passed = load(state.passed.data() + offset, width);
    if (passed == 0)
        return {};
    value &= passed;
    auto physical = state.backend->read(offset, width);
    if (!physical) [[unlikely]]
        return hand_on(physical.error());
    const std::uint32_t kept_as_read = *physical & ~passed & ~load(state.clears.data() + offset, width);
    return state.backend->write(offset, width, kept_as_read | value);
}

} // namespace sluice::inline v1::config
