// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Soft NICs: the ports when there is no other, the EAL that they need, and who moves them.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sluice/net/port.hpp>

#include "settings.hpp"

namespace sluice::testpmd {

/// The ports of a machine where none was named and none is bound: two soft NICs with a generator and a
/// checking sink behind each.
std::vector<std::string> default_ports(const Settings& settings);

/// True when every port is a model in this process: EAL then needs no hugepages and no rights.
bool only_models(std::span<const std::string> uris) noexcept;

/// What EAL is told beside the user's own arguments when all ports are models: memory without hugepages, as
/// much as the pool takes, unless the user says something of memory; lcores on `cpus`, the main one on the
/// first, unless the user names some.
std::vector<std::string> model_eal_arguments(const CommandLine& line, std::span<const unsigned> cpus);

/// Where EAL may keep its socket, when the place that it would choose cannot be written: of another user, or
/// read only. Empty: its own choice is good.
std::string other_runtime_directory();

/// The CPUs that this process may use, ascending. As of the first call: EAL narrows what its threads see.
std::span<const unsigned> usable_cpus();

/// Moves the models of `ports`: on threads of their own where a CPU forwards nothing, or else by whoever
/// forwards.
class ModelThreads {
  public:
    /// Threads on `cpus`, of which `forwarding` are taken; no thread when none is left. `ports` outlive it.
    ModelThreads(std::span<net::Port> ports, std::span<const unsigned> cpus,
                 std::span<const unsigned> forwarding);
    ~ModelThreads();
    ModelThreads(const ModelThreads&) = delete;
    ModelThreads& operator=(const ModelThreads&) = delete;

    /// True when there are models and no thread for them: the forwarding lcores poll them between bursts.
    bool inline_polling() const noexcept { return models_ != 0 && threads_.empty(); }

    /// One line that says who polls; empty without models.
    std::string description() const;

  private:
    void run(std::vector<net::Port*> ports) const noexcept;

    std::size_t models_ = 0;
    std::vector<unsigned> cpus_; ///< one for each thread
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

/// What the models of a port counted in its sink, "" for ports without one; `bad` goes up by the frames that
/// were not what a generator made.
std::string sink_line(std::size_t index, const net::Port& port, std::uint64_t& bad);

} // namespace sluice::testpmd
