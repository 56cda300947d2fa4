// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Names of classes and devices from pci.ids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::cfgspace {

/// "Ethernet controller: Intel Corporation 82574L [8086:10d3]". `class_code` has 24 bits.
std::string device_title(std::uint32_t class_code, std::uint16_t vendor, std::uint16_t device);

/// `text` in lower case: names are compared by it.
std::string folded(std::string_view text);

} // namespace sluice::cfgspace
