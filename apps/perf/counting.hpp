// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "commands.hpp"

namespace sluice::perf {

/// Counts by count.hpp, two processes at a time, held against the budgets of the tree that the working folder
/// lies in.
Counting make_counting(const Options& options, std::ostream& progress, bool terminal);

} // namespace sluice::perf
