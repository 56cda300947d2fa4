// SPDX-License-Identifier: BSD-3-Clause
#include "history.hpp"

#include <cerrno>
#include <cstdlib>
#include <map>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "history_schema.hpp"
#include "json.hpp"
#include "stats.hpp"

namespace sluice::perf {

namespace {

constexpr int patience_ms = 2'000;
constexpr const char* exact_unit = "count"; // sets counts apart from samples

Error explain(const SQLite::Exception& error, const std::string& path) {
    switch (error.getErrorCode()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return {0, "is locked by another program: wait until it ends, or name another file with --database",
                path};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return {0,
                "is damaged, or no SQLite file; it is left as it is: name another file, and try `sqlite3 "
                "FILE .recover`",
                path};
    case SQLITE_FULL:
        return {ENOSPC, "cannot be written", path};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return {EACCES, "cannot be opened for writing: name another file with --database", path};
    default:
        return {0, "cannot be used", fmt::format("{}: {}", path, error.what())};
    }
}

// Runs `work`, and makes what SQLiteCpp throws an Error.
template <typename Work>
auto guarded(const std::string& path, Work&& work) -> decltype(work()) {
    try {
        return work();
    } catch (const SQLite::Exception& error) {
        return tl::unexpected<Error>(explain(error, path));
    }
}

int pragma(SQLite::Database& database, const char* text) {
    return database.execAndGet(text).getInt();
}

Result<> prepare(SQLite::Database& database, const std::string& path) {
    int id = pragma(database, "PRAGMA application_id"), format = pragma(database, "PRAGMA user_version");
    int tables = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    if (id != history_id && (tables > 0 || format > 0))
        return fail(
            0, "is another program's database; it is left as it is: name another file with --database", path);
    if (format > history_format)
        return fail(
            0, "was written by a newer sluice-perf; it is left as it is: use that one, or name another file",
            fmt::format("{} (format {}, this program's is {})", path, format, history_format));
    if (database.execAndGet("PRAGMA quick_check(1)").getString() != "ok")
        throw SQLite::Exception("quick_check", SQLITE_CORRUPT);
    if (format == history_format)
        return {};
    SQLite::Transaction change(database, SQLite::TransactionBehavior::IMMEDIATE);
    format = pragma(database, "PRAGMA user_version");
    if (format < 1)
        database.exec(history_format_1);
    if (format < 2)
        database.exec(history_1_to_2);
    database.exec(fmt::format("PRAGMA application_id = {}", history_id));
    database.exec(fmt::format("PRAGMA user_version = {}", history_format));
    change.commit();
    return {};
}

} // namespace

struct History::Store {
    std::string path;
    std::unique_ptr<SQLite::Database> database;
    std::map<std::string, std::int64_t> names; // "s:NAME", "m:NAME:UNIT": rows known already

    // The row of a name, made when it is new. Forgotten when the transaction around it fails.
    std::int64_t scenario(const std::string& name) {
        auto [row, fresh] = names.try_emplace("s:" + name, 0);
        if (fresh) {
            SQLite::Statement add(*database, "INSERT INTO scenario (name) VALUES (?) ON CONFLICT DO NOTHING");
            add.bind(1, name);
            add.exec();
            SQLite::Statement find(*database, "SELECT id FROM scenario WHERE name = ?");
            find.bind(1, name);
            find.executeStep();
            row->second = find.getColumn(0).getInt64();
        }
        return row->second;
    }

    std::int64_t metric(const std::string& name, const std::string& unit) {
        auto [row, fresh] = names.try_emplace("m:" + name + ':' + unit, 0);
        if (fresh) {
            SQLite::Statement add(*database,
                                  "INSERT INTO metric (name, unit) VALUES (?, ?) ON CONFLICT DO NOTHING");
            add.bind(1, name);
            add.bind(2, unit);
            add.exec();
            SQLite::Statement find(*database, "SELECT id FROM metric WHERE name = ? AND unit = ?");
            find.bind(1, name);
            find.bind(2, unit);
            find.executeStep();
            row->second = find.getColumn(0).getInt64();
        }
        return row->second;
    }

