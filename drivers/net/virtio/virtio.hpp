// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The virtio network driver. It knows rings, features and commands; where its device is, a Transport knows.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <sluice/dma/eal_memory.hpp>
#include <sluice/net/driver.hpp>
#include <sluice/net/uri.hpp>

#include "control.hpp"
#include "events.hpp"
#include "rx.hpp"
#include "transport.hpp"
#include "tx.hpp"

namespace sluice::inline v1::virtio {

extern const net::Description description;

/// `vhost-user:PATH[?server=0|1][&queues=N][&packed=0|1]`: a back-end behind a socket. `server`: listen, and
/// let it connect (up to ten seconds). `queues`: use no more pairs than that. `packed=0`: use split rings in
/// any case.
Result<std::unique_ptr<net::Driver>> open_vhost_user(const net::Uri& uri);

class Port final : public net::Driver {
  public:
    /// A virtio network device on PCI, physical or a model.
    static Result<std::unique_ptr<net::Driver>> open(std::unique_ptr<device::Device> device);

    /// The same over a transport of any kind. `device`, or else `interrupts`, is what the transport stands
    /// on.
    struct Parts {
        std::unique_ptr<device::Device> device;
        std::unique_ptr<device::Interrupts> interrupts;
        std::unique_ptr<Transport> transport;
        std::shared_ptr<device::AddressSpace> space;
        net::DriverInfo info; ///< name, transport and what else is known
    };
    static Result<std::unique_ptr<net::Driver>> open(Parts parts);

    ~Port() override;

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
    device::Device* device() noexcept override { return device_.get(); }

  private:
    Port(Parts parts, dma::EalMemory memory, Events events);

    struct Queues {
        std::vector<std::unique_ptr<RxQueue>> rx;
        std::vector<std::unique_ptr<TxQueue>> tx;
        RingFormat format;
    };

    Result<> look();
    Result<Queues> make_queues(const net::Config& config, RingFormat format);
    Result<> fit_queues(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx);
    Result<> bring_up(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx);
    template <typename Q>
    Result<> add_queue(Q& queue, std::uint16_t vector, net::QueueRecord& record);
    Result<> add_control_queue();
    Result<> apply_filter();
    std::uint16_t pairs() const noexcept;
    Features wanted() const noexcept;
    void keep_totals() noexcept;

    // Teardown order: queues, transport (which resets the device), memory, interrupts, device.
    std::unique_ptr<device::Device> device_;
    std::unique_ptr<device::Interrupts> own_interrupts_;
    const bool wakes_; ///< there are interrupts for receive queues
    Events events_;
    dma::EalMemory memory_;
    std::unique_ptr<Transport> transport_;
    Features features_;              ///< agreed at the last start
    std::uint16_t device_pairs_ = 1; ///< queue pairs that the device has

    net::Config config_;
    net::RxFilter filter_;
    Queues queues_;
    Queues retired_;
    std::unique_ptr<ControlQueue> control_;
    bool started_ = false;

    std::mutex stats_mutex_; ///< of the queues' vectors and of former_
    net::Stats former_;      ///< of queues that are no more
    std::uint64_t former_broken_ = 0;
};

} // namespace sluice::inline v1::virtio
