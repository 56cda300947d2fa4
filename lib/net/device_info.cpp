// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/net/device_info.hpp>

namespace sluice::inline v1::net {

DriverInfo describe(const device::Device& device) {
    const device::Identity& identity = device.identity();
    DriverInfo info;
    info.name = identity.name;
    info.vendor_id = identity.vendor;
    info.device_id = identity.device;
    info.numa_node = identity.numa_node;
    // A physical device's transport is named after the kernel driver that holds it.
    const std::string& transport = identity.transport;
    const bool kernel = transport.ends_with("-pci");
    info.transport = kernel ? transport.substr(0, transport.size() - 4) : transport;
    info.kernel_driver = kernel ? transport : std::string();
    return info;
}

} // namespace sluice::inline v1::net
