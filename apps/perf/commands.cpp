// SPDX-License-Identifier: BSD-3-Clause
#include "commands.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "changed.hpp"
#include "output.hpp"
#include "process.hpp"
#include "wildcard.hpp"

namespace sluice::perf {

namespace {

constexpr std::size_t gate_times = 2;

std::string utc_now() {
    std::time_t now = std::time(nullptr);
    std::tm parts{};
    static_cast<void>(::gmtime_r(&now, &parts));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Result<Session> begin(const Options& options, Context& context) {
    auto environment = environment_of(options.build);
    if (!environment)
        return propagate(std::move(environment));
    auto history = History::open(options.database, true);
    if (!history)
        return propagate(std::move(history));
    Run run{.started = utc_now(),
            .kind = options.command,
            .command = context.command_line,
            .environment = *environment};
    auto id = history->begin(run);
    if (!id)
        return propagate(std::move(id));
    return Session{options,
                   context,
                   std::move(*history),
                   *id,
                   run.started,
                   {.command = context.command_line,
                    .environment = *environment,
                    .comparisons = {},
                    .counts = {},
                    .samples = {}}};
}

// Everything measured is kept already but the verdicts; writes them, then what was asked for.
int conclude(Session& session) {
    auto& document = session.document;
    for (auto& one : document.comparisons)
        if (one.command.empty())
            one.command = session.context.command_line;
    sort_worst_first(document.comparisons);
    document.environment.load_after = load_now();
    auto kept = session.history.append(session.run, document.comparisons);
    if (kept)
        kept = session.history.finish(session.run, document.environment.load_after);
    if (!kept)
        return complain(session.context, kept.error());
    std::vector<Series> series;
    Run run{.id = session.run,
            .started = session.started,
            .kind = session.options.command,
            .command = document.command,
            .environment = document.environment,
            .finished = true};
    if (!session.options.html.empty())
        if (auto all = session.history.series())
            series = std::move(*all);
    if (auto written = write_results(session.options, session.context, document, run, series); !written)
        return complain(session.context, written.error());
    ExitCode code = exit_code_of(document.comparisons, session.options.noisy_passes);
    if (!document.comparisons.empty())
        session.context.err << summary_text(document.comparisons, code);
    return code;
}

Result<std::vector<Count>> count(Session& session, const Arm& arm, const std::vector<Listed>& scenarios) {
    if (!session.context.counting.count)
        return fail(ENOTSUP, "counts are not to be had: this sluice-perf was built without them");
    return session.context.counting.count(arm, scenarios);
}

bool wants_counts(const Options& options, const Context& context) {
    return options.counts || (!options.time && context.counting.count);
}

Comparison not_comparable(const std::string& why) {
    Comparison one;
    one.scenario = "(all)";
    one.metric = "all";
    one.verdict = Verdict::not_comparable;
    one.reason = why;
    return one;
}

int list(const Options& options, Context& context) {
    auto scenarios = chosen_scenarios(options, options.build);
    if (!scenarios)
        return complain(context, scenarios.error());
    if (options.json) {
        nlohmann::ordered_json json{
            {"program", "sluice-perf"}, {"format", 1}, {"results", nlohmann::ordered_json::array()}};
        for (const auto& one : *scenarios)
            json["results"].push_back(
                {{"scenario", one.id}, {"driver", one.driver}, {"ci", one.ci}, {"margin", one.margin}});
        context.out << json.dump(2) << '\n';
        return exit_done;
    }
    for (const auto& one : *scenarios)
        context.out << one.id << (one.ci ? "  ci\n" : "\n");
    return exit_done;
}

// Samples of a build alone: percentiles, no verdict.
Result<> record_times(Session& session, const std::vector<Listed>& scenarios) {
    auto cpus = usable_cpus();
    Arm arm{.build = session.options.build};
    for (const auto& scenario : scenarios)
        for (std::uint32_t round = 0; round < std::min(session.options.rounds, batch_rounds); ++round) {
            auto samples =
                time_once(arm, scenario.id, cpus.empty() ? std::nullopt : std::optional(cpus.back()));
            if (!samples)
                return propagate(std::move(samples));
            samples->round = round;
            std::vector<Samples> one{std::move(*samples)};
            if (auto kept = session.history.append(session.run, one); !kept)
                return kept;
            auto& all = session.document.samples;
            if (!all.empty() && all.back().scenario == scenario.id)
                all.back().values.insert(all.back().values.end(), one[0].values.begin(), one[0].values.end());
            else
                all.push_back(std::move(one[0]));
        }
    return {};
}

int record(Session& session, const std::vector<Listed>& scenarios) {
    if (session.options.full) {
        record_rates(session, Arm{.build = session.options.build}, scenarios);
        return conclude(session);
    }
    if (wants_counts(session.options, session.context)) {
        auto counts = count(session, Arm{.build = session.options.build}, scenarios);
        if (!counts)
            return complain(session.context, counts.error());
        if (auto kept = session.history.append(session.run, *counts); !kept)
            return complain(session.context, kept.error());
        if (session.options.tighten || session.options.accept) {
            if (!session.context.counting.into_budgets)
                return complain(session.context,
                                Error(ENOTSUP, "this sluice-perf was built without budgets"));
            if (auto kept = session.context.counting.into_budgets(*counts, session.options.accept); !kept)
                return complain(session.context, kept.error());
        }
        session.document.counts = std::move(*counts);
    }
    if (!session.options.counts)
        if (auto done = record_times(session, scenarios); !done)
            return complain(session.context, done.error());
    return conclude(session);
}

int compare(Session& session, const std::vector<Listed>& scenarios) {
    const Options& options = session.options;
    Arm a{.build = options.dpdk ? options.build : options.base, .side = options.dpdk ? "dpdk" : "ours"},
        b{.build = options.build};
    auto& results = session.document.comparisons;
    auto base = environment_of(a.build);
    if (!base)
        return complain(session.context, base.error());
    if (auto why = difference(*base, session.document.environment); !why.empty()) {
        results.push_back(not_comparable(why));
        return conclude(session);
    }
    if (options.full) {
        results = compare_rates(session, a, b, scenarios);
        return conclude(session);
    }
    if (wants_counts(options, session.context)) {
        auto before = count(session, a, scenarios), after = count(session, b, scenarios);
        for (auto* one : {&before, &after})
            if (!*one)
                return complain(session.context, one->error());
        if (auto kept = session.history.append(session.run, *after); !kept)
            return complain(session.context, kept.error());
        results = compare_counts(*before, *after);
    }
    if (!options.counts) {
        auto times = compare_times(session, a, b, scenarios);
        results.insert(results.end(), times.begin(), times.end());
    }
    return conclude(session);
}

// The scenarios whose time is compared: of what is gated, forwarding in bursts of 32 first.
std::vector<Listed> timed(const Options& options, std::vector<Listed> scenarios) {
    if (options.all || !options.scenarios.empty())
        return scenarios;
    std::ranges::sort(scenarios, std::greater{}, [](const Listed& one) {
        auto has = [&](const char* part) { return one.id.find(part) != std::string::npos ? 1 : 0; };
        return std::pair(4 * one.ci + 2 * has("/fwd/") + has("/b32/r256"), std::string_view(one.id));
    });
    scenarios.resize(std::min(scenarios.size(), gate_times));
    return scenarios;
}

// Counts of the judged build, beside their budgets; where these do not hold (another compiler, a new
// scenario), beside those of the build before.
Result<> gate_counts(Session& session, const std::vector<Listed>& scenarios, bool has_base) {
    const Options& options = session.options;
    auto& results = session.document.comparisons;
    auto counts = count(session, Arm{.build = options.build}, scenarios);
    if (!counts)
        return propagate(std::move(counts));
    if (auto kept = session.history.append(session.run, *counts); !kept)
        return kept;
    auto judged = session.context.counting.against_budgets(*counts);
    if (!judged)
        return propagate(std::move(judged));
    results = std::move(*judged);
    if (!has_base ||
        std::ranges::find(results, Verdict::not_comparable, &Comparison::verdict) == results.end())
        return {};
    auto before = count(session, Arm{.build = options.base}, scenarios);
    if (!before)
        return propagate(std::move(before));
    results = compare_counts(*before, *counts);
    return {};
}

int gate(Session& session, std::vector<Listed> scenarios) {
    const Options& options = session.options;
    auto& results = session.document.comparisons;
    const bool has_base = !options.base.empty();
    if (has_base) {
        auto base = environment_of(options.base);
        if (!base)
            return complain(session.context, base.error());
        if (auto why = difference(*base, session.document.environment); !why.empty()) {
            results.push_back(not_comparable(why));
            return conclude(session);
        }
        if (options.scenarios.empty() && !options.all)
            if (auto files = changed_between(options.base, options.build); files)
                scenarios = scenarios_of(touched_by(*files), scenarios);
        if (scenarios.empty()) {
            session.context.err << "nothing that is measured changed between the two builds; exit 0\n";
            return conclude(session);
        }
    }
    if (!options.time && session.context.counting.against_budgets) {
        if (auto judged = gate_counts(session, scenarios, has_base); !judged)
            return complain(session.context, judged.error());
    } else if (options.counts) {
        return complain(session.context, Error(ENOTSUP, "this sluice-perf was built without budgets"));
    }
    if (has_base && !options.counts) {
        auto times = compare_times(session, Arm{.build = options.base}, Arm{.build = options.build},
                                   timed(options, scenarios));
        results.insert(results.end(), times.begin(), times.end());
    } else if (options.time) {
        return complain(session.context,
                        Error(EINVAL, "time is a ratio of two builds: name the one before with --base"));
    }
    return conclude(session);
}

} // namespace

int complain(Context& context, const Error& error) {
    context.err << "sluice-perf: " << error.message() << '\n';
    return exit_usage;
}

Result<std::vector<Listed>> chosen_scenarios(const Options& options, const std::filesystem::path& build) {
    auto all = list_scenarios(build);
    if (!all)
        return all;
    std::erase_if(*all, [&](const Listed& one) {
        bool named = options.scenarios.empty() ||
                     std::ranges::any_of(options.scenarios,
                                         [&](const auto& pattern) { return fits(one.id, pattern); });
        bool by_itself = options.full && options.scenarios.empty() && !options.ci;
        return !named || (options.ci && !one.ci) || (by_itself && !one.full);
    });
    if (all->empty())
        return fail(0, "no scenario has that name: `sluice-perf list` shows them",
                    options.scenarios.empty() ? build.string() : options.scenarios.front());
    return all;
}

int run_command(const Options& given, Context& context) {
    Options options = given;
    if (options.command == "list")
        return list(options, context);
    if (options.command == "show")
        return show(options, context);
    if (options.command == "export")
        return export_run(options, context);
    if (options.command == "bisect")
        return options.step ? bisect_step(options, context) : bisect(options, context);
    if (options.dpdk)
        options.build = options.base;
    if (options.command == "gate" && !options.all && options.scenarios.empty())
        options.ci = true;
    auto scenarios = chosen_scenarios(options, options.build);
    if (!scenarios)
        return complain(context, scenarios.error());
    auto session = begin(options, context);
    if (!session)
        return complain(context, session.error());
    if (options.command == "record")
        return record(*session, *scenarios);
    return options.command == "compare" ? compare(*session, *scenarios)
                                        : gate(*session, std::move(*scenarios));
}

} // namespace sluice::perf
