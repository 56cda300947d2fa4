// SPDX-License-Identifier: BSD-3-Clause
#include "verdict.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace sluice::perf {

namespace {

constexpr double control_coverage = 0.99;

std::vector<double> log_ratios(const std::vector<double>& above, const std::vector<double>& below) {
    std::vector<double> ratios(above.size());
    std::ranges::transform(above, below, ratios.begin(),
                           [](double x, double y) { return std::log(x) - std::log(y); });
    return ratios;
}

Interval exponential(Interval logs) {
    return {std::exp(logs.low), std::exp(logs.high)};
}

bool usable(const Rounds& rounds) {
    auto positive = [](double one) { return std::isfinite(one) && one > 0; };
    return !rounds.a.empty() && rounds.a.size() == rounds.b.size() &&
           rounds.a.size() == rounds.control.size() && std::ranges::all_of(rounds.a, positive) &&
           std::ranges::all_of(rounds.control, positive) && std::ranges::all_of(rounds.b, positive);
}

// n (half-width / margin)^2 rounds make the interval as narrow as the margin.
std::uint32_t rounds_missing(std::uint32_t rounds, double half_width, double margin) {
    double all = rounds * std::pow(half_width / std::log1p(margin), 2);
    double missing = std::max(std::ceil(all) - rounds, double{batch_rounds});
    return static_cast<std::uint32_t>(std::min(missing, 1e6));
}

} // namespace

void decide(Comparison& result) {
    const Interval& interval = *result.interval;
    double limit = 1 + result.margin;
    if (result.rounds < fewest_rounds) {
        result.verdict = Verdict::too_noisy;
        result.reason = fmt::format("{} rounds are too few to judge by", result.rounds);
    } else if (!result.control->contains(1)) {
        result.verdict = Verdict::too_noisy;
        result.reason = fmt::format("A differs from itself ({:.4f} to {:.4f} at 99%)", result.control->low,
                                    result.control->high);
    } else if (interval.low > 1 && result.ratio >= limit) {
        result.verdict = Verdict::regressed;
        result.reason = fmt::format("{:+.2f}%, {:+.2f}% to {:+.2f}%", 100 * (result.ratio - 1),
                                    100 * (interval.low - 1), 100 * (interval.high - 1));
    } else if (interval.high < 1 && result.ratio <= 1 / limit) {
        result.verdict = Verdict::improved;
    } else if (interval.high < limit) {
        result.verdict = Verdict::same;
    } else {
        result.verdict = Verdict::too_noisy;
        result.reason = fmt::format("{:.4f} to {:.4f} does not tell the margin {:.2f}% from nothing",
                                    interval.low, interval.high, 100 * result.margin);
    }
}

Comparison judge(const Rounds& rounds, const Rule& rule) {
    Comparison result;
    result.margin = rule.margin;
    result.seed = rule.seed;
    result.rounds = static_cast<std::uint32_t>(rounds.a.size());
    if (!usable(rounds)) {
        result.verdict = Verdict::could_not_run;
        result.reason = "an arm has no figure, or one that is not positive";
        return result;
    }
    result.a = median(rounds.a);
    result.b = median(rounds.b);
    auto d = log_ratios(rounds.b, rounds.a);
    MedianBootstrap bootstrap(d, rule.seed, rule.resamples);
    unsigned looks = std::max(rule.looks, 1U);
    Interval logs = bootstrap.interval(1 - rule.level / looks);
    result.ratio = std::exp(bootstrap.estimate());
    result.interval = exponential(logs);
    result.hodges_lehmann = std::exp(hodges_lehmann(d));
    result.outliers = count_outliers(d);
    result.p = std::min(1.0, looks * bootstrap.p_of(0));
    auto control = log_ratios(rounds.control, rounds.a);
    result.control =
        exponential(MedianBootstrap(control, rule.seed, rule.resamples).interval(control_coverage));
    decide(result);
    if (result.verdict == Verdict::too_noisy)
        result.more_rounds = rounds_missing(result.rounds, (logs.high - logs.low) / 2, rule.margin);
    return result;
}

void judge_together(std::vector<Comparison>& comparisons, double level) {
    std::vector<double> p;
    std::vector<Comparison*> judged;
    for (auto& one : comparisons) {
        if (!one.interval)
            continue;
        judged.push_back(&one);
        p.push_back(one.p);
    }
    auto adjusted = holm(p);
    for (std::size_t i = 0; i < judged.size(); ++i) {
        Comparison& one = *judged[i];
        bool claims = one.verdict == Verdict::regressed || one.verdict == Verdict::improved;
        if (!claims || adjusted[i] <= level)
            continue;
        one.reason = fmt::format("{} alone, but not as one of {} (p {:.3f} by Holm)", name_of(one.verdict),
                                 p.size(), adjusted[i]);
        one.verdict = Verdict::too_noisy;
        double half = (std::log(one.interval->high) - std::log(one.interval->low)) / 2;
        one.more_rounds = rounds_missing(one.rounds, half, one.margin);
    }
}

} // namespace sluice::perf
