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

} // namespace sluice::perf
