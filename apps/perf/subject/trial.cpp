// SPDX-License-Identifier: BSD-3-Clause
#include "trial.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sched.h>

#include <nlohmann/json.hpp>
#include <rte_mbuf.h>
#include <rte_pause.h>

namespace sluice::perf::subject {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double warm_up_seconds = 0.1;
constexpr Seconds residue{2};
/// Linux takes 50 ms of each second from threads of real-time priority for those that would have nothing
/// else: they get them in rests, between stretches of the trial.
constexpr Seconds stretch{0.45};
constexpr Seconds rest{0.06};

/// A thread keeps to one processor.
void pin(pthread_t thread, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    static_cast<void>(::pthread_setaffinity_np(thread, sizeof set, &set));
}

/// It runs before all others that may be there, where it may (root).
void prefer(pthread_t thread) {
    const sched_param priority{.sched_priority = 10};
    static_cast<void>(::pthread_setschedparam(thread, SCHED_FIFO, &priority));
}

/// Latencies at 1,001 equally spaced ranks, the least and the greatest among them: their percentiles are
/// those of all, to a tenth of one in a hundred.
std::vector<std::uint32_t> ranks_of(std::vector<std::uint32_t> all) {
    constexpr std::size_t steps = 1000;
    std::ranges::sort(all);
    if (all.size() <= steps)
        return all;
    std::vector<std::uint32_t> ranks;
    for (std::size_t i = 0; i <= steps; ++i)
        ranks.push_back(all[(i * (all.size() - 1) + steps / 2) / steps]);
    return ranks;
}

/// What the two threads of a trial tell each other.
struct Between {
    std::atomic<bool> resting{false};
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> unsent{0}; ///< frames that found the transmit ring full
};

bool all_back(const model::Wire& wire, const Between& between) {
    return wire.placed == wire.back + wire.bad + between.unsent.load(std::memory_order_relaxed);
}

template <typename Ends>
void some_turns(Ends& ends) {
    for (unsigned turn = 0; turn < 256; ++turn)
        ends.turn(1);
}

/// The wire's side, until all its frames were due, and are back or have had their time.
template <typename Ends>
void play_wire(Ends& ends, model::Wire& wire, Between& between, Seconds whole) {
    const auto from_now = [&wire](Seconds time) {
        return wire.now() + std::chrono::duration_cast<Clock::duration>(time);
    };
    const std::uint64_t all = wire.warm_up + wire.frames;
    for (const auto last = from_now(whole + residue); wire.over < all && wire.now() < last;) {
        for (const auto end = from_now(stretch); wire.over < all && wire.now() < end;)
            some_turns(ends);
        wire.rest();
        const auto patience = Clock::now() + residue;
        do
            some_turns(ends);
        while (!all_back(wire, between) && Clock::now() < patience);
        between.resting.store(true);
        std::this_thread::sleep_for(rest);
        between.resting.store(false);
        wire.resume();
    }
    between.over.store(true);
}

template <typename Ends>
void forward(Ends& ends, Between& between, std::uint16_t burst) {
    std::vector<rte_mbuf*> packets(burst);
    while (!between.over.load(std::memory_order_relaxed)) {
        const std::uint16_t received = ends.receive(packets.data(), burst);
        if (received == 0) {
            if (between.resting.load(std::memory_order_relaxed))
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            rte_pause();
            continue;
        }
        const std::uint16_t sent = ends.send(packets.data(), received);
        if (sent != received) {
            rte_pktmbuf_free_bulk(packets.data() + sent, received - sent);
            between.unsent.fetch_add(received - sent, std::memory_order_relaxed);
        }
    }
}

} // namespace

Result<std::array<int, 2>> two_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::array<int, 2> found{};
    std::size_t count = 0;
    if (::sched_getaffinity(0, sizeof set, &set) == 0)
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && count < found.size(); --cpu)
            if (CPU_ISSET(cpu, &set))
                found[count++] = cpu;
    if (count < found.size())
        return fail(EBUSY, "a trial takes two processors, one of them for the wire: allow this process two");
    return found;
}

Result<model::BackendSetup> wire_of(const Scenario& scenario, const TrialPlan& plan) {
    if (scenario.path != "fwd")
        return fail(ENOTSUP, "a rate is one of forwarding: choose a scenario with /fwd/", scenario.id);
    auto wire = std::make_shared<model::Wire>();
    wire->warm_up = static_cast<std::uint64_t>(std::ceil(plan.rate * warm_up_seconds));
    wire->frames = static_cast<std::uint64_t>(std::ceil(plan.rate * plan.seconds));
    wire->timed = plan.latency;
    return model::BackendSetup{.kind = "gen",
                               .rate = static_cast<std::uint64_t>(std::llround(plan.rate)),
                               .size = scenario.frame,
                               .wire = std::move(wire)};
}

template <typename Ends>
std::string run_trial(Ends& ends, const Scenario& scenario, const TrialPlan& plan, model::Wire& wire) {
    Between between;
    const Seconds whole(static_cast<double>(wire.warm_up + wire.frames) / plan.rate);
    pin(::pthread_self(), plan.cpus[0]);
    std::thread outside([&] { play_wire(ends, wire, between, whole); });
    // Both processors are chosen before either thread holds one against the other.
    pin(outside.native_handle(), plan.cpus[1]);
    prefer(outside.native_handle());
    prefer(::pthread_self());
    forward(ends, between, scenario.burst);
    outside.join();
    nlohmann::json said{{"scenario", scenario.id},
                        {"rate", plan.rate},
                        {"seconds", plan.seconds},
                        {"offered", wire.frames},
                        {"returned", wire.returned},
                        {"full", wire.full},
                        {"late", wire.late},
                        {"placed", wire.placed},
                        {"back", wire.back},
                        {"unsent", between.unsent.load()},
                        {"bad", wire.bad}};
    if (plan.latency) {
        auto kept = wire.latencies;
        kept.resize(wire.returned);
        said["latency"] = ranks_of(std::move(kept));
    }
    return said.dump();
}

template std::string run_trial(OurEnds&, const Scenario&, const TrialPlan&, model::Wire&);
template std::string run_trial(DpdkEnds&, const Scenario&, const TrialPlan&, model::Wire&);

} // namespace sluice::perf::subject
