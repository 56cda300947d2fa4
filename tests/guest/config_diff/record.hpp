// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What one run over a device answered, and its file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operations.hpp"
#include "subject.hpp"

namespace sluice::configdiff {

struct Answer {
    std::uint32_t value = 0; ///< of a read that succeeded
    std::uint16_t error = 0; ///< errno, 0 for success

    bool operator==(const Answer&) const = default;
};

/// The list of operations follows from the plan and the image, so that the file holds answers alone.
struct Record {
    Route route = Route::kernel;
    Plan plan;
    std::vector<std::uint8_t> image; ///< hardware as the open left it, before the first access
    std::vector<std::uint8_t> floor; ///< what sluice_pci lets through; empty on other routes
    std::vector<Answer> answers;
};

/// Makes every access of the plan, in order.
Result<Record> run(Subject& subject, Route route, const Plan& plan, std::vector<std::uint8_t> image);

Result<void> save(const Record& record, const std::string& path);
Result<Record> load(const std::string& path);

} // namespace sluice::configdiff
