// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "stats.hpp"

namespace sluice::perf {

struct Options {
    std::string command;         ///< "list", "record" …
    std::filesystem::path build; ///< the build that is judged: B
    std::filesystem::path base;  ///< the build that it is held against: A
    std::filesystem::path database;
    std::vector<std::string> scenarios; ///< ids, * for anything; none: all
    bool counts = false, time = false;  ///< neither: what the command does by itself
    bool full = false;                  ///< record, compare: rates and latency
    bool all = false;                   ///< gate: time over every scenario
    bool ci = false;                    ///< only scenarios marked ci
    bool dpdk = false;                  ///< A is DPDK's driver in the same build
    bool noisy_passes = false;
    bool show_history = false;
    bool tighten = false, accept = false; ///< record: counts become budgets
    bool step = false;                    ///< bisect: one step of git's
    double budget = 0;                    ///< seconds a scenario
    std::uint32_t rounds = 200;           ///< at most
    double margin = 0;                    ///< 0: the scenario's own
    std::uint64_t seed = MedianBootstrap::default_seed;
    long long run = 0;                    ///< 0: the last
    std::string good, bad = "HEAD", make; ///< bisect
    std::string format = "sluice";        ///< export
    bool json = false;
    std::filesystem::path junit, markdown, html, input;
};

struct Parsed {
    Options options;
    bool stop = false; ///< print `text` and exit with `code`
    int code = 0;
    std::string text;
};

Parsed parse_options(int argc, const char* const* argv);

} // namespace sluice::perf
