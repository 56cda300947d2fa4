// SPDX-License-Identifier: BSD-3-Clause
// From capabilities to bytes: each byte's masks and treatment, so that an access looks nothing up.
#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr ByteRule unowned(bool read_only) {
    return {owner_none, 0, ReadKind::raw, read_only ? WriteKind::none : WriteKind::raw, 1};
}

constexpr std::uint16_t last_extended_id = 0x2e;

} // namespace

void Space::State::set_masks(std::uint32_t offset, const ByteMasks& masks) noexcept {
    virt[offset] = masks.virt;
    kept[offset] = masks.write & masks.virt;
    passed[offset] = static_cast<std::uint8_t>(masks.write & ~masks.virt);
    clears[offset] = has(Rule::keep_write_one_to_clear) ? masks.clears : std::uint8_t{0};
}

/// Applies `table` to the byte at `offset` of a capability that begins at `start`; null: header shown, no
/// writes.
void Space::State::flatten(std::uint32_t offset, std::uint32_t start, const Capability* table) noexcept {
    ByteRule& rule = byte_rules[offset];
    rule.key = owner[offset];
    rule.start = static_cast<std::uint16_t>(start);
    set_masks(offset, {});
    if (table == nullptr || !table->visible) {
        rule.read = ReadKind::direct;
        rule.write = WriteKind::none;
        return;
    }
    rule.read = table->read;
    rule.write = table->write;
    set_masks(offset, masks_at(*table, offset - start, rules));
}

/// The kernel's view: which table a byte follows is decided by its owner and by where it is. A capability
/// begins where the bytes before it have another owner, or with its part of configuration space.
void Space::State::flatten_by_owner() noexcept {
    std::uint32_t start = 0;
    for (std::uint32_t block = 0; block < size; block += block_size) {
        if (!touched[block / block_size])
            continue;
        for (std::uint32_t offset = block; offset < block + block_size; ++offset)
            start = flatten_owned(offset, start);
    }
}

/// Flattens one byte; `start` is where the capability of the byte before began. Returns its own.
std::uint32_t Space::State::flatten_owned(std::uint32_t offset, std::uint32_t start) noexcept {
    const std::uint8_t id = owner[offset];
    if (id == owner_none || id == owner_virtual) {
        set_masks(offset, {});
        byte_rules[offset] = unowned(has(Rule::unowned_read_only));
        if (id == owner_virtual)
            byte_rules[offset] = {owner_virtual, 0, ReadKind::shadow, WriteKind::shadow, 1};
        return start;
    }
    if (id == 0)
        start = 0;
    else if (offset <= header::end || offset == conventional_size || owner[offset - 1] != id)
        start = offset;
    flatten(offset, start, owning_table(offset, id));
    return start;
}

/// Notes that bytes were given to somebody, and leaves the rest of the space alone.
void Space::State::touch(std::uint32_t offset, std::uint32_t length) noexcept {
    for (std::uint32_t block = offset / block_size; block * block_size < offset + length; ++block)
        touched[block] = true;
}

const Capability* Space::State::owning_table(std::uint32_t offset, std::uint8_t id) const noexcept {
    if (offset >= conventional_size) {
        if (id > last_extended_id || (id == extended_id::dvsec && policy == Policy::kernel_6_1))
            return nullptr;
        return find_table(id, true);
    }
    if (id == 0)
        return &header_table;
    return id == standard_id::msi ? msi : find_table(id, false);
}

} // namespace sluice::inline v1::config
