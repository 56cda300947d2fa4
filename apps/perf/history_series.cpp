// SPDX-License-Identifier: BSD-3-Clause
// What the history says over time.
#include <algorithm>
#include <map>

#include "history.hpp"
#include "stats.hpp"

namespace sluice::perf {

namespace {

using Key = std::pair<std::string, std::string>;

Series& series_of(std::map<Key, Series>& all, const std::string& scenario, const std::string& metric,
                  bool exact) {
    Series& series = all[{scenario, metric}];
    series.scenario = scenario;
    series.metric = metric;
    series.exact = exact;
    return series;
}

} // namespace

Result<std::vector<Series>> History::series() const {
    auto all_runs = runs();
    if (!all_runs)
        return propagate(std::move(all_runs));
    std::map<Key, Series> all;
    for (const auto& run : *all_runs) {
        auto exact = counts(run.id);
        auto judged = comparisons(run.id);
        if (!exact || !judged)
            return propagate(exact ? Result<>(tl::unexpected(judged.error()))
                                   : Result<>(tl::unexpected(exact.error())));
        Point point{.run = run.id,
                    .commit = run.environment.commit,
                    .started = run.started,
                    .interval = {},
                    .command = run.command};
        for (const auto& count : *exact) {
            point.value = count.value;
            series_of(all, count.scenario, count.metric, true).points.push_back(point);
        }
        for (const auto& one : *judged) {
            if (!one.interval)
                continue;
            Point ratio = point;
            ratio.value = one.ratio;
            ratio.interval = one.interval;
            ratio.command = one.command.empty() ? run.command : one.command;
            series_of(all, one.scenario, one.metric, false).points.push_back(std::move(ratio));
        }
    }
    std::vector<Series> list;
    for (auto& [key, series] : all)
        list.push_back(std::move(series));
    return list;
}

} // namespace sluice::perf
