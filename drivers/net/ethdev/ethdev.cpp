// SPDX-License-Identifier: BSD-3-Clause
#include "ethdev.hpp"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>

#include <sluice/pci/sysfs.hpp>

#include "adapter.hpp"
#include "offloads.hpp"

namespace sluice::inline v1::ethdev {
namespace {

/// DPDK names its PCI devices by the full address.
std::string name_of(std::string_view address) {
    const auto name = address.substr(0, address.find(','));
    const auto pci = pci::Address::parse(name);
    return pci ? pci->to_string() : std::string(name);
}

std::string_view arguments_of(std::string_view address) {
    const auto comma = address.find(',');
    return comma == address.npos ? std::string_view{} : address.substr(comma + 1);
}

std::optional<std::uint16_t> port_named(const std::string& name) {
    std::uint16_t id = 0;
    if (rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0)
        return std::nullopt;
    return id;
}

/// A device may name its ports otherwise (representors, several ports a function): its first is taken.
std::optional<std::uint16_t> first_port_of(const std::string& devargs) {
    rte_dev_iterator at{};
    if (rte_eth_iterator_init(&at, devargs.c_str()) != 0)
        return std::nullopt;
    const std::uint16_t id = rte_eth_iterator_next(&at);
    if (id == RTE_MAX_ETHPORTS)
        return std::nullopt;
    rte_eth_iterator_cleanup(&at);
    return id;
}

Result<std::uint16_t> probe(const std::string& name, std::string_view arguments) {
    const std::string devargs = arguments.empty() ? name : name + "," + std::string(arguments);
    if (pci::Address::parse(name) && rte_eal_has_pci() == 0)
        return fail(ENODEV, "EAL runs without PCI: start it with -a ADDRESS in place of --no-pci", name);
    if (const int wrong = rte_dev_probe(devargs.c_str()); wrong != 0)
        // -1 and -EFAULT stand for any reason at all, a driver that is not there too.
        return fail(wrong == -1 || wrong == -EFAULT ? ENODEV : -wrong,
                    "DPDK cannot open the device: check its name and arguments (EAL's log says more)",
                    devargs);
    if (const auto id = port_named(name))
        return *id;
    if (const auto id = first_port_of(devargs))
        return *id;
    return fail(ENODEV, "DPDK opened the device, but it has no Ethernet port", devargs);
}

/// The port that EAL holds under this name. Devargs that it was not made with are an error, not ignored.
Result<std::uint16_t> existing(std::uint16_t id, const std::string& name, std::string_view arguments) {
    rte_eth_dev_info info{};
    if (const int wrong = rte_eth_dev_info_get(id, &info); wrong != 0)
        return fail(-wrong, "DPDK's port does not answer", name);
    const rte_devargs* made_with = info.device != nullptr ? rte_dev_devargs(info.device) : nullptr;
    const std::string_view had = made_with != nullptr && made_with->args != nullptr ? made_with->args : "";
    if (!arguments.empty() && arguments != had)
        return fail(EEXIST, "EAL holds the device already, with other arguments: leave them out", name);
    return id;
}

void add_pci_facts(net::DriverInfo& info) {
    const auto address = pci::Address::parse(info.name);
    if (!address)
        return;
    const auto function = pci::Sysfs().find(*address);
    if (!function)
        return;
    info.vendor_id = function->vendor;
    info.device_id = function->device;
    info.kernel_driver = function->driver;
}

Result<net::DriverInfo> describe(std::uint16_t id, const std::string& name) {
    rte_eth_dev_info dev{};
    rte_ether_addr mac{};
    char dev_name[RTE_ETH_NAME_MAX_LEN] = "";
    if (const int wrong = rte_eth_dev_info_get(id, &dev); wrong != 0)
        return fail(-wrong, "DPDK's port does not answer", name);
    net::DriverInfo info;
    if (rte_eth_macaddr_get(id, &mac) == 0)
        std::memcpy(info.mac.bytes.data(), mac.addr_bytes, info.mac.bytes.size());
    info.driver = "ethdev";
    info.device = dev.driver_name != nullptr ? dev.driver_name : "";
    info.name = rte_eth_dev_get_name_by_port(id, dev_name) == 0 ? dev_name : name;
    info.transport = "dpdk";
    info.numa_node = rte_eth_dev_socket_id(id);
    info.limits = limits_of(dev);
    add_pci_facts(info);
    return info;
}

} // namespace

Result<std::unique_ptr<net::Driver>> open(std::string_view address) {
    const std::string name = name_of(address);
    if (name.empty())
        return fail(EINVAL, "names no device: ethdev:NAME[,DEVARGS], such as ethdev:net_null0",
                    "ethdev:" + std::string(address));
    const auto held = port_named(name);
    auto id = held ? existing(*held, name, arguments_of(address)) : probe(name, arguments_of(address));
    if (!id)
        return propagate(std::move(id));
    auto port = Port::claim(*id, name);
    if (!port)
        return propagate(std::move(port));
    if (!held)
        (*port)->take();
    auto info = describe(*id, name);
    if (!info)
        return propagate(std::move(info));
    auto events = EventFd::create();
    if (!events)
        return propagate(std::move(events));
    return std::make_unique<Adapter>(std::move(*port), std::move(*events), std::move(*info));
}

} // namespace sluice::inline v1::ethdev
