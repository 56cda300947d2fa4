// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "change_points.hpp"
#include "output.hpp"
#include "stats.hpp"

namespace sluice::perf {

namespace {

using Cells = std::vector<std::string>;

// Columns as wide as their widest cell; the first is aligned left, figures right.
std::string aligned(const std::vector<Cells>& rows, std::size_t left_columns) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths.resize(std::max(widths.size(), row.size()));
            widths[i] = std::max(widths[i], row[i].size());
        }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += i < left_columns ? fmt::format("{:<{}}  ", row[i], widths[i])
                                     : fmt::format("{:>{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

std::string percent(double ratio) {
    return fmt::format("{:+.2f}%", 100 * (ratio - 1));
}

std::string interval_cell(const Comparison& one) {
    if (!one.interval)
        return "exact";
    return fmt::format("{} to {}", percent(one.interval->low), percent(one.interval->high));
}

Cells row_of(const Comparison& one) {
    if (one.verdict == Verdict::could_not_run || one.verdict == Verdict::not_comparable)
        return {one.scenario, one.metric, std::string(name_of(one.verdict)), "-", "-", "-", "-"};
    return {one.scenario,
            one.metric,
            std::string(name_of(one.verdict)),
            fmt::format("{:.4g}", one.a),
            fmt::format("{:.4g}", one.b),
            fmt::format("{:.4f}", one.ratio),
            interval_cell(one)};
}

std::string details_of(const Comparison& one) {
    std::string text;
    if (!one.reason.empty() && one.verdict != Verdict::same)
        text += fmt::format("    {}\n", one.reason);
    if (one.more_rounds > 0)
        text += fmt::format("    {} more rounds would decide, after {}\n", one.more_rounds, one.rounds);
    for (std::size_t i = 0; i < std::min<std::size_t>(one.moved.size(), 5); ++i)
        text += fmt::format("    {:+10.3f}  {}\n", one.moved[i].value, one.moved[i].name);
    return text;
}

std::string short_commit(const std::string& commit) {
    return commit.empty() ? "(no commit)" : commit.substr(0, 10);
}

} // namespace

std::string table_text(std::span<const Comparison> comparisons) {
    if (comparisons.empty())
        return "nothing to compare\n";
    std::vector<Cells> rows{{"SCENARIO", "METRIC", "VERDICT", "A", "B", "RATIO", "95% INTERVAL"}};
    for (const auto& one : comparisons)
        rows.push_back(row_of(one));
    std::string lines = aligned(rows, 3), text;
    std::size_t at = lines.find('\n') + 1;
    text = lines.substr(0, at);
    for (const auto& one : comparisons) {
        std::size_t end = lines.find('\n', at) + 1;
        text += lines.substr(at, end - at) + details_of(one);
        at = end;
    }
    return text;
}

std::string counts_text(std::span<const Count> counts) {
    std::vector<Cells> rows{{"SCENARIO", "METRIC", "A PACKET"}};
    for (const auto& one : counts)
        rows.push_back({one.scenario, one.metric, fmt::format("{:.4f}", one.value)});
    return aligned(rows, 2);
}

std::vector<Cells> rate_rows(std::span<const Samples> samples) {
    std::vector<Cells> rows{{"SCENARIO", "RATE", "FRAMES/S", "LOST FROM", "WIRE LATE"}};
    for (const Rate& one : rates_of(samples))
        rows.push_back({one.scenario, one.metric, fmt::format("{:.0f}", one.lower),
                        fmt::format("{:.0f}", one.upper), fmt::format("{:.0f}%", 100 * one.late)});
    return rows;
}

std::vector<Cells> percentile_rows(std::span<const Samples> samples) {
    std::vector<Cells> rows{{"SCENARIO", "METRIC", "UNIT", "SAMPLES", "P50", "P90", "P99", "P99.9", "MAX"}};
    for (const Samples& one : merged(samples)) {
        if (!is_time(one))
            continue;
        Cells row{one.scenario, one.metric, one.unit, std::to_string(one.values.size())};
        for (double p : {0.5, 0.9, 0.99, 0.999, 1.0})
            row.push_back(fmt::format("{:.4g}", quantile(one.values, p)));
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string samples_text(std::span<const Samples> samples) {
    std::string text;
    if (const auto rates = rate_rows(samples); rates.size() > 1)
        text += aligned(rates, 2);
    if (const auto percentiles = percentile_rows(samples); percentiles.size() > 1)
        text += aligned(percentiles, 3);
    return text;
}

std::string history_text(std::span<const Series> series) {
    std::string text;
    for (const auto& one : series) {
        text += fmt::format("{}  {}  {} run{}\n", one.scenario, one.metric, one.points.size(),
                            one.points.size() == 1 ? "" : "s");
        std::vector<double> values;
        for (const auto& point : one.points)
            values.push_back(point.value);
        if (one.exact) {
            for (std::size_t at : exact_changes(values))
                text += fmt::format("    {}  {:.4f} to {:.4f}  ({})\n", short_commit(one.points[at].commit),
                                    values[at - 1], values[at], percent(values[at] / values[at - 1]));
            continue;
        }
        for (const auto& point : change_points(values))
            text += fmt::format("    {}  ratio {:.4f} to {:.4f}, p {:.2g}{}\n",
                                short_commit(one.points[point.index].commit), point.before, point.after,
                                point.p, point.pending ? ", pending: fewer than 5 runs since" : "");
    }
    return text.empty() ? "the history holds no figures yet\n" : text;
}

std::string summary_text(std::span<const Comparison> comparisons, ExitCode code) {
    std::string text;
    for (Verdict verdict : {Verdict::could_not_run, Verdict::not_comparable, Verdict::regressed,
                            Verdict::too_noisy, Verdict::same, Verdict::improved}) {
        auto count = std::ranges::count(comparisons, verdict, &Comparison::verdict);
        if (count > 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(verdict));
    }
    return fmt::format("{}; exit {}\n", text.empty() ? "nothing compared" : text, static_cast<int>(code));
}

} // namespace sluice::perf
