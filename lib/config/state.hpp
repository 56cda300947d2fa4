// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What stands behind config::Space.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include <sluice/base/endian.hpp>
#include <sluice/config/space.hpp>
#include <sluice/config/tables.hpp>

namespace sluice::inline v1::config {

/// Registers of the header that have effects. PCI Local Bus 3.0 §6.2.
namespace header {
inline constexpr std::uint32_t command = 0x04;
inline constexpr std::uint16_t command_io = 0x0001;
inline constexpr std::uint16_t command_memory = 0x0002;
inline constexpr std::uint16_t command_master = 0x0004;
inline constexpr std::uint16_t command_intx_disable = 0x0400;
inline constexpr std::uint32_t status = 0x06;
inline constexpr std::uint16_t status_capability_list = 0x0010;
inline constexpr std::uint32_t first_bar = 0x10;
inline constexpr std::uint32_t rom = 0x30;
inline constexpr std::uint32_t capability_pointer = 0x34;
inline constexpr std::uint32_t interrupt_pin = 0x3d;
inline constexpr std::uint32_t end = 0x40;
} // namespace header

namespace standard_id {
inline constexpr std::uint8_t power_management = 0x01;
inline constexpr std::uint8_t msi = 0x05;
inline constexpr std::uint8_t pcix = 0x07;
inline constexpr std::uint8_t hypertransport = 0x08;
inline constexpr std::uint8_t vendor = 0x09;
inline constexpr std::uint8_t express = 0x10;
inline constexpr std::uint8_t sata = 0x12;
inline constexpr std::uint8_t advanced_features = 0x13;
} // namespace standard_id

namespace extended_id {
inline constexpr std::uint16_t vc = 0x02;
inline constexpr std::uint16_t mfvc = 0x08;
inline constexpr std::uint16_t vc9 = 0x09;
inline constexpr std::uint16_t vsec = 0x0b;
inline constexpr std::uint16_t acs = 0x0d;
inline constexpr std::uint16_t resizable_bar = 0x15;
inline constexpr std::uint16_t dpa = 0x16;
inline constexpr std::uint16_t tph = 0x17;
inline constexpr std::uint16_t dvsec = 0x23;
} // namespace extended_id

/// How one byte is treated. Bytes are accessed together while their `key` is equal.
struct ByteRule {
    std::uint16_t key;   ///< bytes with one key may be accessed in one piece
    std::uint16_t start; ///< where the byte's capability begins
    ReadKind read;
    WriteKind write;
    std::uint8_t together; ///< bytes from this one to the end of its dword that have its key: join_bytes()
};

struct Space::State {
    Backend* backend = nullptr;
    Effects* effects = nullptr;
    Facts facts;
    Policy policy = Policy::strict;
    RuleSet rules;
    std::uint32_t size = 0;

    // By byte of configuration space, for `size` of them; in place, so that an access finds them at once.
    // What lies behind is never read; disown_all() fills the rest.
    template <typename T>
    using PerByte = std::array<T, extended_size>;
    PerByte<std::uint8_t> owner;
    PerByte<std::uint8_t> shadow;
    PerByte<std::uint8_t> virt;   ///< bits that are read from the shadow
    PerByte<std::uint8_t> kept;   ///< bits that a write changes in the shadow
    PerByte<std::uint8_t> passed; ///< bits that a write changes in hardware
    PerByte<std::uint8_t> clears; ///< bits that a merged write must not set unless the user did
    PerByte<ByteRule> byte_rules;
    static constexpr std::uint32_t block_size = 64;
    std::array<bool, extended_size / block_size> touched{}; ///< blocks with bytes that have an owner

    std::array<std::uint32_t, 7> saved_bars{};
    bool bars_dirty = true;
    bool extended = false;
    bool intx_disabled = false;
    const Capability* msi = nullptr; ///< the kernel's one MSI table a device
    unsigned msi_limit = 0;          ///< log2 of the vectors allocated
    IrqType irq_type = IrqType::none;
    PowerState power_state = PowerState::d0;
    std::vector<Diagnostic> diagnostics;

    bool has(Rule rule) const noexcept { return rules.has(rule); }
    void report(DiagnosticKind kind, std::uint32_t offset, std::uint32_t id = 0, std::uint32_t previous = 0);

    // Raw hardware, with the answers of a bus for what is misaligned or outside.
    Result<std::uint32_t> raw_read(std::uint32_t offset, unsigned width);
    Result<void> raw_write(std::uint32_t offset, unsigned width, std::uint32_t value);

