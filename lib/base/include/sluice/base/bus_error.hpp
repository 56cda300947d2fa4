// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Surviving another process that takes back the memory which it shared.
#pragma once

namespace sluice::inline v1 {

/// For a SIGBUS handler. True when `address` lies in a SharedMemory: all of that mapping is zeroes from now
/// on, and whoever serves its owner drops him at the next pump(). Async-signal-safe; errno is kept.
bool absorb_bus_error(void* address) noexcept;

/// Installs a handler of SIGBUS that calls absorb_bus_error(), and otherwise does what was to be done before.
/// A program calls it once, before it serves; the library never does.
void handle_bus_errors() noexcept;

} // namespace sluice::inline v1
