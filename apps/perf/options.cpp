// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <sstream>

#include <CLI/CLI.hpp>

#include "history.hpp"
#include "results.hpp"

namespace sluice::perf {

namespace {

void add_kind(CLI::App& command, Options& options) {
    auto* counts = command.add_flag("--counts", options.counts, "instructions, loads, stores, lines: exact");
    command.add_flag("--time", options.time, "time, from one interleaved run")->excludes(counts);
}

void add_full(CLI::App& command, Options& options) {
    auto* full = command.add_flag(
        "--full", options.full,
        "rates without loss (NDR) and with 0.5% (PDR), and latency at 10, 50 and 90% of PDR: "
        "five to ten minutes a scenario, three times that for A beside B; takes two processors");
    for (const char* other : {"--counts", "--time"})
        full->excludes(command.get_option(other));
}

void add_scenarios(CLI::App& command, Options& options) {
    command.add_option("--scenario", options.scenarios, "id of a scenario, * for anything; may be repeated");
    command.add_flag("--ci", options.ci, "only the scenarios that every change is gated by");
}

void add_time(CLI::App& command, Options& options) {
    command.add_option("--budget", options.budget, "seconds for each scenario's time (60; gate: 40)")
        ->check(CLI::PositiveNumber);
    command.add_option("--rounds", options.rounds, "most rounds of a scenario")
        ->capture_default_str()
        ->check(CLI::Range(10, 100000));
    command.add_option("--margin", options.margin, "smallest rise of cost that matters, 0.02 for 2%")
        ->check(CLI::Range(0.0001, 1.0));
    command.add_option("--seed", options.seed, "of the bootstrap")->capture_default_str();
}

void add_output(CLI::App& command, Options& options) {
    command.add_flag("--json", options.json, "one JSON object on stdout");
    command.add_option("--junit", options.junit, "write JUnit's XML to this file");
    command.add_option("--markdown", options.markdown, "write a Markdown table to this file");
    command.add_option("--html", options.html, "write the report to this file");
}

void add_database(CLI::App& command, Options& options) {
    command
        .add_option("--database", options.database, "the SQLite file of the history ($SLUICE_PERF_DATABASE)")
        ->capture_default_str();
}

void add_noisy(CLI::App& command, std::string& noisy) {
    command.add_option("--noisy", noisy, "what \"too noisy\" means: fail (exit 3) or pass")
        ->capture_default_str()
        ->check(CLI::IsMember({"pass", "fail"}));
}

void add_measuring(CLI::App& app, Options& options, std::string& noisy) {
    auto* list = app.add_subcommand("list", "the scenarios");
    list->add_option("BUILD", options.build, "a build directory")->capture_default_str();
    list->add_flag("--json", options.json, "one JSON object on stdout");
    add_scenarios(*list, options);

    auto* record = app.add_subcommand("record", "measure a build and keep it");
    record->add_option("BUILD", options.build, "a build directory")->capture_default_str();
    auto* tighten = record->add_flag("--tighten", options.tighten,
                                     "lower the budgets to the counts, and add those of new scenarios");
    record->add_flag("--accept", options.accept, "make every count its budget, also where it is higher")
        ->excludes(tighten);
    auto* compare = app.add_subcommand("compare", "A beside B");
    compare->add_option("A", options.base, "build directory of A")->required();
    compare->add_option("B", options.build, "build directory of B; with --dpdk A's own")
        ->capture_default_str();
    compare->add_flag("--dpdk", options.dpdk,
                      "B is our driver, A is DPDK's for the same device, both of build A");
    auto* gate = app.add_subcommand("gate", "counts against the budgets, and time against another build");
    gate->add_option("BUILD", options.build, "the build that is judged")->capture_default_str();
    gate->add_option("--base", options.base, "the build before the change: judges time too");
    gate->add_flag("--all", options.all, "time of every scenario, not of two");
    for (auto* command : {record, compare, gate}) {
        add_kind(*command, options);
        add_scenarios(*command, options);
        add_time(*command, options);
        add_output(*command, options);
        add_database(*command, options);
        add_noisy(*command, noisy);
    }
    for (auto* command : {record, compare})
        add_full(*command, options);
}

void add_reading(CLI::App& app, Options& options) {
    auto* show = app.add_subcommand("show", "a run that was kept, or with --history all of them over time");
    show->add_flag("--history", options.show_history, "every scenario over all runs, and where it changed");
    show->add_option("--input", options.input,
                     "show this JSON file (ours or Google Benchmark's) instead of a run");
    auto* out = app.add_subcommand("export", "a run that was kept, as JSON");
    out->add_option("--format", options.format, "sluice, or benchmark: Google Benchmark's")
        ->capture_default_str()
        ->check(CLI::IsMember({"sluice", "benchmark"}));
    add_output(*show, options);
    for (auto* command : {show, out}) {
        command->add_option("--run", options.run, "number of the run (the last)");
        add_database(*command, options);
    }
}

void add_bisect(CLI::App& app, Options& options) {
    auto* bisect = app.add_subcommand("bisect", "the commit that made a scenario slower, by git bisect");
    bisect->add_option("GOOD", options.good, "a commit that was fast")->required();
    bisect->add_option("BAD", options.bad, "one that is slow")->capture_default_str();
    bisect->add_option("--base", options.base, "a build of GOOD")->required();
    bisect->add_option("--build", options.build, "the build directory that follows git's checkouts")
        ->required();
    bisect->add_option("--make", options.make, "builds it (ninja -C BUILD)");
    bisect->add_flag("--step", options.step)->group("");
    add_kind(*bisect, options);
    add_scenarios(*bisect, options);
    add_time(*bisect, options);
}

} // namespace

Parsed parse_options(int argc, const char* const* argv) {
    Parsed parsed;
    Options& options = parsed.options;
    options.build = "build";
    options.database = default_database();
    std::string noisy = "fail";
    CLI::App app{"Measures the drivers of a build: exact counts, and time as ratios of one interleaved run.\n"
                 "Exit: 0 same or improved, 1 regressed, 2 could not run, 3 too noisy to tell.",
                 "sluice-perf"};
    app.require_subcommand(1);
    add_measuring(app, options, noisy);
    add_reading(app, options);
    add_bisect(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out, err;
        int code = app.exit(error, out, err);
        return {.options = {},
                .stop = true,
                .code = code == 0 ? exit_done : exit_usage,
                .text = out.str() + err.str()};
    }
    options.command = app.get_subcommands().front()->get_name();
    options.noisy_passes = noisy == "pass";
    if (options.budget == 0) // two scenarios and the counts of a driver in two minutes
        options.budget = options.command == "gate" ? 40 : 60;
    if (options.make.empty())
        options.make = "ninja -C '" + options.build.string() + "'";
    return parsed;
}

} // namespace sluice::perf
