// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// SIGINT and SIGTERM as a descriptor.
#pragma once

namespace sluice::testpmd {

/// From here on SIGINT and SIGTERM make the returned descriptor readable; −1 with errno when that fails. One
/// that comes more than three seconds after the first acts as if it had never been caught: a process that
/// hangs can still be ended.
int catch_signals() noexcept;

/// True once a signal came.
bool signalled() noexcept;

} // namespace sluice::testpmd
