// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A function opened through its transport, to be written to.
#pragma once

#include <memory>
#include <string>

#include <sluice/config/space.hpp>
#include <sluice/device/device.hpp>

namespace sluice::cfgspace {

class DeviceTarget {
  public:
    /// Opens the function at `address`, which vfio-pci or sluice-pci must hold. A device's own space is
    /// strict: another policy is refused.
    Result<void> open(const std::string& address, config::Policy policy);

    config::Space& space() noexcept { return device_->config(); }

  private:
    std::unique_ptr<device::Device> device_;
};

} // namespace sluice::cfgspace