    // The shadow; what lies outside reads as zero and is dropped.
    std::uint32_t shadow_get(std::uint32_t offset, unsigned width) const noexcept;
    void shadow_set(std::uint32_t offset, unsigned width, std::uint32_t value) noexcept;

    void set_masks(std::uint32_t offset, const ByteMasks& masks) noexcept;

    // Building (build.cpp, lengths.cpp, walk_kernel.cpp, walk_strict.cpp, flatten.cpp).
    Result<void> build();
    void disown_all() noexcept;
    Result<void> fill(std::uint32_t offset, std::uint32_t length);
    void clear_power_events(std::uint32_t offset) noexcept;
    void probe_extended();
    Result<unsigned> standard_length(std::uint8_t id, std::uint32_t offset);
    Result<unsigned> extended_length(std::uint16_t id, std::uint32_t offset);
    Result<unsigned> express_length(std::uint32_t offset);
    Result<unsigned> msi_length(std::uint32_t offset);
    Result<unsigned> virtual_channel_length(std::uint32_t offset);
    Result<unsigned> access_control_length(std::uint32_t offset);
    Result<void> walk_standard_kernel();
    Result<void> walk_extended_kernel();
    Result<void> claim_kernel(std::uint32_t offset, std::uint32_t length, std::uint8_t id, bool is_extended,
                              std::uint32_t wide_id);
    Result<void> walk_standard_strict();
    Result<void> walk_extended_strict();
    void flatten_by_owner() noexcept;
    std::uint32_t flatten_owned(std::uint32_t offset, std::uint32_t start) noexcept;
    void touch(std::uint32_t offset, std::uint32_t length) noexcept;
    void flatten(std::uint32_t offset, std::uint32_t start, const Capability* table) noexcept;
    const Capability* owning_table(std::uint32_t offset, std::uint8_t id) const noexcept;

    // Access (access.cpp, command.cpp, handlers.cpp).
    void join_bytes() noexcept;
    unsigned piece(std::uint32_t offset, std::size_t remaining) const noexcept;
    Result<std::uint32_t> read_piece(std::uint32_t offset, unsigned width);
    Result<std::uint32_t> read_merged(std::uint32_t offset, unsigned width);
    Result<std::uint32_t> read_direct(std::uint32_t offset, unsigned width);
    Result<std::uint32_t> read_header(std::uint32_t offset, unsigned width);
    Result<std::uint32_t> read_msi(std::uint32_t offset, unsigned width);
    Result<void> write_piece(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_merged(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_header(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_command(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_msi(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_power(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_vpd(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_express(std::uint32_t offset, unsigned width, std::uint32_t value);
    Result<void> write_advanced_features(std::uint32_t offset, unsigned width, std::uint32_t value);

    void size_bars() noexcept;
    bool bars_need_restore(std::uint16_t wanted, std::uint16_t physical);
    bool bars_differ();
    void restore_bars();
    void follow_intx_disable();
    void reset(ResetKind kind, std::uint32_t register_offset, unsigned width, std::uint32_t bit);
    void set_power(std::uint32_t offset, PowerState state);
    void set_read_request(std::uint32_t control, std::uint32_t field);
    bool vpd_transfer(std::uint32_t start);
    bool vpd_pass(std::uint32_t start, std::uint32_t address);
    /// Notes an effect's outcome; true if the Space has to write the register.
    bool passes(const Result<Disposition>& outcome, std::uint32_t offset);
    /// Replaces `bits` of a register, leaving bits that clear by a one alone. Errors are noted.
    void pass(std::uint32_t offset, unsigned width, std::uint32_t bits, std::uint32_t value);
    PowerState power() const noexcept;
};

/// All ones for a width.
constexpr std::uint32_t ones(unsigned width) noexcept {
    return width == 4 ? ~0U : (1U << (8 * width)) - 1;
}

/// Little-endian load of 1, 2 or 4 bytes.
inline std::uint32_t load(const std::uint8_t* bytes, unsigned width) noexcept {
    if (width == 4) {
        std::uint32_t value;
        std::memcpy(&value, bytes, 4);
        return to_little(value);
    }
    return width == 2 ? bytes[0] | std::uint32_t{bytes[1]} << 8 : bytes[0];
}

inline void store(std::uint8_t* bytes, unsigned width, std::uint32_t value) noexcept {
    if (width == 4) {
        value = to_little(value);
        std::memcpy(bytes, &value, 4);
        return;
    }
    bytes[0] = static_cast<std::uint8_t>(value);
    if (width == 2)
        bytes[1] = static_cast<std::uint8_t>(value >> 8);
}

} // namespace sluice::inline v1::config
