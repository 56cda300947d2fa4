// SPDX-License-Identifier: BSD-3-Clause
// What is measured and what is said about it: counts, samples, comparisons and verdicts. Plain values, no
// dependencies.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::perf {

enum class Verdict { improved, same, too_noisy, regressed, not_comparable, could_not_run };

/// As it stands in tables and files: "too-noisy".
std::string_view name_of(Verdict verdict) noexcept;
std::optional<Verdict> verdict_named(std::string_view name) noexcept;

enum ExitCode { exit_done = 0, exit_no = 1, exit_usage = 2, exit_noisy = 3 };

/// 0 same or improved, 1 regressed, 2 not comparable or could not run, 3 too noisy.
ExitCode exit_code_of(Verdict verdict) noexcept;

/// A function and its share of a count, an item a packet (or how much that share moved).
struct Function {
    std::string name;
    double value = 0;
    friend bool operator==(const Function&, const Function&) = default;
};

/// The ten functions whose share moved most, with by how much; largest first.
std::vector<Function> moved_between(const std::vector<Function>& before, const std::vector<Function>& after);

/// One deterministic figure of one scenario, a packet (doorbells: a burst).
struct Count {
    std::string scenario;
    std::string
        metric; ///< "instructions", "loads", "stores", "lines-descriptor", "doorbells", "pool-operations" …
    double value = 0;
    std::vector<Function> functions; ///< largest first; empty where they are not known
};

/// Raw samples of one metric of one process.
struct Samples {
    std::string scenario;
    std::string metric; ///< "time", "latency", "open"
    std::string unit;   ///< "ns/packet"
    std::string arm;    ///< "A", "A'", "B"; "" for a lone recording
    std::uint32_t round = 0;
    std::vector<double> values;
};

/// What is shown of samples: those of one scenario, metric and arm as one, in the order of their first;
/// without what single trials of a rate offered and lost.
std::vector<Samples> merged(std::span<const Samples> samples);

/// Rates and shares are no times: they have no percentiles.
bool is_time(const Samples& samples) noexcept;

/// A rate that was found: between these bounds, in frames a second.
struct Rate {
    std::string scenario;
    std::string metric; ///< "ndr", "pdr"
    double lower = 0;   ///< was carried
    double upper = 0;   ///< was not
    double late = 0;    ///< share of what was lost there that the wire itself was late with
};
std::vector<Rate> rates_of(std::span<const Samples> samples);

struct Interval {
    double low = 0;
    double high = 0;
    bool contains(double value) const noexcept { return low <= value && value <= high; }
    friend bool operator==(const Interval&, const Interval&) = default;
};

/// One scenario and metric of A beside B. Cost: more is worse; `ratio` is B's cost over A's.
struct Comparison {
    std::string scenario;
    std::string metric;
    std::string unit;
    double a = 0;
    double b = 0;
    double ratio = 1;
    std::optional<Interval> interval; ///< of the ratio; none for counts
    std::optional<Interval> control;  ///< 99% interval of A' over A
    double hodges_lehmann = 1;        ///< the second estimate of the ratio
    double margin = 0;                ///< 0.02: two in a hundred
    double p = 1;
    std::uint32_t rounds = 0;
    std::uint32_t more_rounds = 0; ///< that would decide, when too noisy
    std::uint32_t outliers = 0;
    std::uint64_t seed = 0;
    Verdict verdict = Verdict::same;
    std::string reason;          ///< one line; always there unless same or improved
    std::vector<Function> moved; ///< counts: functions whose share changed, largest change first
    std::string command;         ///< reproduces the figure
};

/// The exit status of a whole run: could not run before regressed before too noisy before done.
/// `noisy_passes`: too noisy is 0.
ExitCode exit_code_of(std::span<const Comparison> comparisons, bool noisy_passes = false) noexcept;

/// Worst first: could not run, regressed (largest ratio first), too noisy, same, improved.
void sort_worst_first(std::vector<Comparison>& comparisons);

} // namespace sluice::perf
