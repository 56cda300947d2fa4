// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// How many function resets one write of Initiate Function Level Reset makes.
#pragma once

#include <string>

#include "subject.hpp"

namespace sluice::configdiff {

/// On a virtio function: writes the bit once, and counts the writes of it that the engine passes on, the
/// resets that the kernel makes, and looks at a register that a reset clears. The kernel's resets are the
/// hits of the probe sluice_reset, which the caller has set. Prints what it found; true if each was exactly
/// as it must be.
bool one_reset_for_one_write(Route route, const std::string& bdf);

} // namespace sluice::configdiff
