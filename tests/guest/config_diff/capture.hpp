// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What vfio-pci answers on one device, as a case for tests/config-cases.
#pragma once

#include <string>

#include <sluice/base/error.hpp>

namespace sluice::configdiff {

/// Writes NAME.bin, NAME.wm, NAME.w1c, NAME.scr and NAME.out into `folder`; vfio-pci must hold the function,
/// which is opened twice: once to learn which bits of hardware can be written, once for the answers.
Result<void> capture(const std::string& bdf, const std::string& name, const std::string& folder);

} // namespace sluice::configdiff
