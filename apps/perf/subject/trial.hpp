// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// One trial of a rate: a soft NIC whose generator stands for a wire, on a thread and processor of its own,
/// and one loop that forwards every frame back to it.
#pragma once

#include <array>
#include <memory>
#include <string>

#include <sluice/base/error.hpp>
#include <sluice/model/backend.hpp>

#include "ends.hpp"
#include "scenarios.hpp"

namespace sluice::perf::subject {

struct TrialPlan {
    double rate = 0; ///< frames a second
    double seconds = 1;
    bool latency = false;      ///< the latency of every frame too
    std::array<int, 2> cpus{}; ///< of the loop that forwards, and of the wire
};

/// Two processors that this process may run on: asked before EAL starts, which keeps to one. EBUSY: there is
/// but one.
Result<std::array<int, 2>> two_processors();

/// What is behind the scenario's soft NIC in such a trial. ENOTSUP: the scenario does not forward.
Result<model::BackendSetup> wire_of(const Scenario& scenario, const TrialPlan& plan);

/// Runs the trial to its end, when all frames are accounted for, at most two seconds behind the last (RFC
/// 2544 §23): one JSON object, which apps/perf/subject.cpp reads.
template <typename Ends>
std::string run_trial(Ends& ends, const Scenario& scenario, const TrialPlan& plan, model::Wire& wire);

} // namespace sluice::perf::subject
