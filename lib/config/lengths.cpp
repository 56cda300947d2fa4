// SPDX-License-Identifier: BSD-3-Clause
// How many bytes a capability has, where that depends on the device. 0 means hidden.
#include "state.hpp"

namespace sluice::inline v1::config {

namespace {

constexpr unsigned round_up(unsigned value, unsigned to) {
    return (value + to - 1) / to * to;
}

} // namespace

/// The kernel looks whether there is an extended list while it sizes a capability that implies one.
void Space::State::probe_extended() {
    if (size <= conventional_size)
        return;
    auto first = raw_read(conventional_size, 4);
    extended = !first || *first != 0;
}

/// PCI Express Base §7.5.3.2: version and type in the Capabilities register.
Result<unsigned> Space::State::express_length(std::uint32_t offset) {
    constexpr unsigned integrated_endpoint = 9;
    std::uint32_t flags = facts.pcie_flags;
    if (has(Rule::express_own_flags)) {
        auto own = raw_read(offset + 2, 2);
        if (!own)
            return propagate<std::uint32_t>(std::move(own));
        flags = *own;
    }
    const bool integrated = (flags >> 4 & 0xf) == integrated_endpoint;
    if ((flags & 0xf) == 1)
        return integrated ? 12U : 20U;
    if (integrated)
        return 0x2cU;
    return policy == Policy::kernel_6_1 ? 0x32U : 0x34U;
}

/// PCI Local Bus 3.0 §6.8.1.3.
Result<unsigned> Space::State::msi_length(std::uint32_t offset) {
    auto flags = raw_read(offset + 2, 2);
    if (!flags)
        return propagate<std::uint32_t>(std::move(flags));
    const Capability& form = msi_table((*flags & 0x80) != 0, (*flags & 0x100) != 0);
    if (msi == nullptr || has(Rule::msi_own_masks))
        msi = &form;
    return unsigned{form.length};
}

Result<unsigned> Space::State::standard_length(std::uint8_t id, std::uint32_t offset) {
    const Capability* table = find_table(id, false);
    if (table == nullptr || !table->visible)
        return 0U;
    switch (id) {
    case standard_id::msi:
        return msi_length(offset);
    case standard_id::express:
        if (policy != Policy::strict)
            probe_extended();
        return express_length(offset);
    case standard_id::pcix: {
        auto command = raw_read(offset + 2, 2);
        if (!command)
            return propagate<std::uint32_t>(std::move(command));
        if ((*command & 0x3000) == 0)
            return 8U;
        if (policy != Policy::strict)
            probe_extended();
        return 24U;
    }
    case standard_id::vendor: {
        auto length = raw_read(offset + 2, 1);
        if (!length)
            return propagate<std::uint32_t>(std::move(length));
        return unsigned{*length};
    }
    case standard_id::hypertransport: {
        auto type = raw_read(offset + 3, 1);
        if (!type)
            return propagate<std::uint32_t>(std::move(type));
        return (*type & 0xe0) != 0 ? 24U : 28U;
    }
    case standard_id::sata: {
        auto location = raw_read(offset + 4, 1);
        if (!location)
            return propagate<std::uint32_t>(std::move(location));
        return (*location & 0xf) == 0xf ? 16U : 8U;
    }
    default:
        return unsigned{table->length};
    }
}

/// PCI Express Base §7.9.1: the arbitration table of the port stands behind the resources.
Result<unsigned> Space::State::virtual_channel_length(std::uint32_t offset) {
    auto capability = raw_read(offset + 4, 4);
    if (!capability)
        return propagate<std::uint32_t>(std::move(capability));
    auto arbitration = raw_read(offset + 8, 4);
    if (!arbitration)
        return propagate<std::uint32_t>(std::move(arbitration));
    const unsigned length = 0x10 + ((*capability & 7) + 1) * 0xc;
    const unsigned phases = (*arbitration & 8) != 0   ? 128
                            : (*arbitration & 4) != 0 ? 64
                            : (*arbitration & 2) != 0 ? 32
                                                      : 0;
    return phases != 0 ? round_up(length, 16) + phases / 2 : length;
}

/// PCI Express Base §7.7.8.2: an egress control vector of up to 256 bits, 0 standing for 256.
Result<unsigned> Space::State::access_control_length(std::uint32_t offset) {
    auto capability = raw_read(offset + 4, 1);
    if (!capability)
        return propagate<std::uint32_t>(std::move(capability));
    if ((*capability & 0x20) == 0)
        return 8U;
    auto bits = raw_read(offset + 5, 1);
    if (!bits)
        return propagate<std::uint32_t>(std::move(bits));
    return 8 + (*bits != 0 ? round_up(*bits, 32) : 256) / 8;
}

Result<unsigned> Space::State::extended_length(std::uint16_t id, std::uint32_t offset) {
    const Capability* table = find_table(id, true);
    if (table == nullptr || !table->visible)
        return 0U;
    switch (id) {
    case extended_id::vc:
    case extended_id::mfvc:
    case extended_id::vc9:
        return virtual_channel_length(offset);
    case extended_id::acs:
        return access_control_length(offset);
    case extended_id::dvsec:
        if (policy == Policy::kernel_6_1)
            return 0U;
        [[fallthrough]];
    case extended_id::vsec: {
        auto header = raw_read(offset + 4, 4);
        if (!header)
            return propagate<std::uint32_t>(std::move(header));
        return *header >> 20;
    }
    case extended_id::resizable_bar: {
        auto control = raw_read(offset + 8, 1);
        if (!control)
            return propagate<std::uint32_t>(std::move(control));
        return 4 + 8 * (*control >> 5);
    }
    case extended_id::dpa: {
        auto capability = raw_read(offset + 4, 1);
        if (!capability)
            return propagate<std::uint32_t>(std::move(capability));
        return 0x10 + (*capability & 0x1f) + 1;
    }
    case extended_id::tph: {
        auto capability = raw_read(offset + 4, 4);
        if (!capability)
            return propagate<std::uint32_t>(std::move(capability));
        constexpr std::uint32_t table_in_capability = 0x200;
        if ((*capability & 0x600) != table_in_capability)
            return 0xcU;
        return 0xc + 2 * (*capability >> 16 & 0x7ff) + 2;
    }
    default:
        return unsigned{table->length};
    }
}

} // namespace sluice::inline v1::config
