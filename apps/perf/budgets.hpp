// SPDX-License-Identifier: BSD-3-Clause
// What each scenario may cost: a checked-in file.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>

#include "results.hpp"

namespace sluice::perf {

struct Budget {
    std::map<std::string, double> metrics;
    std::vector<Function> functions; ///< of "instructions", to say later which moved
};

struct Budgets {
    std::string built_by; ///< compiler, options and DPDK that the figures are of
    std::map<std::string, Budget> scenarios;
};

/// apps/perf/budgets.json of the tree that holds the working folder. ENOENT outside of one.
Result<std::filesystem::path> find_budgets();

/// ENOENT, or EINVAL with what is wrong in the file.
Result<Budgets> load_budgets(const std::filesystem::path& path);
/// One line a scenario, sorted: a change of one scenario changes its line alone.
Result<> save_budgets(const std::filesystem::path& path, const Budgets& budgets);

/// Each count beside its budget: above it regressed, below it improved (the file is to be tightened), else
/// same. Not comparable where there is none, or the budgets are of another compiler or DPDK.
std::vector<Comparison> check(const Budgets& budgets, const std::string& built_by,
                              const std::vector<Count>& counts);

enum class Take {
    lower, ///< figures below their budget, and scenarios that have none: never raises one
    all,   ///< every figure as it was counted
};
/// Puts counts into the budgets. Those of another compiler or DPDK are replaced by Take::all, all of them;
/// EINVAL with Take::lower.
Result<> take(Budgets& budgets, const std::string& built_by, const std::vector<Count>& counts, Take which);

} // namespace sluice::perf
