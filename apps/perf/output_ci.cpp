// SPDX-License-Identifier: BSD-3-Clause
// For continuous integration: JUnit and Markdown.
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
        return fmt::format("<skipped message=\"{}; {} more rounds would decide\"/>", why, one.more_rounds);
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

std::string ratio_cell(const Comparison& one) {
    return one.interval ? fmt::format("{:.4f} to {:.4f}", one.interval->low, one.interval->high) : "exact";
}

} // namespace

std::string junit_text(std::span<const Comparison> comparisons) {
    int failures = 0, errors = 0, skipped = 0;
    std::string cases;
    for (const auto& one : comparisons) {
        failures += one.verdict == Verdict::regressed || one.verdict == Verdict::not_comparable;
        errors += one.verdict == Verdict::could_not_run;
        skipped += one.verdict == Verdict::too_noisy;
        cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\">{}</testcase>\n",
                             escaped(one.scenario), escaped(one.metric), outcome(one));
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        "  <testsuite name=\"sluice-perf\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n"
        "{}  </testsuite>\n</testsuites>\n",
        comparisons.size(), failures, errors, skipped, cases);
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
    const auto& from = document.environment;
    text += fmt::format("\n{}; DPDK {}; {}; {}; commit {}{}\n", from.toolchain, from.dpdk, from.kernel,
                        from.cpu, from.commit.substr(0, 12), from.dirty ? " with changes" : "");
    if (!document.command.empty())
        text += fmt::format("\n    {}\n", document.command);
    return text;
}

} // namespace sluice::perf
