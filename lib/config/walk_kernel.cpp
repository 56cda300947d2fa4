// SPDX-License-Identifier: BSD-3-Clause
// The two lists as vfio-pci walks them: unmasked pointers, a step limit in place of a memory of what was
// seen, and later capabilities that take bytes from earlier ones.
#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr unsigned standard_steps = 48;
constexpr unsigned extended_steps = (extended_size - conventional_size) / 4;
constexpr std::uint32_t no_predecessor = 0;

} // namespace

/// Gives [offset, offset + length) to `id`, as far as there is space, and fills the shadow.
Result<void> Space::State::claim_kernel(std::uint32_t offset, std::uint32_t length, std::uint8_t id,
                                        bool is_extended, std::uint32_t wide_id) {
    if (offset + length > size) {
        report(DiagnosticKind::overrun, offset, wide_id);
        length = size - offset;
    }
    for (std::uint32_t byte = offset; byte < offset + length; ++byte) {
        if (owner[byte] != owner_none)
            report(is_extended ? DiagnosticKind::overlap_extended : DiagnosticKind::overlap, byte, wide_id,
                   owner[byte]);
        owner[byte] = id;
    }
    touch(offset, length);
    return fill(offset, length);
}

Result<void> Space::State::walk_standard_kernel() {
    auto status = raw_read(header::status, 2);
    if (!status)
        return propagate<std::uint32_t>(std::move(status));
    if ((*status & header::status_capability_list) == 0)
        return {};
    auto pointer = raw_read(header::capability_pointer, 1);
    if (!pointer)
        return propagate<std::uint32_t>(std::move(pointer));
    std::uint32_t offset = *pointer;
    std::uint32_t previous = header::capability_pointer;
    unsigned shown = 0;
    for (unsigned step = 0; offset != 0 && step < standard_steps; ++step) {
        auto id = raw_read(offset, 1);
        if (!id)
            return propagate<std::uint32_t>(std::move(id));
        auto next = raw_read(offset + 1, 1);
        if (!next)
            return propagate<std::uint32_t>(std::move(next));
        const auto id8 = static_cast<std::uint8_t>(*id);
        auto length = standard_length(id8, offset);
        if (!length)
            return propagate<unsigned>(std::move(length));
        if (*length == 0) {
            report(DiagnosticKind::hidden, offset, id8);
            shadow_set(previous, 1, *next);
            offset = *next;
            continue;
        }
        if (auto claimed = claim_kernel(offset, *length, id8, false, id8); !claimed)
            return claimed;
        if (id8 == standard_id::power_management)
            clear_power_events(offset);
        previous = offset + 1;
        offset = *next;
        ++shown;
    }
    if (shown == 0)
        shadow_set(header::status, 2,
                   shadow_get(header::status, 2) & ~std::uint32_t{header::status_capability_list});
    return {};
}

Result<void> Space::State::walk_extended_kernel() {
    if (!extended)
        return {};
    std::uint32_t offset = conventional_size;
    std::uint32_t previous = no_predecessor;
    unsigned shown = 0;
    for (unsigned step = 0; offset >= conventional_size && step < extended_steps; ++step) {
        auto head = raw_read(offset, 4);
        if (!head)
            return propagate<std::uint32_t>(std::move(head));
        const auto id = static_cast<std::uint16_t>(*head & 0xffff);
        const std::uint32_t next = *head >> 20 & 0xffc;
        auto length = extended_length(id, offset);
        if (!length)
            return propagate<unsigned>(std::move(length));
        bool placeholder = false;
        if (*length == 0) {
            report(DiagnosticKind::hidden_extended, offset, id);
            if (previous != no_predecessor) {
                shadow_set(previous, 4, (shadow_get(previous, 4) & ~(0xffcU << 20)) | next << 20);
                offset = next;
                continue;
            }
            placeholder = true;
            *length = 4;
        }
        if (auto claimed = claim_kernel(offset, *length, static_cast<std::uint8_t>(id), true, id); !claimed)
            return claimed;
        if (placeholder)
            shadow_set(offset, 4, shadow_get(offset, 4) & (0xffcU << 20));
        else
            ++shown;
        previous = offset;
        offset = next;
    }
    if (shown == 0)
        shadow_set(conventional_size, 4, 0);
    return {};
}

} // namespace sluice::inline v1::config
