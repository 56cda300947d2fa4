// SPDX-License-Identifier: BSD-3-Clause
#include <nlohmann/json.hpp>

#include "change_points.hpp"
#include "histogram.hpp"
#include "output.hpp"
#include "report_assets.hpp"
#include "stats.hpp"

namespace sluice::perf {

namespace {

using Json = nlohmann::ordered_json;

Json changes_json(const Series& series, const std::vector<double>& values) {
    Json changes = Json::array();
    if (series.exact) {
        for (std::size_t at : exact_changes(values))
            changes.push_back(
                {{"at", at}, {"before", values[at - 1]}, {"after", values[at]}, {"pending", false}});
        return changes;
    }
    for (const auto& point : change_points(values))
        changes.push_back({{"at", point.index},
                           {"before", point.before},
                           {"after", point.after},
                           {"pending", point.pending}});
    return changes;
}

Json series_json(const Series& series) {
    Json json{{"scenario", series.scenario}, {"metric", series.metric}, {"exact", series.exact}};
    std::vector<double> values;
    Json points = Json::array();
    for (const auto& point : series.points) {
        values.push_back(point.value);
        Json one{{"commit", point.commit.substr(0, 10)},
                 {"started", point.started},
                 {"value", point.value},
                 {"command", point.command}};
        one["interval"] = point.interval ? Json{point.interval->low, point.interval->high} : Json(nullptr);
        points.push_back(std::move(one));
    }
    json["points"] = std::move(points);
    json["changes"] = changes_json(series, values);
    return json;
}

Json distributions_json(const std::vector<Samples>& samples) {
    Json list = Json::array();
    for (const Samples& one : merged(samples)) {
        if (!is_time(one))
            continue;
        Json percentiles = Json::array();
        for (double p : {0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0})
            percentiles.push_back({100 * p, quantile(one.values, p)});
        Json bins = Json::array();
        for (const auto& bin : log_histogram(one.values, 40))
            bins.push_back({bin.low, bin.high, bin.count});
        list.push_back({{"scenario", one.scenario},
                        {"metric", one.metric},
                        {"arm", one.arm},
                        {"unit", one.unit},
                        {"samples", one.values.size()},
                        {"percentiles", std::move(percentiles)},
                        {"histogram", std::move(bins)}});
    }
    return list;
}

Json rates_json(const std::vector<Samples>& samples) {
    Json list = Json::array();
    for (const Rate& one : rates_of(samples))
        list.push_back({{"scenario", one.scenario},
                        {"metric", one.metric},
                        {"lower", one.lower},
                        {"upper", one.upper},
                        {"late", one.late}});
    return list;
}

// A script ends at "</" and "<!--" wherever they stand; JSON reads \u003c as the same character.
std::string harmless(std::string text) {
    for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos; at += 6)
        text.replace(at, 1, "\\u003c");
    return text;
}

std::string filled(std::string page, std::string_view mark, std::string_view content) {
    if (auto at = page.find(mark); at != std::string::npos)
        page.replace(at, mark.size(), content);
    return page;
}

} // namespace

std::string html_text(const Report& report) {
    Json data = Json::parse(json_text({.command = report.document.command,
                                       .environment = report.run.environment,
                                       .comparisons = report.document.comparisons,
                                       .counts = report.document.counts,
                                       .samples = {}}));
    data["started"] = report.run.started;
    data["finished"] = report.run.finished;
    data["series"] = Json::array();
    for (const auto& series : report.series)
        data["series"].push_back(series_json(series));
    data["rates"] = rates_json(report.document.samples);
    data["distributions"] = distributions_json(report.document.samples);
    std::string text = harmless(data.dump(-1, ' ', true, Json::error_handler_t::replace));
    std::string page(report_page);
    page = filled(std::move(page), "/*STYLE*/", report_style);
    page = filled(std::move(page), "/*CHART*/", report_chart);
    page = filled(std::move(page), "/*SCRIPT*/", report_script);
    return filled(std::move(page), "/*DATA*/", text);
}

} // namespace sluice::perf
