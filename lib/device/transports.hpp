// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What open() chooses from.
#pragma once

#include <memory>

#include <sluice/base/error.hpp>
#include <sluice/device/device.hpp>
#include <sluice/device/open.hpp>
#include <sluice/pci/sysfs.hpp>

#include "file_device.hpp"

namespace sluice::inline v1::device {

Result<std::unique_ptr<Device>> open_vfio(const pci::Function& function, const pci::Sysfs& sysfs,
                                          OpenMark mark, const OpenOptions& options);
Result<std::unique_ptr<Device>> open_kmod(const pci::Function& function, const pci::Sysfs& sysfs,
                                          OpenMark mark, const OpenOptions& options);
Result<std::shared_ptr<AddressSpace>> new_vfio_space();
Result<std::shared_ptr<AddressSpace>> new_kmod_space(const pci::Function& function);

} // namespace sluice::inline v1::device
