// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Which drivers and which URI schemes there are. The tables themselves are generated.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include <sluice/base/error.hpp>
#include <sluice/net/driver.hpp>
#include <sluice/net/uri.hpp>

namespace sluice::inline v1::drivers {

struct Scheme {
    net::SchemeGrammar grammar;
    Result<std::unique_ptr<net::Driver>> (*open)(const net::Uri& uri);
};

std::span<const net::Description* const> pci_drivers() noexcept;
std::span<const Scheme> schemes() noexcept;

inline constexpr std::array<std::string_view, 2> pci_keys = {"driver", "transport"};

/// `pci:BDF[?driver=sluice|ethdev][&transport=vfio|sluice]`. A device with no driver here, and one that EAL
/// holds already, opens through `ethdev:` and says so; driver=sluice makes an error of that.
Result<std::unique_ptr<net::Driver>> open_pci(const net::Uri& uri);

/// The driver here for these ids; null: none.
const net::Description* find_driver(std::uint16_t vendor, std::uint16_t device) noexcept;

/// `vfio-user:PATH`: the device that is served at the socket PATH. ENOTSUP: no driver here drives it.
Result<std::unique_ptr<net::Driver>> open_vfio_user(const net::Uri& uri);

/// `soft:virtio[?backend=…]…`: a soft NIC in this process, under the driver for its ids. Its keys are
/// model::NicOptions::keys.
Result<std::unique_ptr<net::Driver>> open_soft(const net::Uri& uri);

/// True when open_pci would use DPDK's driver although EAL does not hold the device yet.
bool left_to_dpdk(const net::Uri& uri);

} // namespace sluice::inline v1::drivers
