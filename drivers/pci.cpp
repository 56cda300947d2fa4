// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <rte_ethdev.h>

#include <sluice/base/log.hpp>
#include <sluice/device/open.hpp>
#include <sluice/pci/address.hpp>
#include <sluice/pci/sysfs.hpp>

#include "tables.hpp"

namespace sluice::inline v1::drivers {
namespace {

Result<std::unique_ptr<net::Driver>> open_by_dpdk(const std::string& address, const char* why) {
    constexpr std::string_view name = "ethdev";
    const auto table = schemes();
    const auto scheme = std::find_if(table.begin(), table.end(),
                                     [&](const Scheme& other) { return other.grammar.name == name; });
    if (scheme == table.end())
        return fail(ENOTSUP, "there is no driver for this device, and this build has no ethdev adapter",
                    address);
    const std::array grammars = {scheme->grammar};
    auto uri = net::Uri::parse("ethdev:" + address, grammars);
    if (!uri)
        return propagate(std::move(uri));
    log(LogLevel::info, address + ": " + why + ", so DPDK's driver is used");
    return scheme->open(*uri);
}

Result<device::Transport> transport_of(const net::Uri& uri) {
    static constexpr std::array<std::string_view, 2> known = {"vfio", "sluice"};
    const auto value = uri.get_one_of("transport", known);
    if (!value)
        return tl::unexpected(value.error());
    if (!*value)
        return device::Transport::any;
    return **value == "vfio" ? device::Transport::vfio : device::Transport::sluice;
}

} // namespace

const net::Description* find_driver(std::uint16_t vendor, std::uint16_t device) noexcept {
    for (const net::Description* description : pci_drivers())
        for (const net::PciId& id : description->ids)
            if (id.vendor == vendor && id.device == device)
                return description;
    return nullptr;
}

bool left_to_dpdk(const net::Uri& uri) {
    if (const auto driver = uri.get("driver"))
        return *driver == "ethdev";
    const auto address = pci::Address::parse(uri.address());
    if (!address)
        return false;
    const auto function = pci::Sysfs().find(*address);
    return function && find_driver(function->vendor, function->device) == nullptr;
}

Result<std::unique_ptr<net::Driver>> open_pci(const net::Uri& uri) {
    static constexpr std::array<std::string_view, 2> drivers = {"sluice", "ethdev"};
    auto address = pci::Address::parse(uri.address());
    if (!address)
        return propagate(std::move(address));
    const auto wanted = uri.get_one_of("driver", drivers);
    if (!wanted)
        return tl::unexpected(wanted.error());
    const auto transport = transport_of(uri);
    if (!transport)
        return tl::unexpected(transport.error());
    const std::string name = address->to_string();
    const std::string_view driver = wanted->value_or("");

    std::uint16_t held = 0;
    const bool in_eal = rte_eth_dev_get_port_by_name(name.c_str(), &held) == 0;
    if (in_eal && driver == "sluice")
        return fail(EBUSY,
                    "EAL holds this device: start the process with --no-pci, or with -b and its address",
                    name);
    if (driver == "ethdev")
        return open_by_dpdk(name, "driver=ethdev asks for it");
    if (in_eal)
        return open_by_dpdk(name, "EAL holds the device");

    auto function = pci::Sysfs().find(*address);
    if (!function)
        return propagate(std::move(function));
    const net::Description* description = find_driver(function->vendor, function->device);
    if (description == nullptr) {
        if (driver == "sluice")
            return fail(ENOTSUP, "no driver here drives this device: leave driver=sluice out to use DPDK's",
                        name);
        return open_by_dpdk(name, "no driver here drives the device");
    }
    auto device = device::open(*address, {.transport = *transport});
    if (!device)
        return propagate(std::move(device));
    return description->open(std::move(*device));
}

} // namespace sluice::inline v1::drivers
