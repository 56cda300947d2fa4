// SPDX-License-Identifier: BSD-3-Clause
// Results as text for people and for CI. Comparisons are written in the order given; sort_worst_first()
// beforehand.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "history.hpp"
#include "json.hpp"
#include "results.hpp"

namespace sluice::perf {

/// A line a result, and below it why, how many rounds would decide, and which functions moved.
std::string table_text(std::span<const Comparison> comparisons);
std::string counts_text(std::span<const Count> counts);
std::string samples_text(std::span<const Samples> samples);

/// Rates and percentiles as rows of cells, the first of them the head; only that where there are none.
std::vector<std::vector<std::string>> rate_rows(std::span<const Samples> samples);
std::vector<std::vector<std::string>> percentile_rows(std::span<const Samples> samples);

/// Each scenario and metric over the runs, with the places where it changed.
std::string history_text(std::span<const Series> series);

/// One line: "2 regressed, 1 too noisy, 14 same; exit 1".
std::string summary_text(std::span<const Comparison> comparisons, ExitCode code);

/// JUnit: regressed and not comparable are failures, could not run is an error, too noisy is skipped with its
/// reason. Rates and latencies that were recorded pass, with their figures as output.
std::string junit_text(const Document& document);

/// A table for a merge request.
std::string markdown_text(const Document& document);

/// What report.html shows.
struct Report {
    Document document; ///< of the run that is shown
    Run run;
    std::vector<Series> series;
};

/// One page that needs nothing else: its script, style and data are in it.
std::string html_text(const Report& report);

} // namespace sluice::perf
