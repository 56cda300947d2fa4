// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Starting EAL, with a user's mistakes told in one line.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>

namespace sluice::testpmd {

/// What EAL's own complaint about `-l` and `-m` would bury under its list of options: no number, or a CPU
/// that is not among `online`, the kernel's list of them (`0-3,8`; empty: not known).
Result<> check_eal_arguments(std::span<const std::string> arguments, std::string_view online);

/// The kernel's list of the CPUs that are online; empty where it does not say.
std::string online_cpus();

/// Initialises EAL as the primary process. `arguments` begin with the program's name.
Result<> start_eal(std::vector<std::string> arguments);

} // namespace sluice::testpmd
