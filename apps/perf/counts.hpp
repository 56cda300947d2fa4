// SPDX-License-Identifier: BSD-3-Clause
// Deterministic figures: what a scenario costs a packet, by callgrind and by a plugin of QEMU's user
// emulation.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>

#include "results.hpp"

namespace sluice::perf {

struct CountOptions {
    unsigned jobs = 2; ///< processes at a time
    std::string side = "ours";
    std::function<void(std::size_t done, std::size_t all)> progress = nullptr;
};

/// Everything that is counted of these scenarios, in their order; a scenario's metrics in one order:
/// "instructions" (with functions), "loads", "stores" by callgrind; by the plugin "lines" (distinct 64-byte
/// lines a packet but those of payload) and of these "lines-descriptor", "-mbuf0", "-mbuf1", "-own", "-pool",
/// "lines-payload", "pool-operations", and "doorbells" (a burst). Idle scenarios: a poll in place of a
/// packet. ENOENT: no such build, or valgrind or qemu-user is missing. EIO with the measured program's own
/// line.
Result<std::vector<Count>> count(const std::filesystem::path& build,
                                 const std::vector<std::string>& scenarios, const CountOptions& options = {});

/// What the build's compiler, options and DPDK are: only figures of equal ones compare.
Result<std::string> built_by(const std::filesystem::path& build);

/// What callgrind wrote: totals of instructions, loads and stores, and the first by function (its own,
/// without its callees), largest first.
struct Callgrind {
    double instructions = 0;
    double loads = 0;
    double stores = 0;
    std::vector<Function> functions;
};
Result<Callgrind> parse_callgrind(std::string_view text);

/// What the plugin wrote, with the ranges of memory that the measured program printed. Sums over all turns.
struct Marked {
    double instructions = 0;
    double turns = 0;
    double watched = 0; ///< stores to the pool's own words: operations on it
    double doorbells = 0;
    std::vector<Function> lines; ///< distinct lines a turn by kind, summed
};
Result<Marked> parse_marked(std::string_view report, std::string_view layout);

} // namespace sluice::perf
