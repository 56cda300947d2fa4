// SPDX-License-Identifier: BSD-3-Clause
#include "results.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

namespace sluice::perf {

namespace {

struct Row {
    Verdict verdict;
    std::string_view name;
    ExitCode code;
    int badness;
};

constexpr std::array<Row, 6> verdicts{{
    {Verdict::improved, "improved", exit_done, 0},
    {Verdict::same, "same", exit_done, 1},
    {Verdict::too_noisy, "too-noisy", exit_noisy, 2},
    {Verdict::not_comparable, "not-comparable", exit_usage, 3},
    {Verdict::regressed, "regressed", exit_no, 4},
    {Verdict::could_not_run, "could-not-run", exit_usage, 5},
}};

const Row& row_of(Verdict verdict) noexcept {
    return *std::ranges::find(verdicts, verdict, &Row::verdict);
}

} // namespace

std::vector<Function> moved_between(const std::vector<Function>& before, const std::vector<Function>& after) {
    constexpr std::size_t most = 10;
    constexpr double last_digit = 5e-7; // half of the last that is kept
    std::map<std::string, double> change;
    for (const auto& one : after)
        change[one.name] += one.value;
    for (const auto& one : before)
        change[one.name] -= one.value;
    std::vector<Function> moved;
    for (const auto& [name, value] : change)
        if (std::abs(value) > last_digit)
            moved.push_back({name, value});
    std::ranges::sort(moved, {}, [](const Function& one) {
        return std::pair(-std::abs(one.value), std::string_view(one.name));
    });
    moved.resize(std::min(moved.size(), most));
    return moved;
}

std::string_view name_of(Verdict verdict) noexcept {
    return row_of(verdict).name;
}

std::optional<Verdict> verdict_named(std::string_view name) noexcept {
    const auto* row = std::ranges::find(verdicts, name, &Row::name);
    return row == verdicts.end() ? std::nullopt : std::optional(row->verdict);
}

ExitCode exit_code_of(Verdict verdict) noexcept {
    return row_of(verdict).code;
}

std::vector<Samples> merged(std::span<const Samples> samples) {
    std::vector<Samples> all;
    for (const Samples& one : samples) {
        if (one.metric == "offered" || one.metric == "lost")
            continue;
        const auto same = std::ranges::find_if(all, [&](const Samples& other) {
            return other.scenario == one.scenario && other.metric == one.metric && other.arm == one.arm;
        });
        if (same == all.end())
            all.push_back(one);
        else
            same->values.insert(same->values.end(), one.values.begin(), one.values.end());
    }
    return all;
}

bool is_time(const Samples& samples) noexcept {
    return samples.unit != "frames/s" && samples.unit != "share";
}

std::vector<Rate> rates_of(std::span<const Samples> samples) {
    std::vector<Rate> rates;
    for (const Samples& one : merged(samples)) {
        if (one.unit == "frames/s" && one.values.size() == 2)
            rates.push_back({one.scenario, one.metric, one.values[0], one.values[1]});
        else if (!rates.empty() && one.metric == rates.back().metric + "-late" && !one.values.empty())
            rates.back().late = one.values[0];
    }
    return rates;
}

ExitCode exit_code_of(std::span<const Comparison> comparisons, bool noisy_passes) noexcept {
    bool regressed = false, failed = false, noisy = false;
    for (const auto& one : comparisons) {
        ExitCode code = exit_code_of(one.verdict);
        regressed |= code == exit_no;
        failed |= code == exit_usage;
        noisy |= code == exit_noisy;
    }
    if (failed)
        return exit_usage;
    if (regressed)
        return exit_no;
    return noisy && !noisy_passes ? exit_noisy : exit_done;
}

void sort_worst_first(std::vector<Comparison>& comparisons) {
    std::ranges::sort(comparisons, [](const Comparison& x, const Comparison& y) {
        auto key = [](const Comparison& one) {
            return std::tuple(-row_of(one.verdict).badness, -one.ratio, std::string_view(one.scenario),
                              std::string_view(one.metric));
        };
        return key(x) < key(y);
    });
}

} // namespace sluice::perf
