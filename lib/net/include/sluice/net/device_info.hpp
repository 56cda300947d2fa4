// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What every driver says of the device that it took.
#pragma once

#include <sluice/device/device.hpp>
#include <sluice/net/driver.hpp>

namespace sluice::inline v1::net {

/// Name, ids, node, transport and kernel driver as the open device has them; the rest is the driver's.
DriverInfo describe(const device::Device& device);

} // namespace sluice::inline v1::net
