// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Forwarding: streams on EAL's lcores.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/net/port.hpp>

#include "modes.hpp"
#include "report.hpp"
#include "settings.hpp"
#include "streams.hpp"

namespace sluice::testpmd {

/// A route with its open queues. One lcore's while forwarding runs.
struct alignas(64) Stream {
    Route route{};
    net::RxQueue* rx = nullptr;
    net::TxQueue* tx = nullptr;
    rte_mempool* pool = nullptr;
    rte_ether_addr source{};      ///< of frames that mode mac or txonly sends
    rte_ether_addr destination{}; ///< likewise
    net::Counter received;
    net::Counter sent;
    net::Counter dropped;
    net::Counter consumed;
};

/// Moves one burst of a stream, as `mode` says. `space` holds a burst.
void step(Mode mode, Stream& stream, const FrameMaker& maker, std::span<rte_mbuf*> space) noexcept;

/// Owns the streams. Control functions belong to the main lcore.
class Engine {
  public:
    /// `ports` are open, and outlive the engine; `pool` feeds txonly. `settings` may change while stopped.
    Engine(std::span<net::Port> ports, const Settings& settings, rte_mempool* pool);
    ~Engine() { stop(); }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Deals the streams and starts the forwarding lcores; with `tx_first` each stream sends one burst
    /// before. Counters start at zero. EBUSY when running, EINVAL when EAL has too few lcores.
    Result<> start(bool tx_first);

    /// Waits for the forwarding lcores and returns transmitted mbufs to their pools.
    void stop() noexcept;

    bool running() const noexcept { return running_; }

    /// Whether forwarding lcores poll the ports' models, too, each that of the ports whose first queue it
    /// serves. While stopped.
    void poll_models(bool on) noexcept { poll_models_ = on; }

    /// Holds running lcores while a port is reset, and lets them go on; counters go on too.
    void pause() noexcept;
    Result<> resume();

    /// Of the forwarding that runs, or ran last.
    ForwardCounters counters(std::uint16_t port) const;
    void clear_counters();
    /// Clears the port's own statistics and keeps what forwarding counted.
    void clear_port_stats(std::uint16_t port);

    /// Which lcore serves which streams; what `start` would do, when stopped.
    struct Assignment {
        unsigned lcore;
        std::vector<Route> routes;
    };
    std::vector<Assignment> assignments() const;

    rte_ether_addr peer_address(std::uint16_t port) const;

  private:
    /// One forwarding lcore's work.
    struct Worker {
        unsigned lcore = 0;
        Mode mode = Mode::io;
        std::uint16_t burst = 0;
        const FrameMaker* maker = nullptr;
        std::vector<std::unique_ptr<Stream>> streams;
        std::vector<net::Port*> models;
        const std::atomic<bool>* stop = nullptr;
    };
    static int work(void* worker);
    template <Mode mode>
    static void serve(const Worker& worker, std::span<rte_mbuf*> space) noexcept;

    Result<> launch();
    std::unique_ptr<Stream> make_stream(const Route& route);
    ForwardCounters counted(std::uint16_t port) const;

    std::span<net::Port> ports_;
    const Settings& settings_;
    rte_mempool* pool_;
    FrameMaker maker_;
    std::vector<Worker> workers_;
    std::vector<ForwardCounters> cleared_; ///< by port: what had been counted when it was cleared
    std::vector<std::uint64_t> missed_;    ///< by port, when forwarding stopped
    std::atomic<bool> stop_{false};
    bool running_ = false;
    bool poll_models_ = false;
};

} // namespace sluice::testpmd
