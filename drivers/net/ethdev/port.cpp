// SPDX-License-Identifier: BSD-3-Clause
#include "adapter.hpp"

#include <cerrno>

#include <rte_dev.h>

namespace sluice::inline v1::ethdev {
namespace {

bool has_ports(const rte_device* device) noexcept {
    return rte_eth_find_next_of(0, device) < RTE_MAX_ETHPORTS;
}

} // namespace

Result<std::unique_ptr<Port>> Port::claim(std::uint16_t id, const std::string& name) {
    rte_eth_dev_owner owner{};
    if (const int wrong = rte_eth_dev_owner_new(&owner.id); wrong != 0)
        return fail(-wrong, "rte_ethdev has no owner number left", name);
    name.copy(owner.name, sizeof owner.name - 1);
    if (rte_eth_dev_owner_set(id, &owner) != 0)
        return fail(EBUSY, "another part of this process owns the DPDK port: close it there first", name);
    return std::unique_ptr<Port>(new Port(id, owner.id));
}

Port::~Port() {
    if (!taken_) {
        rte_eth_dev_owner_unset(id_, owner_);
        return;
    }
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(id_, &info) == 0;
    rte_eth_dev_close(id_);
    if (known && info.device != nullptr && !has_ports(info.device))
        rte_dev_remove(const_cast<rte_device*>(info.device));
}

} // namespace sluice::inline v1::ethdev
