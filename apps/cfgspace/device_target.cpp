// SPDX-License-Identifier: BSD-3-Clause
#include "device_target.hpp"

#include <cerrno>

#include <sluice/device/open.hpp>
#include <sluice/pci/address.hpp>

namespace sluice::cfgspace {

Result<void> DeviceTarget::open(const std::string& name, config::Policy policy) {
    if (policy != config::Policy::strict)
        return fail(EINVAL,
                    "a device is written through its driver's engine, which is strict: leave --policy out",
                    name);
    auto address = pci::Address::parse(name);
    if (!address)
        return propagate(std::move(address));
    auto device = device::open(*address);
    if (!device)
        return propagate(std::move(device));
    device_ = std::move(*device);
    return {};
}

} // namespace sluice::cfgspace
