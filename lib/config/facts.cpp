// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/facts.hpp>

#include <cstdio>
#include <string>

namespace sluice::inline v1::config {

namespace {

constexpr std::uint32_t status_offset = 0x06;
constexpr std::uint32_t status_capability_list = 0x10;
constexpr std::uint32_t capability_pointer = 0x34;
constexpr unsigned scan_steps = 48;

/// The kernel's own search: pointers lose their low two bits, a pointer into the header or an id of ff ends
/// it.
Result<std::uint16_t> search(Backend& backend, std::uint8_t id) {
    auto status = backend.read(status_offset, 2);
    if (!status)
        return propagate<std::uint32_t>(std::move(status));
    if ((*status & status_capability_list) == 0)
        return std::uint16_t{0};
    auto pointer = backend.read(capability_pointer, 1);
    if (!pointer)
        return propagate<std::uint32_t>(std::move(pointer));
    std::uint32_t offset = *pointer & ~3U;
    for (unsigned step = 0; step < scan_steps && offset >= 0x40; ++step) {
        auto header = backend.read(offset, 2);
        if (!header)
            return propagate<std::uint32_t>(std::move(header));
        if ((*header & 0xff) == 0xff)
            break;
        if ((*header & 0xff) == id)
            return static_cast<std::uint16_t>(offset);
        offset = *header >> 8 & ~3U;
    }
    return std::uint16_t{0};
}

} // namespace

Result<void> Facts::scan(Backend& backend) {
    constexpr std::uint8_t pm_id = 0x01;
    constexpr std::uint8_t express_id = 0x10;
    pcie_cap = pcie_flags = pm_cap = 0;
    auto express = search(backend, express_id);
    if (!express)
        return propagate<std::uint16_t>(std::move(express));
    if (*express != 0) {
        auto flags = backend.read(*express + 2U, 2);
        if (!flags)
            return propagate<std::uint32_t>(std::move(flags));
        pcie_cap = *express;
        pcie_flags = static_cast<std::uint16_t>(*flags);
    }
    auto pm = search(backend, pm_id);
    if (!pm)
        return propagate<std::uint16_t>(std::move(pm));
    if (*pm != 0) {
        auto capabilities = backend.read(*pm + 2U, 2);
        if (!capabilities)
            return propagate<std::uint32_t>(std::move(capabilities));
        if ((*capabilities & 7) <= 3)
            pm_cap = *pm;
    }
    return {};
}

void Facts::parse_resources(const char* text) {
    for (Resource& resource : resources) {
        unsigned long long start = 0;
        unsigned long long end = 0;
        unsigned long long flags = 0;
        int used = 0;
        if (std::sscanf(text, "%llx %llx %llx%n", &start, &end, &flags, &used) != 3)
            return;
        text += used;
        resource = Resource{start, end != 0 ? end - start + 1 : 0, static_cast<std::uint32_t>(flags)};
    }
}

bool has_broken_intx(std::uint16_t vendor, std::uint16_t device) noexcept {
    constexpr std::uint16_t intel_id = 0x8086;
    if (vendor != intel_id)
        return false;
    switch (device) {
    case 0x1563: // X550
    case 0x1572: // X710 and its relatives from here on
    case 0x1574:
    case 0x1580:
    case 0x1581:
        return true;
    default:
        return (device >= 0x1583 && device <= 0x158b) || (device >= 0x37d0 && device <= 0x37d2);
    }
}

} // namespace sluice::inline v1::config
