// SPDX-License-Identifier: BSD-3-Clause
// Holds one build's counts against another's, for test_planted.py:
//   count_gate write BUILD BUDGETS SCENARIO…   counts, and writes them as budgets
//   count_gate check BUILD BUDGETS SCENARIO…   counts, and prints each figure that moved; exits 1 if one
//   regressed
#include <cstdio>

#include <fmt/format.h>

#include "budgets.hpp"
#include "counts.hpp"

using namespace sluice::perf;

namespace {

int cannot(const sluice::Error& error) {
    fmt::print(stderr, "count_gate: {}\n", error.message());
    return exit_usage;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() < 4 || (words[0] != "write" && words[0] != "check"))
        return exit_usage;
    const auto built = built_by(words[1]);
    const auto counts = count(words[1], {words.begin() + 3, words.end()}, {.jobs = 2});
    if (!built || !counts)
        return cannot(built ? counts.error() : built.error());
    if (words[0] == "write") {
        Budgets budgets;
        auto saved = take(budgets, *built, *counts, Take::all);
        if (saved)
            saved = save_budgets(words[2], budgets);
        return saved ? exit_done : cannot(saved.error());
    }
    const auto budgets = load_budgets(words[2]);
    if (!budgets)
        return cannot(budgets.error());
    const auto found = check(*budgets, *built, *counts);
    for (const Comparison& each : found) {
        if (each.verdict == Verdict::same)
            continue;
        fmt::print("{} {} {} {:.6f} {:.6f}\n", each.scenario, each.metric, name_of(each.verdict), each.a,
                   each.b);
        for (const Function& moved : each.moved)
            fmt::print("  {:+.6f} {}\n", moved.value, moved.name);
    }
    return exit_code_of(found);
}
