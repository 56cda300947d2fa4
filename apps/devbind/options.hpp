// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The command line of sluice-devbind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::devbind {

/// --hugepages: show the pools, or make one hold so much.
struct HugepageWish {
    bool show = false;
    std::uint64_t bytes = 0;
    std::optional<int> node;
};

struct Options {
    bool status = false;
    std::string status_dev; ///< a category, or empty for all
    bool groups = false;
    bool act = false;   ///< bind or unbind
    std::string driver; ///< what to bind to; empty: to nothing
    bool force = false;
    bool noiommu = false;
    bool dry_run = false;
    bool json = false;
    std::optional<HugepageWish> hugepages;
    std::string root; ///< empty: the running system
    std::vector<std::string> devices;
};

/// What the command line came to: options, or a text and an exit code to end with.
struct Parsed {
    Options options;
    bool stop = false;
    int code = 0;
    std::string text;
};

/// `arguments` without the program's name.
Parsed parse_options(std::vector<std::string> arguments);

} // namespace sluice::devbind
