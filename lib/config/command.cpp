// SPDX-License-Identifier: BSD-3-Clause
// The header's effects: BAR sizing, COMMAND with the memory gate and the restore of lost BARs, and the
// interrupt-disable bit. PCI Local Bus 3.0 §6.2.2, §6.2.5.
#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr bool is_bar(std::uint32_t offset) {
    return (offset >= header::first_bar && offset < header::first_bar + 24) ||
           (offset >= header::rom && offset < header::rom + 4);
}

constexpr std::uint64_t size_mask(const Resource& resource) {
    return ~(resource.length - 1);
}

/// The low bits of a BAR. PCI Local Bus 3.0 §6.2.5.1.
constexpr std::uint32_t bar_flags(const Resource& resource) {
    if ((resource.flags & Resource::io) != 0)
        return 0x1;
    return ((resource.flags & Resource::prefetch) != 0 ? 0x8U : 0U) |
           ((resource.flags & Resource::memory64) != 0 ? 0x4U : 0U);
}

constexpr std::uint32_t shadow_rom_size = 0x20000;

} // namespace

/// Makes the shadow's BARs answer as sizing expects: address bits above the size, flags of the resource.
void Space::State::size_bars() noexcept {
    constexpr std::uint32_t memory64 = 0x4;
    for (unsigned bar = 0; bar < 6; ++bar) {
        const Resource& resource = facts.resources[bar];
        const std::uint32_t offset = header::first_bar + 4 * bar;
        if (resource.start == 0) {
            shadow_set(offset, 4, 0);
            continue;
        }
        const std::uint64_t mask = size_mask(resource);
        const std::uint32_t flags = bar_flags(resource);
        std::uint32_t value = shadow_get(offset, 4) & static_cast<std::uint32_t>(mask);
        if (has(Rule::bar_from_resource))
            value &= ~((flags & 1) != 0 ? 0x3U : 0xfU);
        value |= flags;
        shadow_set(offset, 4, value);
        const std::uint32_t decides = has(Rule::bar_from_resource) ? flags : value;
        if ((decides & memory64) != 0) {
            ++bar;
            if (bar < 6 || !has(Rule::bar_from_resource))
                shadow_set(offset + 4, 4, shadow_get(offset + 4, 4) & static_cast<std::uint32_t>(mask >> 32));
        }
    }
    const Resource& rom = facts.resources[rom_index];
    std::uint32_t value = 0;
    if (rom.start != 0)
        value = shadow_get(header::rom, 4) & (static_cast<std::uint32_t>(size_mask(rom)) | 1);
    else if ((rom.flags & Resource::shadow_rom) != 0)
        value = shadow_get(header::rom, 4) & (~(shadow_rom_size - 1) | 1);
    shadow_set(header::rom, 4, value);
    bars_dirty = false;
}

Result<std::uint32_t> Space::State::read_header(std::uint32_t offset, unsigned width) {
    if (bars_dirty && is_bar(offset))
        size_bars();
    if (offset != header::command || !facts.no_command_memory)
        return read_merged(offset, width);
    auto value = read_merged(offset, width);
    if (value)
        *value |= shadow_get(header::command, 2) & header::command_memory;
    return value;
}

bool Space::State::bars_differ() {
    for (unsigned bar = 0; bar < 6; ++bar) {
        if (saved_bars[bar] == 0)
            continue;
        auto present = raw_read(header::first_bar + 4 * bar, 4);
        if (!present || *present != saved_bars[bar])
            return true;
    }
    return false;
}

/// Whether the device lost its BARs since the Space was made, as a reset behind the mediator does.
bool Space::State::bars_need_restore(std::uint16_t wanted, std::uint16_t physical) {
    const auto was = static_cast<std::uint16_t>(shadow_get(header::command, 2));
    const auto lost = static_cast<std::uint16_t>(wanted & was & ~physical);
    const bool decoding_lost = ((lost & header::command_memory) != 0 && !facts.no_command_memory) ||
                               (lost & header::command_io) != 0;
    if (has(Rule::restore_when_enabling)) {
        constexpr std::uint16_t decoding = header::command_memory | header::command_io;
        const bool enabling = (wanted & ~physical & decoding) != 0;
        return enabling && (decoding_lost || bars_differ());
    }
    return decoding_lost || bars_differ();
}

void Space::State::restore_bars() {
    if (facts.is_vf)
        return;
    report(DiagnosticKind::bars_restored, header::first_bar);
    const auto outcome = effects->restore_bars(saved_bars);
    if (!passes(outcome, header::first_bar))
        return;
    for (unsigned bar = 0; bar < 6; ++bar)
        (void)raw_write(header::first_bar + 4 * bar, 4, saved_bars[bar]);
    (void)raw_write(header::rom, 4, saved_bars[rom_index]);
    if (facts.nointx)
        pass(header::command, 2, header::command_intx_disable, header::command_intx_disable);
}

Result<void> Space::State::write_command(std::uint32_t offset, unsigned width, std::uint32_t value) {
    auto physical = raw_read(header::command, 2);
    if (!physical)
        return propagate<std::uint32_t>(std::move(physical));
    const std::uint32_t was = shadow_get(header::command, 2);
    constexpr std::uint32_t decoding = header::command_memory | header::command_io;
    const auto wanted =
        static_cast<std::uint16_t>(offset == header::command ? value : (value << 8) | (was & decoding));
    if ((wanted & header::command_memory) == 0)
        effects->zap();
    if (bars_need_restore(wanted, static_cast<std::uint16_t>(*physical)))
        restore_bars();
    if (auto written = write_merged(offset, width, value); !written)
        return written;
    shadow_set(header::command, 2, (shadow_get(header::command, 2) & ~decoding) | (wanted & decoding));
    return {};
}

/// Tells the interrupt's owner when the virtual disable bit has changed.
void Space::State::follow_intx_disable() {
    const bool disabled = (shadow_get(header::command, 2) & header::command_intx_disable) != 0;
    if (disabled == intx_disabled)
        return;
    intx_disabled = disabled;
    if (passes(effects->set_intx_disabled(disabled), header::command) && facts.pci_2_3)
        pass(header::command, 2, header::command_intx_disable, disabled ? header::command_intx_disable : 0);
}

Result<void> Space::State::write_header(std::uint32_t offset, unsigned width, std::uint32_t value) {
    const bool in_command = offset == header::command || offset == header::command + 1;
    if (offset == header::command || (in_command && has(Rule::command_upper_byte))) {
        if (auto written = write_command(offset, width, value); !written)
            return written;
    } else if (auto written = write_merged(offset, width, value); !written) {
        return written;
    }
    if (in_command)
        follow_intx_disable();
    else if (is_bar(offset))
        bars_dirty = true;
    return {};
}

} // namespace sluice::inline v1::config
