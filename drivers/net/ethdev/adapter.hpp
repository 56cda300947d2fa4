// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <rte_ethdev.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/net/driver.hpp>

#include "queue.hpp"

namespace sluice::inline v1::ethdev {

/// Makes a counter that may start again at zero into one that only rises.
class Rising {
  public:
    explicit Rising(std::uint64_t now = 0) noexcept
        : last_(now) {}
    std::uint64_t update(std::uint64_t now) noexcept {
        total_ += now >= last_ ? now - last_ : now;
        last_ = now;
        return total_;
    }

  private:
    std::uint64_t last_;
    std::uint64_t total_ = 0;
};

/// Every extended statistic of an ethdev port, as its driver counts it.
std::vector<net::XStat> read_extended(std::uint16_t port);

/// An ethdev port that is ours, in rte_ethdev's sense of an owner.
class Port {
  public:
    /// EBUSY when another part of the process owns it.
    static Result<std::unique_ptr<Port>> claim(std::uint16_t id, const std::string& name);
    /// Closes the port, once it was taken, and removes its device when no other port is left on it.
    ~Port();
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    std::uint16_t id() const noexcept { return id_; }

    /// From here on the port is ours to close. Before, it may be running under its maker, and is let be.
    void take() noexcept { taken_ = true; }

  private:
    Port(std::uint16_t id, std::uint64_t owner) noexcept
        : id_(id)
        , owner_(owner) {}

    std::uint16_t id_;
    std::uint64_t owner_;
    bool taken_ = false;
};

class Adapter final : public net::Driver {
  public:
    Adapter(std::unique_ptr<Port> port, EventFd events, net::DriverInfo info);
    ~Adapter() override;

    Result<> configure(const net::Config& config) override;
    Result<> start(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) override;
    void stop() noexcept override;
    Result<> reset() override;
    net::Link link() override;
    Result<> set_filter(const net::RxFilter& filter) override;
    Result<> set_mtu(std::uint16_t mtu) override;
    void stats(net::Stats& stats, std::vector<net::XStat>* extended) override;
    int events_fd() const noexcept override { return events_.fd(); }
    net::Events service() override;
    Result<> rx_interrupt(std::uint16_t queue, bool on) override;
    Result<> set_link(bool up) override;

  private:
    static int on_event(std::uint16_t port, rte_eth_event_type event, void* self, void* detail);
    void watch(bool on) noexcept;

    Result<> apply(const net::Config& config);
    Result<> set_up_queues(const net::Config& config);
    Result<> apply_mtu(std::uint16_t mtu);
    void retire_queues();
    void note_counters();
    /// Adds what DPDK's driver counts. Under stats_mutex_.
    void sample(net::Stats& stats, std::vector<net::XStat>* extended);

    Result<> set_promiscuous(bool on);
    Result<> set_multicast(const net::RxFilter& filter);
    Result<> set_addresses(const net::RxFilter& filter);

    tl::unexpected<Error> refuse(int code, const char* text) const;
    std::uint16_t id() const noexcept { return port_->id(); }

    std::unique_ptr<Port> port_;
    EventFd events_;
    net::Config config_;
    bool configured_ = false;
    bool started_ = false;
    net::RxFilter filter_; ///< in force
    std::vector<std::unique_ptr<Queue>> rx_;
    std::vector<std::unique_ptr<Queue>> tx_;
    std::atomic<unsigned> pending_{0}; ///< bits by rte_eth_event_type

    std::mutex stats_mutex_;
    net::Stats retired_; ///< counted by queues of former configurations
    Rising missed_, rx_errors_, tx_errors_, no_mbuf_;
    std::map<std::string, Rising> extended_;
};

} // namespace sluice::inline v1::ethdev
