// SPDX-License-Identifier: BSD-3-Clause
// The measured program of a build, started and read.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>

#include "results.hpp"

namespace sluice::perf {

/// A scenario as the measured program itself lists it.
struct Listed {
    std::string id;
    std::string driver;
    bool ci = false;
    bool full = false; ///< --full measures it when none is named
    double margin = 0.02;
};

/// What runs as one arm of a comparison: the program of a build, with our driver or DPDK's.
struct Arm {
    std::filesystem::path build;
    std::string side = "ours"; ///< or "dpdk"

    std::filesystem::path program() const { return build / "apps/perf/subject/sluice-perf-subject"; }
};

Result<std::vector<Listed>> list_scenarios(const std::filesystem::path& build);

/// The words that measure one scenario once.
std::vector<std::string> time_words(const Arm& arm, const std::string& scenario);

/// One process, pinned to `cpu`, with an empty environment: its samples. Fails with the program's own line.
Result<Samples> time_once(const Arm& arm, const std::string& scenario, std::optional<unsigned> cpu);

/// What became of the frames that one trial of a rate offered.
struct TrialAnswer {
    std::uint64_t offered = 0;
    std::uint64_t returned = 0;
    std::uint64_t full = 0;      ///< lost when they fell due: the driver's receive ring had no buffer
    std::uint64_t late = 0;      ///< lost because the wire itself was late
    std::vector<double> latency; ///< ns, at 1,001 equally spaced ranks of all frames; empty unless asked for

    double loss() const noexcept { return 1 - static_cast<double>(returned) / static_cast<double>(offered); }
};

/// One process and one trial: `rate` frames a second for `seconds`. Fails with the program's own line, and
/// when frames came back wrong or vanished in the driver (EBADMSG).
Result<TrialAnswer> try_rate(const Arm& arm, const std::string& scenario, double rate, double seconds,
                             bool latency);

} // namespace sluice::perf
