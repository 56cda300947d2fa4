// SPDX-License-Identifier: BSD-3-Clause
// What the kernel around a function does when its user's writes have effects.
#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include <sluice/config/image.hpp>

#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr std::uint32_t power_capabilities = 2;
constexpr std::uint32_t power_capabilities_d1 = 0x0200;
constexpr std::uint32_t power_capabilities_d2 = 0x0400;
constexpr std::uint32_t power_control = 4;
constexpr std::uint32_t power_state_bits = 0x3;
constexpr std::uint32_t power_no_soft_reset = 0x8;
constexpr std::uint32_t express_control = 8;

struct Text {
    char line[96];
    [[gnu::format(printf, 2, 3)]] explicit Text(const char* pattern, ...) {
        std::va_list arguments;
        va_start(arguments, pattern);
        static_cast<void>(std::vsnprintf(line, sizeof line, pattern, arguments));
        va_end(arguments);
    }
};

tl::unexpected<Error> refused(int code) {
    return fail(code, "the kernel refuses the effect");
}

} // namespace

SystemModel::SystemModel(Backend& hardware, const Facts& facts, Observer& observer, Options options)
    : hardware_(hardware)
    , facts_(facts)
    , observer_(observer)
    , options_(std::move(options)) {}

std::uint32_t SystemModel::read(std::uint32_t offset, unsigned width, std::uint32_t otherwise) {
    auto value = hardware_.read(offset, width);
    return value ? *value : otherwise;
}

void SystemModel::scan() {
    d1_ = d2_ = needs_pm_restore_ = false;
    if (facts_.pm_cap == 0)
        return;
    const std::uint32_t capabilities = read(facts_.pm_cap + power_capabilities, 2, 0);
    d1_ = (capabilities & power_capabilities_d1) != 0;
    d2_ = (capabilities & power_capabilities_d2) != 0;
    needs_pm_restore_ = (read(facts_.pm_cap + power_control, 2, 0) & power_no_soft_reset) == 0;
}

void SystemModel::zap() {
    observer_.event("zap");
}

Result<Disposition> SystemModel::reset(ResetKind) {
    if (!options_.reset_supported) {
        observer_.event("reset ret=-25");
        return refused(ENOTTY);
    }
    observer_.event("reset");
    (void)transition(PowerState::d0); // the state is saved in D0
    return Disposition::done;
}

int SystemModel::power_up() {
    if (facts_.pm_cap == 0) {
        power_ = PowerState::d0;
        return EIO;
    }
    const std::uint32_t control = read(facts_.pm_cap + power_control, 2, 0xffff);
    if (control == 0xffff) {
        power_ = PowerState::d3cold;
        return EIO;
    }
    if ((control & power_state_bits) != 0)
        (void)hardware_.write(facts_.pm_cap + power_control, 2, 0);
    power_ = PowerState::d0;
    return 0;
}

/// PCI Power Management 1.2 §5.4: which transitions there are.
int SystemModel::transition(PowerState state) {
    if (power_ == state)
        return 0;
    if (state == PowerState::d0)
        return power_up();
    if (state >= PowerState::d3hot && options_.no_d3)
        return 0;
    if (facts_.pm_cap == 0)
        return EIO;
    if (power_ > state)
        return EINVAL;
    if ((state == PowerState::d1 && !d1_) || (state == PowerState::d2 && !d2_))
        return EIO;
    const std::uint32_t control = read(facts_.pm_cap + power_control, 2, 0xffff);
    if (control == 0xffff) {
        power_ = PowerState::d3cold;
        return EIO;
    }
    const auto wanted = static_cast<std::uint32_t>(state);
    (void)hardware_.write(facts_.pm_cap + power_control, 2, (control & ~power_state_bits) | wanted);
    power_ = static_cast<PowerState>(read(facts_.pm_cap + power_control, 2, 0xffff) & power_state_bits);
    return 0;
}

Result<Disposition> SystemModel::set_power(PowerState state) {
    const auto number = static_cast<unsigned>(state);
    if (options_.vfs_enabled && state > PowerState::d0) {
        observer_.event(Text("set_power D%u ret=%d", number, -EBUSY).line);
        return refused(EBUSY);
    }
    const bool saves = needs_pm_restore_ && power_ < PowerState::d3hot && state >= PowerState::d3hot;
    const bool restores = needs_pm_restore_ && power_ >= PowerState::d3hot && state == PowerState::d0;
    if (saves)
        observer_.event("pm_save");
    const int code = transition(state);
    observer_.event(Text("set_power D%u ret=%d now=D%u", number, -code, static_cast<unsigned>(power_)).line);
    if (code != 0)
        return refused(code);
    if (saves && power_ >= PowerState::d3hot)
        observer_.event("pm_stash");
    else if (restores)
        observer_.event("pm_restore");
    return Disposition::done;
}

