// SPDX-License-Identifier: BSD-3-Clause
// Which drivers a change can have touched.
#pragma once

#include <filesystem>
#include <optional>
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

/// Files, below their tree, that differ between the sources of build `base` and those of `build`. Of two
/// working trees: since the commit of the base's, if that has no changes of its own. Of one tree: what is
/// newer than the base's program. nullopt: nobody can tell.
std::optional<std::vector<std::string>> changed_between(const std::filesystem::path& base,
                                                        const std::filesystem::path& build);

/// From the paths of changed files: drivers/net/NAME/ touches NAME; what the measured program is not built
/// from (documentation, tests, other programs) touches nothing.
Touched touched_by(std::span<const std::string> paths);

/// The scenarios of touched drivers.
std::vector<Listed> scenarios_of(const Touched& touched, const std::vector<Listed>& all);

} // namespace sluice::perf
