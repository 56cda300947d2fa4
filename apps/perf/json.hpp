// SPDX-License-Identifier: BSD-3-Clause
// Results as JSON, and Google Benchmark's form of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>

#include "environment.hpp"
#include "results.hpp"

namespace sluice::perf {

/// One object on one line, and back. Unknown members are passed over.
std::string comparison_text(const Comparison& comparison);
std::optional<Comparison> comparison_from(std::string_view text);

struct Document {
    std::string command;
    Environment environment;
    std::vector<Comparison> comparisons;
    std::vector<Count> counts;
    std::vector<Samples> samples;
};

/// {"program": "sluice-perf", "format": 1, "results": […]} with environment and command. Each result says
/// what it is by its members: a verdict, a value, or samples.
std::string json_text(const Document& document);

/// As google-benchmark 1.7 writes it with --benchmark_format=json: one "iteration" a sample, and its median.
std::string benchmark_text(const Document& document);

/// Reads json_text's or Google Benchmark's form.
Result<Document> read_results(std::string_view text, const std::string& name);

} // namespace sluice::perf
