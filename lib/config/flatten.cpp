// SPDX-License-Identifier: BSD-3-Clause
// From capabilities to bytes: each byte's masks and treatment, so that an access looks nothing up.
#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr ByteRule unowned(std::uint32_t offset, bool read_only) {
    return {owner_none, static_cast<std::uint16_t>(offset), ReadKind::raw,
            read_only ? WriteKind::none : WriteKind::raw};
}

constexpr std::uint16_t last_extended_id = 0x2e;

} // namespace

/// Where the kernel takes the capability of `offset` to begin: it walks back over bytes with the same owner.
std::uint32_t Space::State::region_start(std::uint32_t offset) const noexcept {
    const std::uint32_t base = offset >= conventional_size ? conventional_size : header::end;
    if (owner[offset] == 0)
        return 0;
    while (offset > base && owner[offset - 1] == owner[offset])
        --offset;
    return offset;
}

/// Applies `table` to the byte at `offset` of a capability that begins at `start`; null: header shown, no
/// writes.
void Space::State::flatten(std::uint32_t offset, std::uint32_t start, const Capability* table) noexcept {
    ByteRule& rule = byte_rules[offset];
    rule.key = owner[offset];
    rule.start = static_cast<std::uint16_t>(start);
    virt[offset] = writable[offset] = clears[offset] = 0;
    if (table == nullptr || !table->visible) {
        rule.read = ReadKind::direct;
        rule.write = WriteKind::none;
        return;
    }
    rule.read = table->read;
    rule.write = table->write;
    const ByteMasks masks = masks_at(*table, offset - start, rules);
    virt[offset] = masks.virt;
    writable[offset] = masks.write;
    clears[offset] = masks.clears;
}

/// The kernel's view: which table a byte follows is decided by its owner and by where it is.
void Space::State::flatten_by_owner() noexcept {
    const std::uint32_t count = size;
    for (std::uint32_t offset = 0; offset < count; ++offset) {
        const std::uint8_t id = owner[offset];
        virt[offset] = writable[offset] = clears[offset] = 0;
        if (id == owner_none) {
            byte_rules[offset] = unowned(offset, has(Rule::unowned_read_only));
            continue;
        }
        if (id == owner_virtual) {
            byte_rules[offset] = {owner_virtual, static_cast<std::uint16_t>(offset), ReadKind::shadow,
                                  WriteKind::shadow};
            continue;
        }
        const std::uint32_t start = region_start(offset);
        const Capability* table = nullptr;
        if (offset >= conventional_size)
            table = id <= last_extended_id ? find_table(id, true) : nullptr;
        else if (id == 0)
            table = &header_table;
        else
            table = id == standard_id::msi ? msi : find_table(id, false);
        if (offset >= conventional_size && id == extended_id::dvsec && policy == Policy::kernel_6_1)
            table = nullptr;
        flatten(offset, start, table);
    }
}

} // namespace sluice::inline v1::config
