// SPDX-License-Identifier: BSD-3-Clause
// Latencies by powers of ten.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::perf {

struct Bin {
    double low = 0;
    double high = 0;
    std::uint64_t count = 0;
};

/// The filled bins, lowest first, of equal width on a log axis; values of 0 or less are left out.
std::vector<Bin> log_histogram(std::span<const double> values, unsigned bins_a_decade = 10);

} // namespace sluice::perf
