// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The two kinds of port that are measured: ours, and DPDK's driver for the same device.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <rte_ethdev.h>

#include <sluice/base/error.hpp>
#include <sluice/model/vhost_nic.hpp>
#include <sluice/net/port.hpp>

#include "scenarios.hpp"

struct rte_mempool;

namespace sluice::perf::subject {

/// A port of ours over a model in this process; what it sends comes back.
class OurEnds {
  public:
    /// `behind`: what is behind a soft NIC instead of the loop. ENOTSUP for other devices then.
    static Result<std::unique_ptr<OurEnds>> open(const Scenario& scenario, rte_mempool* pool,
                                                 const std::optional<model::BackendSetup>& behind = {});

    std::uint16_t receive(rte_mbuf** packets, std::uint16_t count) noexcept {
        return rx_->burst({packets, count});
    }
    std::uint16_t send(rte_mbuf** packets, std::uint16_t count) noexcept {
        return tx_->burst({packets, count});
    }
    /// The model moves `count` frames, all that there are.
    void turn(std::size_t count) noexcept {
        while (count != 0) {
            const std::size_t moved = model_->poll();
            if (moved == 0)
                return;
            count -= std::min(count, moved);
        }
    }

  private:
    OurEnds(device::Device& model, net::Port port) noexcept
        : port_(std::move(port))
        , model_(&model)
        , rx_(&port_.rx(0))
        , tx_(&port_.tx(0)) {}

    net::Port port_;
    device::Device* model_; ///< the port's
    net::RxQueue* rx_;
    net::TxQueue* tx_;
};

/// A port of DPDK's net_virtio_user, whose rings our vhost NIC serves from this process.
class DpdkEnds {
  public:
    static Result<std::unique_ptr<DpdkEnds>> open(const Scenario& scenario, rte_mempool* pool,
                                                  const std::optional<model::BackendSetup>& behind = {});
    ~DpdkEnds();

    std::uint16_t receive(rte_mbuf** packets, std::uint16_t count) noexcept {
        return rte_eth_rx_burst(port_, 0, packets, count);
    }
    std::uint16_t send(rte_mbuf** packets, std::uint16_t count) noexcept {
        return rte_eth_tx_burst(port_, 0, packets, count);
    }
    void turn(std::size_t count) noexcept {
        while (count != 0) {
            const std::size_t moved = nic_->poll();
            if (moved == 0)
                return;
            count -= std::min(count, moved);
        }
    }

  private:
    DpdkEnds() = default;

    std::unique_ptr<model::VhostNic> nic_;
    std::atomic<bool> stop_{false};
    std::thread pump_;
    std::string socket_;
    std::uint16_t port_ = RTE_MAX_ETHPORTS;
};

} // namespace sluice::perf::subject
