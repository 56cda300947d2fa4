// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A network port: what applications hold.
///
///     auto port = sluice::net::open("pci:0000:01:00.0", {.rx_queues = 2, .tx_queues = 2});
///     rte_mbuf* pkts[32];
///     std::uint16_t n = port->rx(0).burst(pkts);
///     std::uint16_t sent = port->tx(0).burst({pkts, n});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/net/config.hpp>
#include <sluice/net/driver.hpp>
#include <sluice/net/mac.hpp>
#include <sluice/net/queue.hpp>
#include <sluice/net/stats.hpp>

namespace sluice::inline v1::net {

/// A port that is open. Move-only; destruction closes it.
/// Threading: control functions belong to one thread at a time, a queue to one, statistics to any. stop(),
/// reset(), configure() and close() require that no thread is in a burst of this port.
class Port {
  public:
    /// Wraps an open driver and applies `config`. For schemes; applications call open().
    static Result<Port> create(std::unique_ptr<Driver> driver, std::string uri, const Config& config);

    Port(Port&&) noexcept;
    Port& operator=(Port&&) noexcept;
    ~Port();

    /// Queue `index` below the configured number. References stay valid until configure() or close().
    RxQueue& rx(std::uint16_t index) noexcept;
    TxQueue& tx(std::uint16_t index) noexcept;
    std::uint16_t rx_queues() const noexcept;
    std::uint16_t tx_queues() const noexcept;

    /// As read from the open device, not from the arguments.
    const DriverInfo& info() const noexcept;
    const std::string& uri() const noexcept;
    /// The configuration in force, with every default filled in.
    const Config& config() const noexcept;

    /// Replaces the configuration of a stopped port. EBUSY when started. EINVAL with what does not fit; the
    /// former configuration stays then.
    Result<> configure(const Config& config);
    /// Not an error when started.
    Result<> start();
    /// Returns every mbuf that the rings held to its pool. Not an error when stopped.
    void stop() noexcept;
    bool started() const noexcept;
    /// Stops, resets the device, and starts it again if it was started: recovers broken queues. ENODEV when
    /// the device is gone. Counters go on.
    Result<> reset();
    /// Ends the port; only destruction and move-assignment are allowed afterwards.
    void close() noexcept;

    /// Does not wait for negotiation.
    Link link();
    /// ENOTSUP when the device cannot.
    Result<> set_link(bool up);

    bool promiscuous() const noexcept;
    Result<> set_promiscuous(bool on);
    bool all_multicast() const noexcept;
    Result<> set_all_multicast(bool on);
    MacAddress mac() const noexcept;
    /// Replaces the port's own address until it is closed. EINVAL for a multicast or zero address.
    Result<> set_mac(MacAddress address);
    /// Receives one more unicast or multicast address. EEXIST, ENOSPC.
    Result<> add_mac(MacAddress address);
    /// ENOENT; the port's own address is EINVAL.
    Result<> remove_mac(MacAddress address);
    std::uint16_t mtu() const noexcept;
    /// EBUSY when started, EINVAL outside the limits.
    Result<> set_mtu(std::uint16_t mtu);

    /// Since open or clear_stats(). Any thread.
    Stats stats() const;
    /// Every statistic by name: those of stats() under DPDK's names ("rx_good_packets"…), each queue's
    /// ("rx_q0_packets"…), then the device's own, a model's as "model_…". Always the same names in the same
    /// order while the number of queues stays. Any thread.
    std::vector<XStat> xstats() const;
    void clear_stats();

    /// True when the device is a model in this process, which moves in poll_model() alone.
    bool has_model() const noexcept;
    /// Lets the model work for a bounded while; the number of frames that it moved. For a thread of the
    /// application's, or between two bursts: one thread at a time, beside all other threads of the port,
    /// until close(). Nothing for other devices.
    std::size_t poll_model() noexcept;

    /// Readable when service() has something to do; −1: never. Constant while the port is open.
    int events_fd() const noexcept;
    /// Handles waiting events, bounded, without blocking, and says what happened.
    Events service();

  private:
    struct Impl;
    explicit Port(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

/// Opens a device by URI (or bare BDF), configures it and, unless config.start is false, starts it. Needs an
/// initialised EAL in a primary process. Errors name the device and what to do.
/// Declared here and defined in drivers/, with the table of schemes.
Result<Port> open(std::string_view uri, const Config& config = {});

/// True when open() would leave the PCI device of a `pci:` URI to DPDK's driver, because the URI says so or
/// none here drives it: EAL has to be started with `-a` and its address then. Needs no EAL.
bool opens_through_ethdev(std::string_view uri);

} // namespace sluice::inline v1::net
