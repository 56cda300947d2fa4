// SPDX-License-Identifier: BSD-3-Clause
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include <sluice/model/soft_nic.hpp>

#include "tables.hpp"

namespace sluice::inline v1::drivers {

Result<std::unique_ptr<net::Driver>> open_soft(const net::Uri& uri) {
    static std::atomic<unsigned> next{0};
    if (uri.address() != "virtio")
        return fail(EINVAL, "there is no such model: soft:virtio is the one", uri.text());
    auto options = model::NicOptions::parse([&](std::string_view key) { return uri.get(key); });
    if (!options)
        return propagate(std::move(options));
    options->name = "soft" + std::to_string(next.fetch_add(1));
    auto device = model::make_soft_nic(std::move(*options));
    if (!device)
        return propagate(std::move(device));
    const device::Identity& who = (*device)->identity();
    if (const net::Description* description = find_driver(who.vendor, who.device))
        return description->open(std::move(*device));
    return fail(ENOTSUP, "this build has no driver for the model", uri.text());
}

} // namespace sluice::inline v1::drivers
