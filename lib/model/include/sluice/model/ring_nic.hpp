// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Devices to count a driver's instructions on: they take and fill descriptors, and no more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <sluice/base/error.hpp>
#include <sluice/device/device.hpp>
#include <sluice/model/soft_nic.hpp>

namespace sluice::inline v1::model {

/// A kind of device in a form that its driver cannot tell from another: one queue pair, its doorbells are
/// memory, as a mapped BAR's are, and what the driver sends comes back to it in Device::poll(), in order and
/// copied once.
struct RingNic {
    std::string_view name; ///< "82574", "split-mergeable"
    std::uint16_t vendor;
    std::uint16_t device;
    Result<std::unique_ptr<device::Device>> (*make)();
};

/// All of them, those of one device together.
std::span<const RingNic> ring_nics() noexcept;

/// What makes the soft NIC that stands among them by this name; nothing: there is none.
std::optional<NicOptions> soft_nic_form(std::string_view name);

} // namespace sluice::inline v1::model
