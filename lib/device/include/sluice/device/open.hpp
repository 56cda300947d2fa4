// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Opening a physical device.
#pragma once

#include <memory>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/config/policy.hpp>
#include <sluice/config/recorder.hpp>
#include <sluice/device/device.hpp>

namespace sluice::inline v1::pci {
struct Address;
}

namespace sluice::inline v1::device {

/// How a physical device is reached.
enum class Transport : std::uint8_t {
    any,    ///< by the driver that is bound: vfio-pci or sluice-pci
    vfio,   ///< kernel VFIO's group interface; key transport=vfio
    sluice, ///< sluice_pci.ko; key transport=sluice
};

struct OpenOptions {
    Transport transport = Transport::any;

    /// The space to open into; null: one that the process shares between all devices of a transport whose
    /// IOMMU units can take it. EINVAL from open() when the device's IOMMU cannot take the space given.
    std::shared_ptr<AddressSpace> space = nullptr;

    /// sluice-pci: close the floor behind the engine's mask, for as long as the device is open.
    bool seal_floor = false;

    /// Whose rules the config space follows; the kernels' are for comparison with vfio-pci.
    config::Policy policy = config::Policy::strict;

    /// Told of each access that the engine makes below itself, once the device is open; must outlive it.
    /// Null: nobody.
    config::Observer* observer = nullptr;
};

/// Opens the device at `address`. Errors say why a device cannot be used and what to do: ENODEV no such
/// device or no driver of ours, EBUSY in use, EPERM, EACCES no right to the node, EINVAL the other transport
/// was insisted on.
Result<std::unique_ptr<Device>> open(const pci::Address& address, const OpenOptions& options = {});

/// An empty space that the device at `address` can be opened into: to keep devices apart that would share
/// one.
Result<std::shared_ptr<AddressSpace>> new_space(const pci::Address& address,
                                                Transport transport = Transport::any);

} // namespace sluice::inline v1::device