void SystemModel::change_command(bool disable) {
    const std::uint32_t command = read(header::command, 2, 0xffff);
    const std::uint32_t wanted = (command & ~std::uint32_t{header::command_intx_disable}) |
                                 (disable ? header::command_intx_disable : 0U);
    if (wanted != command)
        (void)hardware_.write(header::command, 2, wanted);
}

void SystemModel::set_irq_type(IrqType type) noexcept {
    irq_type_ = type;
    intx_masked_ = type == IrqType::intx && intx_disabled_;
}

/// Clears the disable bit unless an interrupt is pending, which is then delivered once more.
bool SystemModel::unmask_delivered() {
    constexpr std::uint32_t status_interrupt = 1U << 19;
    auto both = hardware_.read(header::command, 4);
    if (both && (*both & status_interrupt) != 0) {
        observer_.event("intx_resend");
        return false;
    }
    change_command(false);
    return true;
}

Result<Disposition> SystemModel::set_intx_disabled(bool disabled) {
    intx_disabled_ = disabled;
    observer_.event(disabled ? "intx_mask" : "intx_unmask");
    if (irq_type_ != IrqType::intx) {
        if (facts_.pci_2_3)
            change_command(disabled);
    } else if (disabled && !intx_masked_) {
        if (facts_.pci_2_3)
            change_command(true);
        else
            observer_.event("disable_irq");
        intx_masked_ = true;
    } else if (!disabled && intx_masked_) {
        bool unmasked = true;
        if (facts_.pci_2_3)
            unmasked = unmask_delivered();
        else
            observer_.event("enable_irq");
        intx_masked_ = !unmasked;
    }
    return Disposition::done;
}

Result<Disposition> SystemModel::set_read_request(unsigned bytes) {
    constexpr unsigned largest = 4096;
    if (bytes > largest) {
        observer_.event(Text("set_readrq %u ret=%d", bytes, -EINVAL).line);
        return refused(EINVAL);
    }
    const std::uint32_t control = facts_.pcie_cap + express_control;
    if (options_.read_request_to_payload && facts_.pcie_cap != 0)
        bytes = std::min(bytes, 128U << (read(control, 2, 0) >> 5 & 7));
    observer_.event(Text("set_readrq %u", bytes).line);
    if (facts_.pcie_cap == 0)
        return Disposition::done;
    auto present = hardware_.read(control, 2);
    if (!present)
        return refused(present.error().code());
    std::uint32_t field = 0;
    while (128U << field < bytes)
        ++field;
    if (auto written = hardware_.write(control, 2, (*present & ~0x7000U) | field << 12); !written)
        return refused(written.error().code());
    return Disposition::done;
}

Result<Disposition> SystemModel::vpd_read(std::uint16_t address, std::span<std::uint8_t, 4> data) {
    int count = -ENODEV;
    if (options_.vpd) {
        const std::vector<std::uint8_t>& vpd = *options_.vpd;
        count = 0;
        for (std::size_t at = address; at < vpd.size() && count < 4; ++at)
            data[static_cast<std::size_t>(count++)] = vpd[at];
    }
    observer_.event(Text("vpd_read %04x ret=%d val=%08x", address, count, config::load(data.data(), 4)).line);
    if (count < 0)
        return refused(-count);
    return Disposition::done;
}

Result<Disposition> SystemModel::vpd_write(std::uint16_t address, std::span<const std::uint8_t, 4> data) {
    int count = -ENODEV;
    if (options_.vpd) {
        std::vector<std::uint8_t>& vpd = *options_.vpd;
        count = -EINVAL;
        if (address % 4 == 0 && address + 4U <= vpd.size()) {
            std::copy(data.begin(), data.end(), vpd.begin() + address);
            count = 4;
        }
    }
    observer_.event(
        Text("vpd_write %04x val=%08x ret=%d", address, config::load(data.data(), 4), count).line);
    if (count < 0)
        return refused(-count);
    return Disposition::done;
}

Result<Disposition> SystemModel::restore_bars(std::span<const std::uint32_t, 7>) {
    return Disposition::pass_write;
}

void SystemModel::on_report(void (*function)(void*, const Diagnostic&), void* context) noexcept {
    report_ = function;
    report_context_ = context;
}

void SystemModel::report(const Diagnostic& diagnostic) {
    if (report_ != nullptr)
        report_(report_context_, diagnostic);
}

} // namespace sluice::inline v1::config
