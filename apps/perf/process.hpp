// SPDX-License-Identifier: BSD-3-Clause
// One program, run to its end.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>

namespace sluice::perf {

struct Command {
    std::vector<std::string> words;           ///< the program first; looked for in PATH
    std::optional<unsigned> cpu = {};         ///< the one that it is pinned to
    bool empty_environment = false;           ///< as `env -i`
    std::chrono::milliseconds limit{120'000}; ///< then it is killed, with what it started
};

struct Output {
    int status = 0; ///< exit status; 128 + signal
    std::string out;
    std::string err;
};

/// Runs and waits. Fails when it cannot be started (ENOENT …) or takes too long (ETIMEDOUT).
Result<Output> run(const Command& command);

std::string last_line(std::string_view text);
std::string first_line(std::string_view text);

/// CPUs that this process may run on, lowest first.
std::vector<unsigned> usable_cpus();

} // namespace sluice::perf
