// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The driver of Intel's 82574L and 82540EM.
#pragma once

#include <memory>
#include <mutex>

#include <sluice/device/device.hpp>
#include <sluice/device/region_io.hpp>
#include <sluice/dma/eal_memory.hpp>
#include <sluice/net/driver.hpp>

#include "events.hpp"
#include "fault.hpp"
#include "hardware.hpp"
#include "rx.hpp"
#include "stats.hpp"
#include "tx.hpp"

namespace sluice::inline v1::e1000 {

/// What `drivers/` lists.
extern const net::Description description;

class Port final : public net::Driver {
  public:
    static Result<std::unique_ptr<net::Driver>> open(std::unique_ptr<device::Device> device);
    ~Port() override;

    Result<> configure(const net::Config& config) override;
    Result<> start(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) override;
    void stop() noexcept override;
    Result<> reset() override;
    net::Link link() override { return hardware_.link(); }
    Result<> set_filter(const net::RxFilter& filter) override;
    Result<> set_mtu(std::uint16_t mtu) override;
    void stats(net::Stats& stats, std::vector<net::XStat>* extended) override;
    int events_fd() const noexcept override { return events_.fd(); }
    net::Events service() override;
    Result<> rx_interrupt(std::uint16_t queue, bool on) override;
    Result<> set_link(bool up) override;
    device::Device* device() noexcept override { return device_.get(); }

  private:
    Port(std::unique_ptr<device::Device> device, std::unique_ptr<device::RegionIo> io, Hardware hardware,
         dma::EalMemory memory, Events events, EventFd alarm);

    Result<> bring_up();
    Result<> fill_rings(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx);
    Result<> check_mtu(const net::Config& config, std::uint16_t mtu) const;
    void drain() noexcept;
    void keep_totals() noexcept;

    // Teardown order, bottom up: queues, interrupts, registers, the device.
    std::unique_ptr<device::Device> device_;
    std::unique_ptr<device::RegionIo> io_;
    Hardware hardware_;
    dma::EalMemory memory_;
    Events events_;
    Alarm alarm_;
    net::Config config_;
    net::RxFilter filter_;
    bool started_ = false;

    std::mutex stats_mutex_;
    DeviceCounters counters_;
    net::Stats former_; ///< totals of queues that a new configuration replaced
    std::unique_ptr<RxQueue> rx_;
    std::unique_ptr<TxQueue> tx_;
};

} // namespace sluice::inline v1::e1000
