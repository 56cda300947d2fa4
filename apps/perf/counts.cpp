// SPDX-License-Identifier: BSD-3-Clause
#include "counts.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "process.hpp"

namespace sluice::perf {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Kinds whose lines are budgeted; the stack's and the program's own move with the length of its path.
constexpr std::array kinds = {"descriptor", "mbuf0", "mbuf1", "own", "pool"};

class Folder {
  public:
    static Result<Folder> create() {
        std::string name = (fs::temp_directory_path() / "sluice-perf-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            return fail_errno("cannot make a folder", name);
        return Folder(name);
    }
    Folder(Folder&& other) noexcept
        : path_(std::exchange(other.path_, {})) {}
    Folder& operator=(Folder&&) = delete;
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        if (!path_.empty())
            fs::remove_all(path_, ignored);
    }
    fs::path operator/(const char* name) const { return path_ / name; }

  private:
    explicit Folder(fs::path path)
        : path_(std::move(path)) {}
    fs::path path_;
};

std::string text_of(const fs::path& path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

double rounded(double value) {
    constexpr double digits = 1e6;
    return std::round(value * digits) / digits;
}

/// One scenario of one build.
class Counter {
  public:
    Counter(const fs::path& build, std::string scenario, std::string side)
        : program_((build / "apps/perf/subject/sluice-perf-subject").string())
        , plugin_((build / "apps/perf/subject/libcount_marked.so").string())
        , scenario_(std::move(scenario))
        , side_(std::move(side)) {}

    Result<std::vector<Count>> go() {
        auto folder = Folder::create();
        if (!folder)
            return propagate(std::move(folder));
        if (auto ran = run_callgrind(*folder); !ran)
            return propagate(std::move(ran));
        if (auto ran = run_plugin(*folder); !ran)
            return propagate(std::move(ran));
        return std::move(counts_);
    }

  private:
    /// The measured program under `tool`: what its last line says.
    Result<Json> run_under(std::vector<std::string> tool, const char* package,
                           const std::vector<std::string>& more = {}) {
        std::vector<std::string> words = std::move(tool);
        words.insert(words.end(), {program_, "--scenario", scenario_, "--side", side_, "--counts"});
        words.insert(words.end(), more.begin(), more.end());
        auto output = run({.words = std::move(words), .empty_environment = true});
        if (!output)
            return output.error().code() == ENOENT ? fail(ENOENT, "is missing: install it to count", package)
                                                   : propagate(std::move(output));
        Json said = Json::parse(last_line(output->out), nullptr, false);
        if (output->status != 0 || !said.is_object())
            return fail(EIO, "the measured program could not run", scenario_ + ": " + last_line(output->err));
        return said;
    }

    void add(std::string metric, double sum, double per, std::vector<Function> functions = {}) {
        for (Function& each : functions)
            each.value = rounded(each.value / per);
        counts_.push_back({scenario_, std::move(metric), rounded(sum / per), std::move(functions)});
    }

    Result<> run_callgrind(const Folder& folder) {
        const fs::path out = folder / "callgrind";
        // The simulated caches are the same on every machine.
        auto said = run_under({"valgrind", "--tool=callgrind", "--vgdb=no", "--instr-atstart=no",
                               "--callgrind-out-file=" + out.string(), "--cache-sim=yes", "--I1=32768,8,64",
                               "--D1=32768,8,64", "--LL=8388608,16,64", "--toggle-collect=*measured_*"},
                              "valgrind");
        if (!said)
            return propagate(std::move(said));
        auto found = parse_callgrind(text_of(out));
        if (!found)
            return propagate(std::move(found));
        const double packets = said->value("packets", 1.0);
        add("instructions", found->instructions, packets, std::move(found->functions));
        add("loads", found->loads, packets);
        add("stores", found->stores, packets);
        return {};
    }

    Result<> run_plugin(const Folder& folder) {
        const fs::path out = folder / "marked";
        const fs::path layout = folder / "layout";
        auto said = run_under(
            {"qemu-x86_64", "-cpu", "max", "-plugin", plugin_ + ",out=" + out.string() + ",lines=on"},
            "qemu-user", {"--layout", layout.string()});
        if (!said)
            return propagate(std::move(said));
        auto found = parse_marked(text_of(out), text_of(layout));
        if (!found)
            return propagate(std::move(found));
        const double packets = said->value("packets", 1.0);
        const auto of = [&](std::string_view kind) {
            const auto at = std::ranges::find(found->lines, kind, &Function::name);
            return at == found->lines.end() ? 0.0 : at->value;
        };
        double all = 0;
        for (const char* kind : kinds)
            all += of(kind);
        add("lines", all, packets);
        for (const char* kind : kinds)
            add(std::string("lines-") + kind, of(kind), packets);
        add("lines-payload", of("payload"), packets);
        add("pool-operations", found->watched, packets);
        add("doorbells", found->doorbells, said->value("bursts", 1.0));
        return {};
    }

    const std::string program_;
    const std::string plugin_;
    const std::string scenario_;
    const std::string side_;
    std::vector<Count> counts_;
};

} // namespace

Result<std::vector<Count>> count(const fs::path& build, const std::vector<std::string>& scenarios,
                                 const CountOptions& options) {
    std::vector<std::optional<Result<std::vector<Count>>>> found(scenarios.size());
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::size_t done = 0;
    std::mutex mutex;
    const auto work = [&] {
        for (std::size_t at = next++; at < scenarios.size() && !failed; at = next++) {
            found[at] = Counter(fs::absolute(build), scenarios[at], options.side).go();
            if (!*found[at])
                failed = true;
            const std::lock_guard lock(mutex);
            ++done;
            if (options.progress)
                options.progress(done, scenarios.size());
        }
    };
    std::vector<std::thread> workers;
    for (unsigned i = 1; i < options.jobs; ++i)
        workers.emplace_back(work);
    work();
    for (std::thread& worker : workers)
        worker.join();
    std::vector<Count> all;
    for (auto& each : found) {
        if (each && !*each)
            return propagate(std::move(*each));
        if (each)
            all.insert(all.end(), std::make_move_iterator((*each)->begin()),
                       std::make_move_iterator((*each)->end()));
    }
    return all;
}

Result<std::string> built_by(const fs::path& build) {
    const std::string program = (build / "apps/perf/subject/sluice-perf-subject").string();
    auto output = run({.words = {program, "--built-by"}, .empty_environment = true});
    if (!output)
        return propagate(std::move(output));
    if (output->status != 0)
        return fail(EIO, "does not say what it was built by", program);
    return last_line(output->out);
}

} // namespace sluice::perf