    template <typename Work>
    Result<> transact(Work&& work) {
        auto result = guarded(path, [&]() -> Result<> {
            SQLite::Transaction change(*database, SQLite::TransactionBehavior::IMMEDIATE);
            work();
            change.commit();
            return {};
        });
        if (!result)
            names.clear();
        return result;
    }
};

History::History(std::unique_ptr<Store> store)
    : store_(std::move(store)) {}
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;
History::~History() = default;

Result<History> History::open(const std::filesystem::path& path, bool create) {
    auto text = path.string();
    std::error_code code;
    if (!create && !std::filesystem::exists(path, code))
        return fail(0, "does not exist: `sluice-perf record` makes one, --database names another", text);
    if (create && path.has_parent_path())
        std::filesystem::create_directories(path.parent_path(), code);
    auto store = std::make_unique<Store>();
    store->path = text;
    auto opened = guarded(text, [&]() -> Result<> {
        store->database = std::make_unique<SQLite::Database>(
            text, SQLite::OPEN_READWRITE | (create ? SQLite::OPEN_CREATE : 0), patience_ms);
        return prepare(*store->database, text);
    });
    if (!opened)
        return propagate(std::move(opened));
    return History(std::move(store));
}

Result<std::int64_t> History::begin(const Run& run) {
    std::int64_t id = 0;
    auto done = store_->transact([&] {
        SQLite::Statement add(
            *store_->database,
            "INSERT INTO run (started, kind, command, commit_id, parent, dirty, toolchain, dpdk, kernel, "
            "cpu, governor, load_before) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        const auto& from = run.environment;
        int at = 0;
        for (const auto* text : {&run.started, &run.kind, &run.command, &from.commit, &from.parent})
            add.bind(++at, *text);
        add.bind(++at, from.dirty ? 1 : 0);
        for (const auto* text : {&from.toolchain, &from.dpdk, &from.kernel, &from.cpu, &from.governor})
            add.bind(++at, *text);
        add.bind(++at, from.load_before);
        add.exec();
        id = store_->database->getLastInsertRowid();
    });
    if (!done)
        return propagate(std::move(done));
    return id;
}

Result<> History::append(std::int64_t run, const std::vector<Samples>& samples) {
    return store_->transact([&] {
        SQLite::Statement add(
            *store_->database,
            "INSERT INTO sample (run, scenario, metric, arm, round, value) VALUES (?, ?, ?, ?, ?, ?)");
        for (const auto& one : samples) {
            auto scenario = store_->scenario(one.scenario), metric = store_->metric(one.metric, one.unit);
            for (double value : one.values) {
                add.bind(1, run);
                add.bind(2, scenario);
                add.bind(3, metric);
                add.bind(4, one.arm);
                add.bind(5, one.round);
                add.bind(6, value);
                add.exec();
                add.reset();
            }
        }
    });
}

Result<> History::append(std::int64_t run, const std::vector<Count>& counts) {
    return store_->transact([&] {
        SQLite::Statement add(*store_->database,
                              "INSERT INTO sample (run, scenario, metric, value) VALUES (?, ?, ?, ?)");
        SQLite::Statement share(
            *store_->database,
            "INSERT INTO function (run, scenario, metric, value, name) VALUES (?, ?, ?, ?, ?)");
        auto put = [&](SQLite::Statement& row, const Count& one, double value, const std::string* name) {
            row.bind(1, run);
            row.bind(2, store_->scenario(one.scenario));
            row.bind(3, store_->metric(one.metric, exact_unit));
            row.bind(4, value);
            if (name)
                row.bind(5, *name);
            row.exec();
            row.reset();
        };
        for (const auto& one : counts) {
            put(add, one, one.value, nullptr);
            for (const auto& function : one.functions)
                put(share, one, function.value, &function.name);
        }
    });
}

Result<> History::append(std::int64_t run, const std::vector<Comparison>& comparisons) {
    return store_->transact([&] {
        SQLite::Statement add(
            *store_->database,
            "INSERT INTO comparison (run, scenario, metric, verdict, body) VALUES (?, ?, ?, ?, ?)");
        for (const auto& one : comparisons) {
            add.bind(1, run);
            add.bind(2, store_->scenario(one.scenario));
            add.bind(3, store_->metric(one.metric, one.unit));
            add.bind(4, std::string(name_of(one.verdict)));
            add.bind(5, comparison_text(one));
            add.exec();
            add.reset();
        }
    });
}

Result<> History::finish(std::int64_t run, double load_after) {
    return store_->transact([&] {
        SQLite::Statement change(*store_->database,
                                 "UPDATE run SET finished = 1, load_after = ? WHERE id = ?");
        change.bind(1, load_after);
        change.bind(2, run);
        change.exec();
    });
}

Result<std::vector<Run>> History::runs() const {
    return guarded(store_->path, [&]() -> Result<std::vector<Run>> {
        SQLite::Statement rows(
            *store_->database,
            "SELECT id, started, kind, command, commit_id, parent, dirty, toolchain, dpdk, kernel, cpu, "
            "governor, load_before, load_after, finished FROM run ORDER BY id");
        std::vector<Run> runs;
        while (rows.executeStep()) {
            auto text = [&](int column) { return rows.getColumn(column).getString(); };
            Run run{.id = rows.getColumn(0).getInt64(),
                    .started = text(1),
                    .kind = text(2),
                    .command = text(3),
                    .environment = {}};
            auto& from = run.environment;
            from = {.commit = text(4),
                    .parent = text(5),
                    .dirty = rows.getColumn(6).getInt() != 0,
                    .toolchain = text(7),
                    .dpdk = text(8),
                    .kernel = text(9),
                    .cpu = text(10),
                    .governor = text(11),
                    .load_before = rows.getColumn(12).getDouble(),
                    .load_after = rows.getColumn(13).getDouble()};
            run.finished = rows.getColumn(14).getInt() != 0;
            runs.push_back(std::move(run));
        }
        return runs;
    });
}

Result<std::vector<Samples>> History::samples(std::int64_t run) const {
    return guarded(store_->path, [&]() -> Result<std::vector<Samples>> {
        SQLite::Statement rows(*store_->database,
                               "SELECT scenario.name, metric.name, unit, arm, round, value FROM sample "
                               "JOIN scenario ON scenario.id = scenario JOIN metric ON metric.id = metric "
                               "WHERE run = ? AND unit <> 'count' ORDER BY sample.rowid");
        rows.bind(1, run);
        std::vector<Samples> all;
        while (rows.executeStep()) {
            Samples one{.scenario = rows.getColumn(0).getString(),
                        .metric = rows.getColumn(1).getString(),
                        .unit = rows.getColumn(2).getString(),
                        .arm = rows.getColumn(3).getString(),
                        .round = rows.getColumn(4).getUInt(),
                        .values = {}};
            bool same = !all.empty() && all.back().scenario == one.scenario &&
                        all.back().metric == one.metric && all.back().arm == one.arm &&
                        all.back().round == one.round;
            if (!same)
                all.push_back(std::move(one));
            all.back().values.push_back(rows.getColumn(5).getDouble());
        }
        return all;
    });
}

Result<std::vector<Count>> History::counts(std::int64_t run) const {
    return guarded(store_->path, [&]() -> Result<std::vector<Count>> {
        constexpr const char* query =
            "SELECT scenario.name, metric.name, value, {} FROM {} "
            "JOIN scenario ON scenario.id = scenario JOIN metric ON metric.id = metric "
            "WHERE run = ? AND unit = 'count' ORDER BY {}.rowid";
        std::vector<Count> counts;
        std::map<std::pair<std::string, std::string>, std::size_t> places;
        SQLite::Statement rows(*store_->database, fmt::format(query, "''", "sample", "sample"));
        rows.bind(1, run);
        while (rows.executeStep()) {
            counts.push_back({rows.getColumn(0).getString(),
                              rows.getColumn(1).getString(),
                              rows.getColumn(2).getDouble(),
                              {}});
            places[{counts.back().scenario, counts.back().metric}] = counts.size() - 1;
        }
        SQLite::Statement shares(*store_->database,
                                 fmt::format(query, "function.name", "function", "function"));
        shares.bind(1, run);
        while (shares.executeStep())
            if (auto place = places.find({shares.getColumn(0).getString(), shares.getColumn(1).getString()});
                place != places.end())
                counts[place->second].functions.push_back(
                    {shares.getColumn(3).getString(), shares.getColumn(2).getDouble()});
        return counts;
    });
}

Result<std::vector<Comparison>> History::comparisons(std::int64_t run) const {
    return guarded(store_->path, [&]() -> Result<std::vector<Comparison>> {
        SQLite::Statement rows(*store_->database, "SELECT body FROM comparison WHERE run = ? ORDER BY rowid");
        rows.bind(1, run);
        std::vector<Comparison> all;
        while (rows.executeStep())
            if (auto one = comparison_from(rows.getColumn(0).getString()))
                all.push_back(std::move(*one));
        return all;
    });
}

std::filesystem::path default_database() {
    if (const char* named = std::getenv("SLUICE_PERF_DATABASE"); named && *named)
        return named;
    if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state)
        return std::filesystem::path(state) / "sluice/perf.db";
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home && *home ? home : "/tmp") / ".local/state/sluice/perf.db";
}

} // namespace sluice::perf
