// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The permission tables as data: which capability has which registers, and what a user may do to each bit.
///
/// One file of lib/config/caps/ states one capability. `table()` checks its rows when it is compiled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <sluice/config/policy.hpp>

namespace sluice::inline v1::config {

/// One register of a capability. Masks have one bit per register bit, lowest byte first.
struct Row {
    std::string_view field;   ///< the specification's name
    std::uint16_t offset;     ///< bytes from the capability's start
    std::uint8_t width;       ///< 1, 2 or 4 bytes
    std::uint32_t virt;       ///< ones: the bit lives in the shadow
    std::uint32_t write;      ///< ones: the user may change it
    std::string_view reason;  ///< why it is so
    std::uint32_t clears = 0; ///< bits that hardware clears when a one is written
    Rule rule = Rule::count_; ///< the rule of the strict policy that replaces the masks, if any
    std::uint32_t strict_virt = 0;
    std::uint32_t strict_write = 0;

    /// The same row with write-one-to-clear bits.
    constexpr Row write_one_clears(std::uint32_t bits) const {
        Row row = *this;
        row.clears = bits;
        return row;
    }
    /// The same row with other masks under `by`.
    constexpr Row strict(Rule by, std::uint32_t virt_mask, std::uint32_t write_mask) const {
        Row row = *this;
        row.rule = by;
        row.strict_virt = virt_mask;
        row.strict_write = write_mask;
        return row;
    }
    constexpr std::uint32_t virt_under(RuleSet rules) const {
        return rule != Rule::count_ && rules.has(rule) ? strict_virt : virt;
    }
    constexpr std::uint32_t write_under(RuleSet rules) const {
        return rule != Rule::count_ && rules.has(rule) ? strict_write : write;
    }
};

/// How a capability's bytes are read.
enum class ReadKind : std::uint8_t {
    merge,      ///< shadow and hardware by the virt mask
    direct,     ///< hardware, but the header (id and next) from the shadow
    raw,        ///< hardware
    shadow,     ///< the shadow
    header,     ///< merge, with BAR sizing and COMMAND.MEMORY
    msi,        ///< merge, with the multiple-message limit
    zero,       ///< zero
    placeholder ///< the shadow, read-only
};

/// How a capability's bytes are written.
enum class WriteKind : std::uint8_t {
    none,              ///< dropped
    merge,             ///< by the masks
    raw,               ///< to hardware
    shadow,            ///< to the shadow
    header,            ///< merge, with COMMAND's and the BARs' effects
    power,             ///< merge, then the power state
    vpd,               ///< merge, then a VPD access
    msi,               ///< merge, then the vectors' limit
    express,           ///< merge, then reset and read request
    advanced_features, ///< merge, then reset
};

struct Capability {
    std::string_view name;
    std::string_view specification;
    std::uint16_t id;
    bool extended;
    bool visible;         ///< false: hidden from the user, `length` says how far it reaches (0: unknown)
    std::uint16_t length; ///< bytes; 0 if it depends on the device
    std::string_view length_text;
    ReadKind read;
    WriteKind write;
    std::span<const Row> rows;
    std::uint8_t minimum; ///< bytes of header that it owns at least under Rule::short_capability
};

/// Masks of one byte.
struct ByteMasks {
    std::uint8_t virt = 0;
    std::uint8_t write = 0;
    std::uint8_t clears = 0;
};

/// Checks that `rows` are ascending, aligned to their width, apart from each other and within `length`, and
/// that no mask is wider than its register. What fails does not compile.
template <std::size_t count>
consteval std::array<Row, count> table(std::uint32_t length, const Row (&rows)[count]) {
    std::array<Row, count> checked{};
    std::uint32_t end = 0;
    for (std::size_t index = 0; index < count; ++index) {
        const Row& row = rows[index];
        if (row.width != 1 && row.width != 2 && row.width != 4)
            throw "a register is 1, 2 or 4 bytes wide";
        if (row.offset % row.width != 0)
            throw "a register is misaligned";
        if (row.offset < end)
            throw "registers overlap or are out of order";
        end = row.offset + row.width;
        if (end > length)
            throw "a register runs past the capability's end";
        const std::uint32_t outside = row.width == 4 ? 0 : ~0U << (8 * row.width);
        if (((row.virt | row.write | row.clears | row.strict_virt | row.strict_write) & outside) != 0)
            throw "a mask is wider than its register";
        if (row.field.empty() || row.reason.empty())
            throw "a register has a name and a reason";
        checked[index] = row;
    }
    return checked;
}

/// The standard header, 40h bytes.
extern const Capability header_table;

/// MSI in its four forms.
const Capability& msi_table(bool address_64bit, bool per_vector_mask) noexcept;

/// The table for an id, or null for ids that no table names. For MSI the longest form.
const Capability* find_table(std::uint16_t id, bool extended) noexcept;

/// Every table for documentation and tools: the header, the standard ones with all forms of MSI, the extended
/// ones; hidden capabilities included.
std::span<const Capability* const> all_tables() noexcept;

/// The masks of the byte at `offset` of a capability. Bytes that no row names are read-only.
ByteMasks masks_at(const Capability& table, std::uint32_t offset, RuleSet rules) noexcept;

} // namespace sluice::inline v1::config
