// SPDX-License-Identifier: BSD-3-Clause
// Building the shadow: the header, what the system knows better, then the two lists.
#include <algorithm>
#include <cerrno>

#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr std::size_t diagnostics_kept = 256;

/// The one virtual function that is known to report a pin and is no cause for alarm.
constexpr std::uint16_t intel = 0x8086;
constexpr std::uint16_t quiet_vf = 0x270c;

} // namespace

void Space::State::report(DiagnosticKind kind, std::uint32_t offset, std::uint32_t id,
                          std::uint32_t previous) {
    const Diagnostic diagnostic{kind, static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(id),
                                static_cast<std::uint16_t>(previous)};
    if (diagnostics.size() < diagnostics_kept)
        diagnostics.push_back(diagnostic);
    effects->report(diagnostic);
}

Result<std::uint32_t> Space::State::raw_read(std::uint32_t offset, unsigned width) {
    if (offset >= extended_size && policy != Policy::strict)
        return fail(EINVAL, "there is no configuration space beyond 4095");
    if (offset % width != 0)
        return fail(EFAULT, "a register of configuration space is misaligned");
    if (offset >= size)
        return ones(width);
    return backend->read(offset, width);
}

Result<void> Space::State::raw_write(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (offset >= extended_size)
        return fail(EINVAL, "there is no configuration space beyond 4095");
    if (offset % width != 0)
        return fail(EFAULT, "a register of configuration space is misaligned");
    if (offset >= size)
        return {};
    return backend->write(offset, width, value);
}

std::uint32_t Space::State::shadow_get(std::uint32_t offset, unsigned width) const noexcept {
    return offset + width <= size ? load(&shadow[offset], width) : 0;
}

void Space::State::shadow_set(std::uint32_t offset, unsigned width, std::uint32_t value) noexcept {
    if (offset + width <= size)
        store(&shadow[offset], width, value);
}

/// Copies hardware to the shadow with the widest aligned access that fits.
Result<void> Space::State::fill(std::uint32_t offset, std::uint32_t length) {
    while (length != 0) {
        const unsigned width = length >= 4 && offset % 4 == 0 ? 4 : length >= 2 && offset % 2 == 0 ? 2 : 1;
        auto value = raw_read(offset, width);
        if (!value)
            return propagate<std::uint32_t>(std::move(value));
        shadow_set(offset, width, *value);
        offset += width;
        length -= width;
    }
    return {};
}

/// Wake-up events are not delivered to the user. PCI Power Management 1.2 §3.2.3, §3.2.4.
void Space::State::clear_power_events(std::uint32_t offset) noexcept {
    constexpr std::uint32_t pme_support = 0xf800;
    constexpr std::uint32_t pme_status_and_enable = 0x8100;
    shadow_set(offset + 2, 2, shadow_get(offset + 2, 2) & ~pme_support);
    shadow_set(offset + 4, 2, shadow_get(offset + 4, 2) & ~pme_status_and_enable);
}

/// Leaves every byte to nobody, as join_bytes() would join them.
void Space::State::disown_all() noexcept {
    std::fill_n(owner.begin(), size, owner_none);
    for (auto* bytes : {&shadow, &virt, &kept, &passed, &clears})
        std::fill_n(bytes->begin(), size, std::uint8_t{0});
    const WriteKind write = has(Rule::unowned_read_only) ? WriteKind::none : WriteKind::raw;
    for (std::uint32_t offset = 0; offset < block_size; ++offset)
        byte_rules[offset] = {owner_none, 0, ReadKind::raw, write, static_cast<std::uint8_t>(4 - offset % 4)};
    for (std::uint32_t block = block_size; block < size; block += block_size)
        std::copy_n(byte_rules.begin(), block_size, byte_rules.begin() + block);
}

Result<void> Space::State::build() {
    size = backend->size();
    if (size != conventional_size && size != extended_size)
        return fail(EINVAL, "configuration space is neither 256 nor 4096 bytes: the backend is broken");
    disown_all();
    for (std::uint32_t offset = 0; offset < header::end; ++offset)
        owner[offset] = 0;
    touch(0, header::end);

    if (auto filled = fill(0, header::end); !filled)
        return filled;
    for (unsigned bar = 0; bar < 6; ++bar)
        saved_bars[bar] = shadow_get(header::first_bar + 4 * bar, 4);
    saved_bars[rom_index] = shadow_get(header::rom, 4);

    const std::uint32_t pin = shadow_get(header::interrupt_pin, 1);
    if (facts.is_vf) {
        shadow_set(0, 2, facts.vendor);
        shadow_set(2, 2, facts.device);
        if (pin != 0 && !(facts.vendor == intel && facts.device == quiet_vf))
            report(DiagnosticKind::bogus_vf_pin, header::interrupt_pin, pin);
        shadow_set(header::interrupt_pin, 1, 0);
    }
    if (facts.no_command_memory)
        shadow_set(header::command, 2, shadow_get(header::command, 2) | header::command_memory);
    if (!facts.intx_supported || facts.nointx || facts.irq == irq_not_connected)
        shadow_set(header::interrupt_pin, 1, 0);

    if (policy == Policy::strict) {
        flatten_by_owner();
        if (auto walked = walk_standard_strict(); !walked)
            return walked;
        if (auto walked = walk_extended_strict(); !walked)
            return walked;
    } else {
        if (auto walked = walk_standard_kernel(); !walked)
            return walked;
        if (auto walked = walk_extended_kernel(); !walked)
            return walked;
        flatten_by_owner();
    }
    join_bytes();
    return {};
}

} // namespace sluice::inline v1::config
