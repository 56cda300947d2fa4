// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The program, with its input and output as arguments so that tests can run it.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace sluice::cfgspace {

/// Runs one command line (without the program's name). `terminal` says whether colours may be used.
int run(const std::vector<std::string>& arguments, bool terminal, std::ostream& out, std::ostream& errors);

} // namespace sluice::cfgspace
