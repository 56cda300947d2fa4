// SPDX-License-Identifier: BSD-3-Clause
// What writes to standard capabilities do beside changing bytes.
#include <algorithm>
#include <cerrno>

#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

// PCI Local Bus 3.0 §6.8.1.3.
constexpr std::uint32_t msi_enable = 0x01;
constexpr std::uint32_t msi_capable = 0x0e;
constexpr std::uint32_t msi_count = 0x70;

// PCI Express Base §7.5.3.3, §7.5.3.4.
constexpr std::uint32_t express_capabilities = 0x04;
constexpr std::uint32_t express_capabilities_reset = 1U << 28;
constexpr std::uint32_t express_control = 0x08;
constexpr std::uint32_t express_control_reset = 0x8000;
constexpr std::uint32_t express_control_read_request = 0x7000;

// PCI Advanced Capabilities ECN.
constexpr std::uint32_t features_capabilities = 0x03;
constexpr std::uint32_t features_capabilities_reset = 0x3; // with transactions pending
constexpr std::uint32_t features_control = 0x04;
constexpr std::uint32_t features_control_reset = 0x01;

// PCI Local Bus 3.0 §I.1.
constexpr std::uint32_t vpd_address = 0x02;
constexpr std::uint32_t vpd_data = 0x04;
constexpr std::uint32_t vpd_flag = 0x8000;

constexpr std::uint32_t power_control = 0x04;
constexpr std::uint32_t power_control_state = 0x3;

} // namespace

bool Space::State::passes(const Result<Disposition>& outcome, std::uint32_t offset) {
    if (!outcome) {
        report(DiagnosticKind::effect_failed, offset, static_cast<std::uint32_t>(outcome.error().code()));
        return false;
    }
    if (*outcome == Disposition::unsupported)
        report(DiagnosticKind::effect_unsupported, offset);
    return *outcome == Disposition::pass_write;
}

void Space::State::pass(std::uint32_t offset, unsigned width, std::uint32_t bits, std::uint32_t value) {
    auto present = raw_read(offset, width);
    if (!present) {
        report(DiagnosticKind::effect_failed, offset, static_cast<std::uint32_t>(present.error().code()));
        return;
    }
    const std::uint32_t rest = *present & ~bits & ~load(&clears[offset], width);
    if (auto written = raw_write(offset, width, rest | (value & bits)); !written)
        report(DiagnosticKind::effect_failed, offset, static_cast<std::uint32_t>(written.error().code()));
}

PowerState Space::State::power() const noexcept {
    return effects->power().value_or(power_state);
}

// ---- MSI

Result<std::uint32_t> Space::State::read_msi(std::uint32_t offset, unsigned width) {
    const std::uint32_t start = byte_rules[offset].start;
    const std::uint32_t within = offset - start;
    if (within > 2 || within + width < 2)
        return read_merged(offset, width);
    if (!has(Rule::msi_flags)) {
        shadow_set(start, 2, (shadow_get(start, 2) & ~msi_capable) | msi_limit << 1);
        return read_merged(offset, width);
    }
    auto value = read_merged(offset, width);
    if (!value || irq_type != IrqType::msi)
        return value;
    const unsigned shift = 8 * (2 - std::min(within, 2U));
    if (shift < 8 * width) {
        const std::uint32_t capable = (*value >> shift & msi_capable) >> 1;
        *value = (*value & ~(msi_capable << shift)) | std::min(capable, std::uint32_t{msi_limit})
                                                          << (shift + 1);
    }
    return value;
}

Result<void> Space::State::write_msi(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (auto written = write_merged(offset, width, value); !written)
        return written;
    const std::uint32_t start = byte_rules[offset].start;
    const std::uint32_t within = offset - start;
    if (within > 2 || within + width < 2)
        return {};
    std::uint32_t flags = shadow_get(start + 2, 2);
    if (irq_type != IrqType::msi)
        flags &= ~msi_enable;
    std::uint32_t limit = msi_limit;
    if (has(Rule::msi_flags)) {
        const std::uint32_t capable = (flags & msi_capable) >> 1;
        limit = irq_type == IrqType::msi ? std::min(limit, capable) : capable;
    }
    if ((flags & msi_count) >> 4 > limit)
        flags = (flags & ~msi_count) | limit << 4;
    shadow_set(start + 2, 2, flags);
    if (has(Rule::msi_no_forward))
        return {};
    return raw_write(start + 2, 2, flags);
}

// ---- Power management

void Space::State::set_power(std::uint32_t offset, PowerState state) {
    if (state == PowerState::d3hot)
        effects->zap();
    if (!passes(effects->set_power(state), offset))
        return;
    pass(offset, 2, power_control_state, static_cast<std::uint32_t>(state));
    if (auto now = raw_read(offset, 2))
        power_state = static_cast<PowerState>(*now & power_control_state);
}

Result<void> Space::State::write_power(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (auto written = write_merged(offset, width, value); !written)
        return written;
    if (offset - byte_rules[offset].start == power_control)
        set_power(offset, static_cast<PowerState>(value & power_control_state));
    return {};
}

