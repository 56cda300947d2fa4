// SPDX-License-Identifier: BSD-3-Clause
// For continuous integration: JUnit and Markdown.
#include <span>

#include <fmt/format.h>

#include "output.hpp"

namespace sluice::perf {

namespace {

std::string escaped(std::string_view text) {
    std::string result;
    for (char one : text) {
        switch (one) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&quot;";
            break;
        default:
            result += static_cast<unsigned char>(one) < 0x20 ? ' ' : one;
        }
    }
    return result;
}

std::string outcome(const Comparison& one) {
    std::string why = escaped(one.reason.empty() ? name_of(one.verdict) : std::string_view(one.reason));
    switch (one.verdict) {
    case Verdict::regressed:
    case Verdict::not_comparable:
        return fmt::format("<failure message=\"{}\"/>", why);
    case Verdict::could_not_run:
        return fmt::format("<error message=\"{}\"/>", why);
    case Verdict::too_noisy:
        return one.more_rounds == 0 ? fmt::format("<skipped message=\"{}\"/>", why)
                                    : fmt::format("<skipped message=\"{}; {} more rounds would decide\"/>",
                                                  why, one.more_rounds);
    default:
        return {};
    }
}

std::string cell(std::string_view text) {
    std::string result;
    for (char one : text) {
        if (one == '|')
            result += '\\';
        result += one == '\n' ? ' ' : one;
    }
    return result;
}

std::string markdown_table(const std::vector<std::vector<std::string>>& rows) {
    if (rows.size() < 2)
        return {};
    std::string text;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (const std::string& one : rows[i])
            text += fmt::format("| {} ", cell(one));
        text += "|\n";
        for (std::size_t column = 0; i == 0 && column < rows[i].size(); ++column)
            text += "|---";
        text += i == 0 ? "|\n" : "";
    }
    return text + '\n';
}

std::string ratio_cell(const Comparison& one) {
    return one.interval ? fmt::format("{:.4f} to {:.4f}", one.interval->low, one.interval->high) : "exact";
}

} // namespace

std::string junit_text(const Document& document) {
    int failures = 0, errors = 0, skipped = 0;
    std::size_t count = 0;
    std::string cases;
    const auto add = [&](const std::string& scenario, const std::string& metric, const std::string& what) {
        cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\">{}</testcase>\n", escaped(scenario),
                             escaped(metric), what);
        ++count;
    };
    for (const auto& one : document.comparisons) {
        failures += one.verdict == Verdict::regressed || one.verdict == Verdict::not_comparable;
        errors += one.verdict == Verdict::could_not_run;
        skipped += one.verdict == Verdict::too_noisy;
        add(one.scenario, one.metric, outcome(one));
    }
    const auto rates = rates_of(document.samples);
    for (const Rate& one : rates)
        add(one.scenario, one.metric,
            fmt::format("<system-out>{:.0f} frames/s, lost from {:.0f}</system-out>", one.lower, one.upper));
    const auto rows = percentile_rows(document.samples);
    for (std::size_t i = 1; i < rows.size() && !rates.empty(); ++i)
        add(rows[i][0], rows[i][1],
            fmt::format("<system-out>{}: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}</system-out>",
                        escaped(rows[i][2]), rows[i][4], rows[i][5], rows[i][6], rows[i][7], rows[i][8]));
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        "  <testsuite name=\"sluice-perf\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n"
        "{}  </testsuite>\n</testsuites>\n",
        count, failures, errors, skipped, cases);
}

std::string markdown_text(const Document& document) {
    std::string text;
    if (!document.comparisons.empty())
        text += "| Scenario | Metric | Verdict | A | B | Ratio | 95% interval | Why "
                "|\n|---|---|---|---|---|---|---|---|\n";
    for (const auto& one : document.comparisons) {
        std::string why = one.reason;
        for (const auto& function : one.moved)
            why += fmt::format("{}{:+.3f} `{}`", why.empty() ? "" : "; ", function.value, function.name);
        text += fmt::format("| `{}` | {} | **{}** | {:.4g} | {:.4g} | {:.4f} | {} | {} |\n",
                            cell(one.scenario), cell(one.metric), name_of(one.verdict), one.a, one.b,
                            one.ratio, ratio_cell(one), cell(why));
    }
    if (!document.counts.empty())
        text += "| Scenario | Metric | A packet |\n|---|---|---|\n";
    for (const auto& one : document.counts)
        text += fmt::format("| `{}` | {} | {:.2f} |\n", cell(one.scenario), cell(one.metric), one.value);
    if (document.comparisons.empty() || !rates_of(document.samples).empty()) {
        text += markdown_table(rate_rows(document.samples));
        text += markdown_table(percentile_rows(document.samples));
    }
    const auto& from = document.environment;
    text += fmt::format("\n{}; DPDK {}; {}; {}; commit {}{}\n", from.toolchain, from.dpdk, from.kernel,
                        from.cpu, from.commit.substr(0, 12), from.dirty ? " with changes" : "");
    if (!document.command.empty())
        text += fmt::format("\n    {}\n", document.command);
    return text;
}

} // namespace sluice::perf
