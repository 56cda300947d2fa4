// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <rte_ethdev.h>

#include <sluice/net/config.hpp>

namespace sluice::inline v1::ethdev {

/// What the DPDK driver says that it can do, in our terms.
net::Limits limits_of(const rte_eth_dev_info& info) noexcept;

/// rte_ethdev's configuration of a port that may do what `info` says.
rte_eth_conf port_conf(const net::Config& config, const rte_eth_dev_info& info) noexcept;

} // namespace sluice::inline v1::ethdev
