// SPDX-License-Identifier: BSD-3-Clause
// Where and of what a figure comes.
#pragma once

#include <filesystem>
#include <string>

#include <sluice/base/error.hpp>

namespace sluice::perf {

struct Environment {
    std::string commit; ///< 40 digits; empty outside a repository
    std::string parent;
    bool dirty = false;
    std::string toolchain; ///< the compiler's first line and the options that matter
    std::string dpdk;
    std::string kernel;
    std::string cpu;
    std::string governor; ///< "none" where the kernel does not steer the clock
    double load_before = 0;
    double load_after = 0;
};

/// Of a Meson build directory and the machine; load_before is taken now.
Result<Environment> environment_of(const std::filesystem::path& build);

/// The sources that a Meson build directory is of; empty where it is none.
std::filesystem::path source_of(const std::filesystem::path& build);

/// Load of the last minute.
double load_now();

/// Why figures of the two must not be held against each other: another compiler, other options, another DPDK.
/// Empty when they may.
std::string difference(const Environment& a, const Environment& b);

} // namespace sluice::perf