// ---- Express and Advanced Features

void Space::State::reset(ResetKind kind, std::uint32_t register_offset, unsigned width, std::uint32_t bit) {
    effects->zap();
    if (passes(effects->reset(kind), register_offset))
        pass(register_offset, width, bit, bit);
}

void Space::State::set_read_request(std::uint32_t control, std::uint32_t field) {
    std::uint32_t payload = 0;
    if (facts.pcie_cap != 0) {
        if (auto physical = raw_read(facts.pcie_cap + express_control, 2))
            payload = *physical >> 5 & 7;
    }
    const unsigned bytes = 128U << std::max(field >> 12, payload);
    if (passes(effects->set_read_request(bytes), control))
        pass(control, 2, express_control_read_request, field);
}

Result<void> Space::State::write_express(std::uint32_t offset, unsigned width, std::uint32_t value) {
    constexpr std::uint32_t largest_request = 0x5000;
    const std::uint32_t start = byte_rules[offset].start;
    const std::uint32_t control = start + express_control;
    const bool whole =
        policy != Policy::strict || (control + 1 < size && byte_rules[control + 1].start == start);
    const std::uint32_t request = shadow_get(control, 2) & express_control_read_request;
    if (auto written = write_merged(offset, width, value); !written || !whole)
        return written;
    std::uint32_t now = shadow_get(control, 2);
    if ((now & express_control_read_request) > largest_request && has(Rule::read_request_limit)) {
        now = (now & ~express_control_read_request) | request;
        shadow_set(control, 2, now);
    }
    if ((now & express_control_reset) != 0) {
        shadow_set(control, 2, now & ~express_control_reset);
        auto capabilities = raw_read(start + express_capabilities, 4);
        if (capabilities && (*capabilities & express_capabilities_reset) != 0)
            reset(ResetKind::express, control, 2, express_control_reset);
    }
    if ((now & express_control_read_request) != request)
        set_read_request(control, now & express_control_read_request);
    return {};
}

Result<void> Space::State::write_advanced_features(std::uint32_t offset, unsigned width,
                                                   std::uint32_t value) {
    const std::uint32_t start = byte_rules[offset].start;
    const std::uint32_t control = start + features_control;
    const bool whole = policy != Policy::strict || (control < size && byte_rules[control].start == start);
    if (auto written = write_merged(offset, width, value); !written || !whole)
        return written;
    const std::uint32_t now = shadow_get(control, 1);
    if ((now & features_control_reset) == 0)
        return {};
    shadow_set(control, 1, now & ~features_control_reset);
    auto capabilities = raw_read(start + features_capabilities, 1);
    if (capabilities && (*capabilities & features_capabilities_reset) == features_capabilities_reset)
        reset(ResetKind::advanced_features, control, 1, features_control_reset);
    return {};
}

// ---- Vital product data

/// Below the Backend sits a mediator that makes the access when the address is written.
bool Space::State::vpd_pass(std::uint32_t start, std::uint32_t address) {
    const bool writes = (address & vpd_flag) != 0;
    if (writes && !raw_write(start + vpd_data, 4, shadow_get(start + vpd_data, 4)))
        return false;
    if (!raw_write(start + vpd_address, 2, address))
        return false;
    auto after = raw_read(start + vpd_address, 2);
    if (!after || ((*after ^ address) & vpd_flag) == 0)
        return false;
    if (writes)
        return true;
    auto data = raw_read(start + vpd_data, 4);
    if (data)
        shadow_set(start + vpd_data, 4, *data);
    return data.has_value();
}

bool Space::State::vpd_transfer(std::uint32_t start) {
    const std::uint32_t address = shadow_get(start + vpd_address, 2);
    std::array<std::uint8_t, 4> data{};
    if ((address & vpd_flag) != 0) {
        store(data.data(), 4, shadow_get(start + vpd_data, 4));
        const auto outcome = effects->vpd_write(static_cast<std::uint16_t>(address & ~vpd_flag), data);
        if (passes(outcome, start + vpd_address))
            return vpd_pass(start, address);
        return outcome && *outcome == Disposition::done;
    }
    const auto outcome = effects->vpd_read(static_cast<std::uint16_t>(address), data);
    if (passes(outcome, start + vpd_address))
        return vpd_pass(start, address);
    if (!outcome || *outcome != Disposition::done)
        return false;
    shadow_set(start + vpd_data, 4, load(data.data(), 4));
    return true;
}

Result<void> Space::State::write_vpd(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (auto written = write_merged(offset, width, value); !written)
        return written;
    const std::uint32_t start = byte_rules[offset].start;
    const std::uint32_t within = offset - start;
    const bool whole = policy != Policy::strict || (start + 7 < size && byte_rules[start + 7].start == start);
    if (!whole || within > 3 || within + width <= 3)
        return {};
    if (vpd_transfer(start))
        shadow_set(start + vpd_address, 2, shadow_get(start + vpd_address, 2) ^ vpd_flag);
    return {};
}

} // namespace sluice::inline v1::config
