// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/vfio_user.hpp>

#include <cerrno>
#include <utility>

#include "tables.hpp"

namespace sluice::inline v1::drivers {

Result<std::unique_ptr<net::Driver>> open_vfio_user(const net::Uri& uri) {
    auto device = device::connect(uri.address());
    if (!device)
        return propagate(std::move(device));
    const device::Identity& identity = (*device)->identity();
    const net::Description* description = find_driver(identity.vendor, identity.device);
    if (description == nullptr)
        return fail(ENOTSUP, "no driver here drives the device that is served there", uri.text());
    return description->open(std::move(*device));
}

} // namespace sluice::inline v1::drivers
