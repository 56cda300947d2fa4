// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Other tools that bind devices when the system starts.
#pragma once

#include <string>

#include <sluice/pci/sysfs.hpp>

namespace sluice::devbind {

/// "driverctl gives it to vfio-pci (/etc/driverctl.d/0000:01:00.0)", or the same of Debian's dpdk.service;
/// empty when neither speaks of the device, or when it names `driver`.
std::string claimed_by(const pci::Roots& roots, const pci::Address& address, const std::string& driver);

} // namespace sluice::devbind
