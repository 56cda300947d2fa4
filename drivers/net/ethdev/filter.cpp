// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "adapter.hpp"

namespace sluice::inline v1::ethdev {
namespace {

rte_ether_addr to_dpdk(const net::MacAddress& address) noexcept {
    rte_ether_addr out{};
    std::memcpy(out.addr_bytes, address.bytes.data(), address.bytes.size());
    return out;
}

bool holds(const std::vector<net::MacAddress>& list, const net::MacAddress& address) {
    return std::ranges::find(list, address) != list.end();
}

} // namespace

/// A driver that has no such switch is one that receives everything, as the virtual ones do, unless it is
/// a PCI device's: to receive more than was asked is within the contract, to receive less is not.
Result<> Adapter::set_promiscuous(bool on) {
    const int wrong = on ? rte_eth_promiscuous_enable(id()) : rte_eth_promiscuous_disable(id());
    const bool no_switch = wrong == -ENOTSUP && (!on || info_.vendor_id == 0);
    if (wrong != 0 && !no_switch)
        return refuse(wrong, "DPDK's driver cannot switch promiscuous mode");
    return {};
}

Result<> Adapter::set_multicast(const net::RxFilter& filter) {
    std::vector<rte_ether_addr> list;
    std::ranges::transform(filter.multicast, std::back_inserter(list), to_dpdk);
    bool all = filter.all_multicast;
    if (filter.multicast != filter_.multicast) {
        const int wrong =
            rte_eth_dev_set_mc_addr_list(id(), list.data(), static_cast<std::uint32_t>(list.size()));
        all = all || wrong != 0;
    }
    const int wrong = all ? rte_eth_allmulticast_enable(id()) : rte_eth_allmulticast_disable(id());
    const bool no_switch = wrong == -ENOTSUP && (!all || info_.vendor_id == 0);
    if (wrong != 0 && !no_switch)
        return refuse(wrong, "DPDK's driver cannot switch reception of all multicast frames");
    return {};
}

Result<> Adapter::set_addresses(const net::RxFilter& filter) {
    const net::MacAddress own = filter.addresses.empty() ? info_.mac : filter.addresses.front();
    const net::MacAddress had = filter_.addresses.empty() ? info_.mac : filter_.addresses.front();
    if (own != had) {
        rte_ether_addr address = to_dpdk(own);
        if (const int wrong = rte_eth_dev_default_mac_addr_set(id(), &address); wrong != 0)
            return refuse(wrong, "DPDK's driver cannot set the MAC address");
    }
    for (const net::MacAddress& address : filter.addresses) {
        if (address == own || holds(filter_.addresses, address))
            continue;
        rte_ether_addr added = to_dpdk(address);
        if (const int wrong = rte_eth_dev_mac_addr_add(id(), &added, 0); wrong != 0)
            return refuse(wrong, "DPDK's driver cannot receive one more MAC address");
    }
    for (const net::MacAddress& address : filter_.addresses) {
        if (address == had || address == own || holds(filter.addresses, address))
            continue;
        rte_ether_addr removed = to_dpdk(address);
        rte_eth_dev_mac_addr_remove(id(), &removed);
    }
    return {};
}

Result<> Adapter::set_filter(const net::RxFilter& filter) {
    if (auto ok = set_addresses(filter); !ok)
        return ok;
    if (auto ok = set_promiscuous(filter.promiscuous); !ok)
        return ok;
    if (auto ok = set_multicast(filter); !ok)
        return ok;
    filter_ = filter;
    return {};
}

} // namespace sluice::inline v1::ethdev
