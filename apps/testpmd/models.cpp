// SPDX-License-Identifier: BSD-3-Clause
#include "models.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <rte_pause.h>

#include "ports.hpp"

namespace sluice::testpmd {
namespace {

/// EAL's options of which one says that the user has thought of it.
constexpr std::array<std::string_view, 9> memory_options = {
    "-m",           "--no-huge",      "--in-memory",           "--socket-mem", "--huge-dir", "--huge-unlink",
    "--legacy-mem", "--socket-limit", "--single-file-segments"};
constexpr std::array<std::string_view, 6> lcore_options = {"-l", "-c",       "-s",
                                                           "-S", "--lcores", "--main-lcore"};

template <std::size_t N>
bool says_any(const std::vector<std::string>& words, const std::array<std::string_view, N>& options) {
    return std::ranges::any_of(words, [&](const std::string& word) {
        return std::ranges::any_of(options, [&](std::string_view option) {
            // "-l0-1", "--lcores=0-1"
            return word == option || (option.size() == 2 && word.starts_with(option)) ||
                   word.starts_with(std::string(option) + "=");
        });
    });
}

std::optional<std::uint64_t> xstat(const net::Port& port, std::string_view name) {
    for (const net::XStat& each : port.xstats())
        if (each.name == name)
            return each.value;
    return std::nullopt;
}

} // namespace

std::vector<std::string> default_ports(const Settings& settings) {
    const std::string uri =
        fmt::format("soft:virtio?backend=gen&queues={}", std::min(settings.rxq, settings.txq));
    return {uri, uri};
}

bool only_models(std::span<const std::string> uris) noexcept {
    return !uris.empty() &&
           std::ranges::all_of(uris, [](const std::string& uri) { return uri.starts_with("soft:"); });
}

std::vector<std::string> model_eal_arguments(const CommandLine& line, std::span<const unsigned> cpus) {
    std::vector<std::string> arguments;
    const unsigned lcores = line.settings.nb_cores + 1;
    if (!says_any(line.eal, memory_options)) {
        // Rings, EAL's own tables and the pool's ring stand beside the mbufs.
        constexpr std::uint64_t beside = 32;
        const std::uint64_t mbufs = pool_size(line.settings, line.ports.size(), lcores);
        const std::uint64_t mib = (mbufs * (line.settings.mbuf_size + 256U) >> 20) + beside;
        arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(mib)});
        if (std::ranges::none_of(line.eal, [](const auto& word) { return word.starts_with("--iova-mode"); }))
            arguments.emplace_back("--iova-mode=va");
    }
    if (!says_any(line.eal, lcore_options) && !cpus.empty()) {
        std::string list;
        for (unsigned lcore = 0; lcore < lcores; ++lcore)
            list += fmt::format("{}{}@{}", lcore == 0 ? "" : ",", lcore,
                                cpus[std::min<std::size_t>(lcore, cpus.size() - 1)]);
        arguments.insert(arguments.end(), {"--lcores", list});
    }
    return arguments;
}

std::string other_runtime_directory() {
    const auto writable = [](const std::string& folder) {
        const std::string used = folder + "/dpdk";
        return ::access((::access(used.c_str(), F_OK) == 0 ? used : folder).c_str(), W_OK | X_OK) == 0;
    };
    const char* const session = std::getenv("XDG_RUNTIME_DIR");
    const std::string users = session != nullptr ? session : "/tmp";
    if (std::getenv("RUNTIME_DIRECTORY") != nullptr || writable(::getuid() == 0 ? "/var/run" : users))
        return {};
    std::string own = fmt::format("/tmp/sluice-{}", ::getuid());
    static_cast<void>(::mkdir(own.c_str(), 0700));
    return own;
}

std::span<const unsigned> usable_cpus() {
    static const std::vector<unsigned> found = [] {
        cpu_set_t set;
        CPU_ZERO(&set);
        std::vector<unsigned> cpus;
        if (sched_getaffinity(0, sizeof set, &set) == 0)
            for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
                if (CPU_ISSET(cpu, &set))
                    cpus.push_back(cpu);
        return cpus;
    }();
    return found;
}

ModelThreads::ModelThreads(std::span<net::Port> ports, std::span<const unsigned> cpus,
                           std::span<const unsigned> forwarding) {
    std::vector<net::Port*> models;
    for (net::Port& port : ports)
        if (port.has_model())
            models.push_back(&port);
    models_ = models.size();
    std::vector<unsigned> free;
    for (const unsigned cpu : cpus)
        if (std::ranges::find(forwarding, cpu) == forwarding.end())
            free.push_back(cpu);
    // The main lcore's CPU is the first: it waits, and is left for the last thread.
    std::ranges::reverse(free);
    const std::size_t count = std::min(models.size(), free.size());
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<net::Port*> share;
        for (std::size_t model = i; model < models.size(); model += count)
            share.push_back(models[model]);
        cpus_.push_back(free[i]);
        std::thread& thread =
            threads_.emplace_back([this, mine = std::move(share)]() mutable { run(std::move(mine)); });
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(free[i], &set);
        pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
        pthread_setname_np(thread.native_handle(), "sluice-model");
    }
}

ModelThreads::~ModelThreads() {
    stop_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads_)
        thread.join();
}

/// Sleeps a little once nothing has moved for a while: the machine may be a laptop.
void ModelThreads::run(std::vector<net::Port*> ports) const noexcept {
    constexpr unsigned patience = 4096;
    unsigned idle = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
        std::size_t moved = 0;
        for (net::Port* port : ports)
            moved += port->poll_model();
        idle = moved != 0 ? 0 : idle + 1;
        if (idle >= patience)
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        else if (idle != 0)
            rte_pause();
    }
}

std::string ModelThreads::description() const {
    if (models_ == 0)
        return {};
    if (threads_.empty())
        return "Soft NICs are polled by the forwarding lcores, between bursts: there is no CPU left for "
               "them\n";
    return fmt::format("Soft NICs are polled by {} on CPU {}\n",
                       threads_.size() == 1 ? "a thread" : fmt::format("{} threads", threads_.size()),
                       fmt::join(cpus_, ", "));
}

std::string sink_line(std::size_t index, const net::Port& port, std::uint64_t& bad) {
    const auto checked = xstat(port, "model_sink_received");
    if (!checked)
        return {};
    const std::uint64_t wrong = xstat(port, "model_sink_bad").value_or(0);
    bad += wrong;
    return fmt::format(
        "Soft NIC of port {}: {} frames made; {} frames came back, every byte of their payload "
        "checked: {} bad, {} missing\n",
        index, xstat(port, "model_gen_made").value_or(0), *checked, wrong,
        xstat(port, "model_sink_missing").value_or(0));
}

} // namespace sluice::testpmd
