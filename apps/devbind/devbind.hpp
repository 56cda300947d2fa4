// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What sluice-devbind does, apart from where it does it.
#pragma once

#include <iosfwd>
#include <string>

#include <sluice/pci/bind.hpp>

#include "options.hpp"

namespace sluice::devbind {

inline constexpr int exit_done = 0;
inline constexpr int exit_refused = 1;
inline constexpr int exit_wrong = 2;

/// The world around the program.
struct Context {
    pci::Sysfs sysfs;
    pci::SysfsWriter& writer;
    std::string ssh; ///< SSH_CONNECTION of the caller, or empty
    std::ostream& out;
    std::ostream& err;
};

/// Does what `options` say; the exit code.
int run(const Options& options, Context& context);

} // namespace sluice::devbind
