// SPDX-License-Identifier: BSD-3-Clause
// What was measured, kept in one SQLite file: runs with their environment, raw samples, counts and verdicts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>

#include "environment.hpp"
#include "results.hpp"

namespace sluice::perf {

/// The format that this program writes. Files of format 1 (no rounds, arms or functions) are brought to it
/// when they are opened; newer ones are left alone.
inline constexpr int history_format = 2;

struct Run {
    std::int64_t id = 0;
    std::string started; ///< UTC, "2026-03-31T12:00:00Z"
    std::string kind;    ///< "record", "compare", "gate"
    std::string command;
    Environment environment;
    bool finished = false; ///< false: it was ended, or still runs
};

/// One value of a series, oldest first.
struct Point {
    std::int64_t run = 0;
    std::string commit;
    std::string started;
    double value = 0;
    std::optional<Interval> interval;
    std::string command;
};

/// The figures of one scenario and metric over all runs: counts as they are, times as the ratio to the
/// control arm.
struct Series {
    std::string scenario;
    std::string metric;
    bool exact = false;
    std::vector<Point> points;
};

/// One open history. All calls are of one thread. Each append is one transaction: what it returned from is
/// kept whatever happens to the program afterwards.
class History {
  public:
    /// Opens, or with `create` makes, the file. One clear line for each file that is not usable: missing,
    /// locked, damaged, another program's, of a newer format; such a file is left as it is.
    static Result<History> open(const std::filesystem::path& path, bool create);

    History(History&&) noexcept;
    History& operator=(History&&) noexcept;
    ~History();

    Result<std::int64_t> begin(const Run& run);
    Result<> append(std::int64_t run, const std::vector<Samples>& samples);
    Result<> append(std::int64_t run, const std::vector<Count>& counts);
    Result<> append(std::int64_t run, const std::vector<Comparison>& comparisons);
    Result<> finish(std::int64_t run, double load_after);

    Result<std::vector<Run>> runs() const;
    Result<std::vector<Samples>> samples(std::int64_t run) const;
    Result<std::vector<Count>> counts(std::int64_t run) const;
    Result<std::vector<Comparison>> comparisons(std::int64_t run) const;
    Result<std::vector<Series>> series() const;

  private:
    struct Store;
    explicit History(std::unique_ptr<Store> store);
    std::unique_ptr<Store> store_;
};

/// $SLUICE_PERF_DATABASE, or sluice/perf.db under $XDG_STATE_HOME or ~/.local/state.
std::filesystem::path default_database();

} // namespace sluice::perf
