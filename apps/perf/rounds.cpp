// SPDX-License-Identifier: BSD-3-Clause
#include "rounds.hpp"

#include <algorithm>

namespace sluice::perf {

namespace {

using Seconds = std::chrono::duration<double>;

Comparison stopped(const Error& error) {
    Comparison result;
    result.verdict = Verdict::could_not_run;
    result.reason = error.message();
    return result;
}

Result<> run_one(std::uint32_t round, const Surroundings& surroundings, Rounds& rounds,
                 std::vector<Samples>& last) {
    std::array<double, 3> figures{};
    last.clear();
    for (unsigned arm : order_of(round)) {
        auto samples = surroundings.measure(arm, round);
        if (!samples)
            return propagate(std::move(samples));
        figures[arm] = median(samples->values);
        samples->arm = arm_names[arm];
        samples->round = round;
        last.push_back(std::move(*samples));
    }
    rounds.a.push_back(figures[0]);
    rounds.control.push_back(figures[1]);
    rounds.b.push_back(figures[2]);
    return surroundings.kept ? surroundings.kept(last) : Result<>{};
}

// How many batches fit, known once the first has run.
std::uint32_t batches_within(const Plan& plan, Seconds batch) {
    double fit = batch.count() > 0 ? plan.budget / batch : 1e6;
    const std::uint32_t most = std::max(plan.most_rounds / batch_rounds, 1U);
    return static_cast<std::uint32_t>(std::clamp(fit, 1.0, static_cast<double>(most)));
}

} // namespace

std::array<unsigned, 3> order_of(std::uint32_t round) noexcept {
    unsigned turn = round % 3;
    std::array<unsigned, 3> order{turn, (turn + 1) % 3, (turn + 2) % 3};
    if (round / 3 % 2 == 1)
        std::swap(order[0], order[2]);
    return order;
}

std::vector<std::uint32_t> looks_of(std::uint32_t batches) {
    std::vector<std::uint32_t> looks;
    for (std::uint32_t at = 2; 3 * at <= 2 * batches; at *= 2)
        looks.push_back(at * batch_rounds);
    looks.push_back(std::max(batches, 1U) * batch_rounds);
    return looks;
}

Comparison run_rounds(const Plan& plan, const Surroundings& surroundings) {
    Rounds rounds;
    std::vector<Samples> last;
    std::vector<std::uint32_t> looks;
    Rule rule = plan.rule;
    Seconds start = surroundings.now();
    for (std::uint32_t round = 0;; ++round) {
        if (auto one = run_one(round, surroundings, rounds, last); !one)
            return stopped(one.error());
        std::uint32_t done = round + 1;
        Seconds spent = surroundings.now() - start;
        if (done == batch_rounds) {
            looks = looks_of(batches_within(plan, spent));
            rule.looks = static_cast<unsigned>(looks.size());
        }
        if (surroundings.progress) {
            std::uint32_t most =
                looks.empty()
                    ? std::max(batch_rounds, batch_rounds * batches_within(plan, spent * batch_rounds / done))
                    : looks.back();
            surroundings.progress({done, most, spent / done * (most - done)});
        }
        bool late = spent > 1.5 * plan.budget && done % batch_rounds == 0;
        if (looks.empty() || (std::ranges::find(looks, done) == looks.end() && !late))
            continue;
        Comparison result = judge(rounds, rule);
        if (result.verdict != Verdict::too_noisy || done >= looks.back() || late) {
            result.unit = last.front().unit;
            result.metric = last.front().metric;
            return result;
        }
    }
}

} // namespace sluice::perf
