// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>

#include "history.hpp"
#include "json.hpp"
#include "options.hpp"
#include "results.hpp"
#include "rounds.hpp"
#include "subject.hpp"

namespace sluice::perf {

/// How exact counts are taken and held against the budgets. Left empty where they cannot be.
struct Counting {
    std::function<Result<std::vector<Count>>(const Arm& arm, const std::vector<Listed>& scenarios)> count;
    std::function<Result<std::vector<Comparison>>(const std::vector<Count>& counts)> against_budgets;
    /// Puts counts into the budgets: all of them, or (not `all`) those that are lower or new.
    std::function<Result<>(const std::vector<Count>& counts, bool all)> into_budgets;
};

struct Context {
    std::ostream& out;
    std::ostream& err;
    Counting counting;
    std::string command_line; ///< of this program, as typed
    bool terminal = false;    ///< progress is redrawn on one line
};

/// Runs one command and returns the exit status.
int run_command(const Options& options, Context& context);

/// What a command asks of the world once, then hands around.
struct Session {
    const Options& options;
    Context& context;
    History history;
    std::int64_t run = 0;
    std::string started;
    Document document;
};

/// The scenarios of a build that the options name.
Result<std::vector<Listed>> chosen_scenarios(const Options& options, const std::filesystem::path& build);

/// Interleaved times of A and B; samples are kept round by round.
std::vector<Comparison> compare_times(Session& session, const Arm& a, const Arm& b,
                                      const std::vector<Listed>& scenarios);

/// Rates and latency of a build alone, into the session's document: samples, and a verdict for what is none.
void record_rates(Session& session, const Arm& arm, const std::vector<Listed>& scenarios);

/// Rates and latency of A and B, trials in turns.
std::vector<Comparison> compare_rates(Session& session, const Arm& a, const Arm& b,
                                      const std::vector<Listed>& scenarios);

/// The command that compares a scenario of A and B again; `kind`: "--time", "--full".
std::string again(const Options& options, const Arm& a, const Arm& b, const std::string& scenario,
                  const char* kind);

/// Exact: any rise is a regression, but for simulated misses and mispredictions, which may move by 0.5%.
std::vector<Comparison> compare_counts(const std::vector<Count>& a, const std::vector<Count>& b);

int show(const Options& options, Context& context);
int export_run(const Options& options, Context& context);
int bisect(const Options& options, Context& context);
int bisect_step(const Options& options, Context& context);

/// Writes what the options ask for; the table when they ask for no JSON.
Result<> write_results(const Options& options, Context& context, const Document& document, const Run& run,
                       const std::vector<Series>& series);

/// Says why on the error stream; exit_usage.
int complain(Context& context, const Error& error);

} // namespace sluice::perf
