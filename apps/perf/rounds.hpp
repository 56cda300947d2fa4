// SPDX-License-Identifier: BSD-3-Clause
// An interleaved run: rounds of A, A again and B, until they decide or time is up.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <vector>

#include <sluice/base/error.hpp>

#include "results.hpp"
#include "verdict.hpp"

namespace sluice::perf {

inline constexpr std::array<const char*, 3> arm_names{"A", "A'", "B"};

/// The order of the arms (0 A, 1 A', 2 B) in a round. Over six rounds each arm stands twice in each place and
/// follows each other arm equally often: a Latin square and its mirror image.
std::array<unsigned, 3> order_of(std::uint32_t round) noexcept;

/// After how many rounds a run of `batches` batches is judged: at doublings, and at its end.
std::vector<std::uint32_t> looks_of(std::uint32_t batches);

struct Plan {
    std::chrono::duration<double> budget{60}; ///< of one scenario
    std::uint32_t most_rounds = 200;
    Rule rule;
};

struct Progress {
    std::uint32_t round = 0;
    std::uint32_t most_rounds = 0; ///< that fit into the budget
    std::chrono::duration<double> left{0};
};

/// What a run needs of the world: measuring, the time, and those who watch. `kept` is called once a round
/// with the samples of its three processes.
struct Surroundings {
    std::function<Result<Samples>(unsigned arm, std::uint32_t round)> measure;
    std::function<std::chrono::duration<double>()> now;
    std::function<void(const Progress&)> progress;
    std::function<Result<>(const std::vector<Samples>&)> kept;
};

/// Measures in batches, judges at each look and stops at the first verdict that is not too noisy. What cannot
/// be measured is could-not-run, with the reason.
Comparison run_rounds(const Plan& plan, const Surroundings& surroundings);

} // namespace sluice::perf
