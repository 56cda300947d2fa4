// SPDX-License-Identifier: BSD-3-Clause
// The two lists as the strict policy walks them: first every header, each once, then the lengths, each cut at
// the next header, and last the list that the user sees. PCI Local Bus 3.0 §6.7, PCI Express Base §7.6.3.
#include <algorithm>

#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

/// Keys of bytes that belong to no visible capability, and of a vendor-specific capability's header.
constexpr std::uint16_t hidden_key = 0x8000;
constexpr std::uint16_t vendor_header_key = 0x4000;

struct Header {
    std::uint16_t offset;
    std::uint16_t id;
};

/// The headers of a list in its order, and where they stand.
struct List {
    std::vector<Header> headers;
    std::array<bool, extended_size / 4> taken{};

    bool add(std::uint32_t offset, std::uint32_t id) {
        if (taken[offset / 4])
            return false;
        taken[offset / 4] = true;
        headers.push_back({static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(id)});
        return true;
    }
    /// Where the next header behind `offset` stands, or `end`.
    std::uint32_t limit(std::uint32_t offset, std::uint32_t end) const {
        for (offset += 4; offset < end && !taken[offset / 4];)
            offset += 4;
        return offset;
    }
};

void set_bytes(Space::State& state, std::uint32_t from, std::uint32_t to, const ByteRule& rule,
               std::uint8_t owner) {
    state.touch(from, to - from);
    for (std::uint32_t byte = from; byte < to; ++byte) {
        state.byte_rules[byte] = rule;
        state.owner[byte] = owner;
        state.set_masks(byte, {});
    }
}

void hide(Space::State& state, const Header& header, std::uint32_t limit, const Capability* table) {
    std::uint32_t end = limit;
    if (table != nullptr && table->length != 0)
        end = std::min<std::uint32_t>(limit, header.offset + table->length);
    const auto key = static_cast<std::uint16_t>(hidden_key + header.offset);
    set_bytes(state, header.offset, end, {key, header.offset, ReadKind::zero, WriteKind::none, 1},
              owner_none);
}

/// Gives a visible capability its bytes.
Result<void> claim(Space::State& state, const Header& header, std::uint32_t length, std::uint32_t limit,
                   std::uint32_t end, const Capability* table) {
    length = std::max<std::uint32_t>(length, table->minimum);
    if (header.offset + length > limit) {
        state.report(limit == end ? DiagnosticKind::overrun : DiagnosticKind::cut, header.offset, header.id);
        length = limit - header.offset;
    }
    state.touch(header.offset, length);
    for (std::uint32_t byte = header.offset; byte < header.offset + length; ++byte) {
        state.owner[byte] = static_cast<std::uint8_t>(header.id);
        state.flatten(byte, header.offset, table);
        ByteRule& rule = state.byte_rules[byte];
        rule.key = header.offset;
        if (table->write == WriteKind::raw && byte < header.offset + table->minimum) {
            rule.key = static_cast<std::uint16_t>(header.offset + vendor_header_key);
            rule.write = WriteKind::none;
        }
    }
    return state.fill(header.offset, length);
}

} // namespace

Result<void> Space::State::walk_standard_strict() {
    auto status = raw_read(header::status, 2);
    if (!status)
        return propagate<std::uint32_t>(std::move(status));
    if ((*status & header::status_capability_list) == 0)
        return {};
    auto pointer = raw_read(header::capability_pointer, 1);
    if (!pointer)
        return propagate<std::uint32_t>(std::move(pointer));
    List list;
    for (std::uint32_t offset = *pointer & ~3U; offset != 0;) {
        if (offset < header::end) {
            report(DiagnosticKind::bad_pointer, offset);
            break;
        }
        auto head = raw_read(offset, 2);
        if (!head)
            return propagate<std::uint32_t>(std::move(head));
        if (*head == 0xffff) {
            report(DiagnosticKind::bad_pointer, offset);
            break;
        }
        if (!list.add(offset, *head & 0xff)) {
            report(DiagnosticKind::loop, offset);
            break;
        }
        offset = *head >> 8 & ~3U;
    }

    std::uint32_t previous = header::capability_pointer;
    shadow_set(previous, 1, 0);
    for (const Header& header : list.headers) {
        const auto id = static_cast<std::uint8_t>(header.id);
        const Capability* table = find_table(id, false);
        const std::uint32_t limit = list.limit(header.offset, conventional_size);
        auto length = standard_length(id, header.offset);
        if (!length)
            return propagate<unsigned>(std::move(length));
        if (*length == 0) {
            report(DiagnosticKind::hidden, header.offset, id);
            hide(*this, header, limit, table);
            continue;
        }
        if (id == standard_id::msi)
            table = msi;
        if (auto claimed = claim(*this, header, *length, limit, conventional_size, table); !claimed)
            return claimed;
        if (id == standard_id::power_management && *length <= limit - header.offset)
            clear_power_events(header.offset);
        shadow_set(header.offset + 1U, 1, 0);
        shadow_set(previous, 1, header.offset);
        previous = header.offset + 1U;
    }
    if (previous == header::capability_pointer)
        shadow_set(header::status, 2,
                   shadow_get(header::status, 2) & ~std::uint32_t{header::status_capability_list});
    return {};
}

Result<void> Space::State::walk_extended_strict() {
    constexpr std::uint32_t next_mask = 0xfffU << 20;
    if (size == conventional_size)
        return {};
    List list;
    for (std::uint32_t offset = conventional_size; offset != 0;) {
        if (offset < conventional_size) {
            report(DiagnosticKind::bad_pointer, offset);
            break;
        }
        auto head = raw_read(offset, 4);
        if (!head)
            return propagate<std::uint32_t>(std::move(head));
        if (*head == 0 || *head == ones(4)) {
            if (offset != conventional_size)
                report(DiagnosticKind::bad_pointer, offset);
            break;
        }
        if (!list.add(offset, *head & 0xffff)) {
            report(DiagnosticKind::loop, offset);
            break;
        }
        offset = *head >> 20 & ~3U;
    }
    extended = !list.headers.empty();

    std::uint32_t previous = conventional_size;
    for (const Header& header : list.headers) {
        const Capability* table = find_table(header.id, true);
        const std::uint32_t limit = list.limit(header.offset, size);
        auto length = extended_length(header.id, header.offset);
        if (!length)
            return propagate<unsigned>(std::move(length));
        if (*length == 0) {
            report(DiagnosticKind::hidden_extended, header.offset, header.id);
            hide(*this, header, limit, table != nullptr && !table->visible ? table : nullptr);
            if (header.offset == conventional_size) {
                set_bytes(*this, conventional_size, conventional_size + 4,
                          {conventional_size, conventional_size, ReadKind::placeholder, WriteKind::none, 1},
                          owner_none);
                shadow_set(conventional_size, 4, 0);
            }
            continue;
        }
        if (auto claimed = claim(*this, header, *length, limit, size, table); !claimed)
            return claimed;
        shadow_set(header.offset, 4, shadow_get(header.offset, 4) & ~next_mask);
        if (header.offset != conventional_size)
            shadow_set(previous, 4,
                       (shadow_get(previous, 4) & ~next_mask) | std::uint32_t{header.offset} << 20);
        previous = header.offset;
    }
    return {};
}

} // namespace sluice::inline v1::config
