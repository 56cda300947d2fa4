// SPDX-License-Identifier: BSD-3-Clause
#include "counting.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ostream>
#include <thread>

#include <fmt/format.h>

#include "budgets.hpp"
#include "counts.hpp"

namespace sluice::perf {

namespace {

using Clock = std::chrono::steady_clock;

/// "counting: 12 of 47, 31 s left".
class ProgressLine {
  public:
    ProgressLine(std::ostream& out, bool terminal)
        : out_(out)
        , terminal_(terminal) {}

    void operator()(std::size_t done, std::size_t all) const {
        if (!terminal_)
            return;
        const double spent = std::chrono::duration<double>(Clock::now() - begun_).count();
        out_ << fmt::format("\rcounting: {} of {}, {:.0f} s left   {}", done, all,
                            spent * static_cast<double>(all - done) / static_cast<double>(done),
                            done == all ? "\r\033[K" : "")
             << std::flush;
    }

  private:
    std::ostream& out_;
    bool terminal_;
    Clock::time_point begun_ = Clock::now();
};

} // namespace

Counting make_counting(const Options& options, std::ostream& progress, bool terminal) {
    Counting counting;
    counting.count = [&progress, terminal](const Arm& arm, const std::vector<Listed>& scenarios) {
        std::vector<std::string> ids;
        for (const Listed& each : scenarios)
            ids.push_back(each.id);
        return count(arm.build, ids,
                     {.jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 16U),
                      .side = arm.side,
                      .progress = ProgressLine(progress, terminal)});
    };
    counting.against_budgets =
        [build = options.build](const std::vector<Count>& counts) -> Result<std::vector<Comparison>> {
        auto file = find_budgets();
        if (!file)
            return propagate(std::move(file));
        auto budgets = load_budgets(*file);
        if (!budgets)
            return propagate(std::move(budgets));
        auto built = built_by(build);
        if (!built)
            return propagate(std::move(built));
        return check(*budgets, *built, counts);
    };
    counting.into_budgets = [build = options.build](const std::vector<Count>& counts, bool all) -> Result<> {
        auto file = find_budgets();
        auto built = built_by(build);
        if (!file || !built)
            return tl::unexpected<Error>(file ? built.error() : file.error());
        auto budgets = load_budgets(*file);
        if (!budgets && budgets.error().code() != ENOENT)
            return propagate(std::move(budgets));
        Budgets kept = budgets ? std::move(*budgets) : Budgets{};
        if (auto taken = take(kept, *built, counts, all ? Take::all : Take::lower); !taken)
            return taken;
        return save_budgets(*file, kept);
    };
    return counting;
}

} // namespace sluice::perf
