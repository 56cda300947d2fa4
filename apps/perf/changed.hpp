// SPDX-License-Identifier: BSD-3-Clause
// Which drivers a change can have touched.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "subject.hpp"

namespace sluice::perf {

struct Touched {
    bool everything = false; ///< the libraries, the build or the measuring itself
    std::vector<std::string> drivers;
    bool nothing() const noexcept { return !everything && drivers.empty(); }
};

/// From the paths of changed files: drivers/net/NAME/ touches NAME; documentation and tests touch nothing.
Touched touched_by(std::span<const std::string> paths);

/// The scenarios of touched drivers.
std::vector<Listed> scenarios_of(const Touched& touched, const std::vector<Listed>& all);

/// `pattern` where * stands for anything.
bool fits(std::string_view text, std::string_view pattern) noexcept;

} // namespace sluice::perf
