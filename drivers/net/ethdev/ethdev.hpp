// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Any DPDK driver as a driver of ours, through rte_ethdev's public calls alone.
#pragma once

#include <memory>
#include <string_view>

#include <sluice/net/driver.hpp>

namespace sluice::inline v1::ethdev {

/// Opens the ethdev port of `address`: NAME[,DEVARGS], as DPDK's --vdev and -a take it. A port that EAL
/// holds already is taken over by name; otherwise rte_dev_probe makes it. Closing the driver closes the
/// ethdev port and, when it was the last of its device, removes the device from EAL.
/// EBUSY when another part of the process owns or runs the port; else the errno of DPDK's probe.
Result<std::unique_ptr<net::Driver>> open(std::string_view address);

} // namespace sluice::inline v1::ethdev
