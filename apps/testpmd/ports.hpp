// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Opening the ports, the pool that they share, and what is said about them.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <rte_mempool.h>

#include <sluice/base/error.hpp>
#include <sluice/net/port.hpp>

#include "report.hpp"
#include "settings.hpp"

namespace sluice::testpmd {

/// The pool of all ports and of txonly.
class Pool {
  public:
    /// `ports` of them will be opened, and EAL has `lcores` lcores.
    static Result<Pool> create(const Settings& settings, std::size_t ports, unsigned lcores);

    rte_mempool* get() const noexcept { return pool_.get(); }
    unsigned size() const noexcept { return pool_->size; }
    /// Mbufs that are not back. Exact when no lcore forwards.
    unsigned missing() const noexcept { return rte_mempool_in_use_count(pool_.get()); }

  private:
    struct Free {
        void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
    };
    explicit Pool(rte_mempool* pool) noexcept
        : pool_(pool) {}
    std::unique_ptr<rte_mempool, Free> pool_;
};

/// Mbufs for full rings, lcore caches and bursts under way.
std::uint32_t pool_size(const Settings& settings, std::size_t ports, unsigned lcores) noexcept;

/// Opens `uris` in order: port N's frames say port N. Not started yet.
Result<std::vector<net::Port>> open_ports(std::span<const std::string> uris, const Settings& settings,
                                          rte_mempool* pool);

/// URIs of all devices that are bound to sluice-pci, in bus order; there may be none.
Result<std::vector<std::string>> bound_devices();

/// "up at 10 Gbps, full-duplex", "down".
std::string link_text(const net::Link& link);

/// One line: device, driver, transport, kernel driver, address, link.
std::string port_line(std::size_t index, net::Port& port);

/// The block of `show port info`.
std::string port_info(std::size_t index, net::Port& port);
std::string port_summary_heading(std::size_t ports);
std::string port_summary(std::size_t index, net::Port& port);
std::string port_xstats(std::size_t index, const net::Port& port);

/// Counters of a port now, and rates since the last time that it was asked.
class Meter {
  public:
    std::string show(std::size_t index, const net::Port& port);

  private:
    NicCounters then_{};
    std::chrono::steady_clock::time_point at_;
};

} // namespace sluice::testpmd
