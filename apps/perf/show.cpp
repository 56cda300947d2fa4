// SPDX-License-Identifier: BSD-3-Clause
// Reading what was kept, writing what was asked for, and git bisect.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <ostream>

#include <fmt/format.h>

#include "commands.hpp"
#include "output.hpp"
#include "process.hpp"

namespace sluice::perf {

namespace {

/// git bisect run: this commit cannot be judged.
constexpr int exit_skip = 125;
/// git bisect run: stop, nothing can be.
constexpr int exit_abort = 255;

Result<> write_file(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text << std::flush;
    if (!file)
        return fail(EIO, "cannot be written", path.string());
    return {};
}

struct Kept {
    Run run;
    Document document;
};

Result<Kept> read_run(const History& history, long long wanted, const std::string& path) {
    auto runs = history.runs();
    if (!runs)
        return propagate(std::move(runs));
    if (runs->empty())
        return fail(0, "holds no runs yet: `sluice-perf record` makes one", path);
    auto run = wanted == 0 ? std::prev(runs->end()) : std::ranges::find(*runs, wanted, &Run::id);
    if (run == runs->end())
        return fail(0, "has no run of that number: `sluice-perf show --history` names those that are there",
                    path);
    auto samples = history.samples(run->id);
    auto counts = history.counts(run->id);
    auto comparisons = history.comparisons(run->id);
    if (!samples || !counts || !comparisons)
        return fail(EIO, "cannot be read to its end", path);
    sort_worst_first(*comparisons);
    return Kept{
        *run,
        {run->command, run->environment, std::move(*comparisons), std::move(*counts), std::move(*samples)}};
}

struct Opened {
    History history;
    Kept kept;
};

/// The run that the options name, and the history that it lies in.
Result<Opened> open_run(const Options& options) {
    auto history = History::open(options.database, false);
    if (!history)
        return propagate(std::move(history));
    auto kept = read_run(*history, options.run, options.database.string());
    if (!kept)
        return propagate(std::move(kept));
    return Opened{std::move(*history), std::move(*kept)};
}

Result<Kept> read_input(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return fail_errno("cannot be read", path.string());
    std::string text(std::istreambuf_iterator<char>(file), {});
    auto document = read_results(text, path.string());
    if (!document)
        return propagate(std::move(document));
    Kept kept{.run = {}, .document = std::move(*document)};
    kept.run.environment = kept.document.environment;
    kept.run.finished = true;
    return kept;
}

/// One word of a shell's.
std::string shell_word(std::string_view text) {
    std::string word = "'";
    for (const char one : text)
        word += one == '\'' ? "'\\''" : std::string(1, one);
    return word + "'";
}

// `bisect` again, as the step that git runs.
std::string step_command(const Options& options) {
    std::error_code code;
    auto program = std::filesystem::read_symlink("/proc/self/exe", code);
    std::string text = fmt::format(
        "{} bisect x --step --base {} --build {} --make {} --budget {} --rounds {}",
        shell_word(program.string()), shell_word(std::filesystem::absolute(options.base).string()),
        shell_word(std::filesystem::absolute(options.build).string()), shell_word(options.make),
        options.budget, options.rounds);
    text += options.time ? " --time" : " --counts";
    if (options.margin > 0)
        text += fmt::format(" --margin {}", options.margin);
    for (const auto& one : options.scenarios)
        text += " --scenario " + shell_word(one);
    return text;
}

} // namespace

Result<> write_results(const Options& options, Context& context, const Document& document, const Run& run,
                       const std::vector<Series>& series) {
    if (options.json) {
        context.out << json_text(document);
    } else {
        if (!document.comparisons.empty())
            context.out << table_text(document.comparisons);
        if (!document.counts.empty() && document.comparisons.empty())
            context.out << counts_text(document.counts);
        if (document.comparisons.empty() || !rates_of(document.samples).empty())
            context.out << samples_text(document.samples);
    }
    if (!options.junit.empty())
        if (auto done = write_file(options.junit, junit_text(document)); !done)
            return done;
    if (!options.markdown.empty())
        if (auto done = write_file(options.markdown, markdown_text(document)); !done)
            return done;
    if (!options.html.empty())
        return write_file(options.html, html_text({document, run, series}));
    return {};
}

int show(const Options& options, Context& context) {
    if (!options.input.empty()) {
        auto kept = read_input(options.input);
        if (!kept)
            return complain(context, kept.error());
        auto written = write_results(options, context, kept->document, kept->run, {});
        return written ? exit_done : complain(context, written.error());
    }
    auto opened = open_run(options);
    if (!opened)
        return complain(context, opened.error());
    auto& [history, kept] = *opened;
    auto series = history.series();
    if (!series)
        return complain(context, series.error());
    if (options.show_history) {
        auto runs = history.runs();
        if (!runs)
            return complain(context, runs.error());
        for (const auto& run : *runs)
            context.out << fmt::format("run {}  {}  {}  {}{}  load {:.2f}{}\n", run.id, run.started, run.kind,
                                       run.environment.commit.substr(0, 10), run.environment.dirty ? "+" : "",
                                       run.environment.load_before,
                                       run.finished ? "" : "  (ended before its end)");
        context.out << history_text(*series);
        if (options.html.empty())
            return exit_done;
        kept.document.samples.clear();
    }
    auto written = write_results(options, context, kept.document, kept.run, *series);
    return written ? exit_done : complain(context, written.error());
}

int export_run(const Options& options, Context& context) {
    auto opened = open_run(options);
    if (!opened)
        return complain(context, opened.error());
    const Document& document = opened->kept.document;
    context.out << (options.format == "benchmark" ? benchmark_text(document) : json_text(document));
    return exit_done;
}

int bisect(const Options& options, Context& context) {
    auto git = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "git");
        return run({.words = std::move(words), .limit = std::chrono::hours(24)});
    };
    if (options.scenarios.empty())
        return complain(context, Error(EINVAL, "bisect needs the --scenario that got slower"));
    auto start = git({"bisect", "start", options.bad, options.good});
    if (!start || start->status != 0)
        return complain(context, start ? Error(EINVAL, "git bisect cannot start", last_line(start->err))
                                       : start.error());
    auto found = git({"bisect", "run", "sh", "-c", step_command(options)});
    if (found)
        context.out << found->out;
    git({"bisect", "reset"});
    if (!found)
        return complain(context, found.error());
    return found->status == 0
               ? exit_done
               : complain(context, Error(0, "git bisect did not find one commit", last_line(found->err)));
}

int bisect_step(const Options& options, Context& context) {
    auto made = run({.words = {"sh", "-c", options.make}, .limit = std::chrono::hours(2)});
    if (!made || made->status != 0)
        return exit_skip;
    auto scenarios = chosen_scenarios(options, options.build);
    if (!scenarios)
        return exit_skip;
    std::vector<Comparison> results;
    Arm a{.build = options.base}, b{.build = options.build};
    if (options.counts) {
        if (!context.counting.count)
            return exit_abort;
        auto before = context.counting.count(a, *scenarios), after = context.counting.count(b, *scenarios);
        if (!before)
            return exit_abort;
        if (!after)
            return exit_skip;
        results = compare_counts(*before, *after);
    } else {
        auto history = History::open(":memory:", true);
        if (!history)
            return exit_abort;
        Session session{options, context, std::move(*history), 0, {}, {}};
        results = compare_times(session, a, b, *scenarios);
    }
    context.out << table_text(results);
    switch (exit_code_of(results)) {
    case exit_done:
        return 0;
    case exit_no:
        return 1;
    default:
        return exit_skip;
    }
}

} // namespace sluice::perf
