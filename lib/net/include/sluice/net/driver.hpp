// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The interface between Port and a driver: a constexpr Description and the twelve functions of Driver.
/// All functions are called by the port's control thread unless one says otherwise. Arguments were
/// validated by Port against the driver's Limits before a driver sees them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/net/config.hpp>
#include <sluice/net/mac.hpp>
#include <sluice/net/queue.hpp>
#include <sluice/net/stats.hpp>

namespace sluice::inline v1::device {
class Device;
}

namespace sluice::inline v1::net {

struct Link {
    bool up = false;
    bool full_duplex = false;
    bool autonegotiated = false;
    std::uint32_t mbps = 0; ///< 0: not known, or down
};

/// What service() found since it was last called.
struct Events {
    bool link = false;    ///< the link changed: ask Port::link()
    bool error = false;   ///< the device reported an error: reset() may recover
    bool request = false; ///< the device is wanted elsewhere, or is leaving: close the port
    bool broken = false;  ///< a queue caught the device lying: reset() recovers
    bool gone = false;    ///< the device answers no more

    bool any() const noexcept { return link || error || request || broken || gone; }
};

/// Which frames are received. Broadcast always is.
struct RxFilter {
    bool promiscuous = false;
    bool all_multicast = false;
    std::vector<MacAddress> addresses; ///< unicast, the port's own first
    std::vector<MacAddress> multicast;
};

/// Facts that a driver learned when it opened its device.
struct DriverInfo {
    std::string driver;        ///< "e1000", "ethdev"
    std::string device;        ///< what is driven: "82574L", "net_pcap"
    std::string name;          ///< the device's own: a BDF, a vdev name
    std::string transport;     ///< "vfio", "sluice", "inproc", "dpdk": how the device was opened
    std::string kernel_driver; ///< as sysfs spells it for the open device; empty when there is none
    std::uint16_t vendor_id = 0;
    std::uint16_t device_id = 0;
    MacAddress mac;
    int numa_node = -1;
    Limits limits;
};

/// One open device under its driver. Made by Description::open or by a scheme; destruction closes it.
///
/// Guarantees of the destructor: DMA and interrupts are off, every mbuf is back in its pool, and the device
/// is left as a reset would. It may be called in any state, also when the device is gone.
class Driver {
  public:
    virtual ~Driver() = default;

    const DriverInfo& info() const noexcept { return info_; }

    /// 1. Applies a configuration to a stopped device.
    /// Guarantees: all or nothing, the former configuration stays after an error; no DMA yet.
    virtual Result<> configure(const Config& config) = 0;

    /// 2. Starts all queues and fills in their records (burst, queue, reclaim, counters, fd); the spans have
    /// as many entries as configured queues. Guarantees: after success frames flow, filters and MTU are those
    /// last set; after an error the device is stopped and no mbuf is lost. Counters go on from where they
    /// were.
    virtual Result<> start(std::span<RxQueue> rx, std::span<TxQueue> tx) = 0;

    /// 3. Stops all queues. No thread is in a burst.
    /// Guarantees: no DMA after it returned, every mbuf that the rings held is back in its pool, counters
    /// stay readable. Not an error when stopped, nor when the device is gone. Bounded: 1 s.
    virtual void stop() noexcept = 0;

    /// 4. Resets a stopped device to the state that configure() left.
    /// Guarantees: recovers from everything but a device that is gone (ENODEV); MAC, filters, MTU as before.
    virtual Result<> reset() = 0;

    /// 5. The link's state now.
    /// Guarantees: bounded, does not wait for negotiation; down when the device is gone.
    virtual Link link() = 0;

    /// 6. Receives what `filter` names, and no less; takes effect at once when started, and at each start.
    /// Guarantees: idempotent; more addresses than filter in hardware are ENOSPC and change nothing.
    virtual Result<> set_filter(const RxFilter& filter) = 0;

    /// 7. Sets the MTU of a stopped device.
    /// Guarantees: EINVAL and no change when a frame would not fit into the pool's mbufs without scatter.
    virtual Result<> set_mtu(std::uint16_t mtu) = 0;

    /// 8. Adds the totals since open to `stats`, and, unless null, appends each named statistic to
    /// `extended`, always the same names in the same order. May be called by any thread, at any time.
    /// Guarantees: monotonic, survives stop, start and reset; device registers that a read clears are
    /// accumulated.
    virtual void stats(Stats& stats, std::vector<XStat>* extended) = 0;

    /// 9. A descriptor (eventfd or epoll) that is readable when service() has something to do, or the device
    /// has (Device::events_fd); constant from open to close. −1: never.
    virtual int events_fd() const noexcept = 0;

    /// 10. Handles what made events_fd() readable. What the device had to do is done.
    /// Guarantees: bounded, does not block; afterwards events_fd() is not readable unless something new came.
    virtual Events service() = 0;

    /// 11. Arms (true) or disarms (false) a receive queue's eventfd; see RxQueue. May be called by the
    /// queue's thread, at the same time as other queues' threads do. Guarantees: RxQueue::arm's and disarm's.
    virtual Result<> rx_interrupt(std::uint16_t queue, bool on) = 0;

    /// 12. Brings the device's link up or down, as far as it can.
    /// Guarantees: ENOTSUP when it cannot; does not wait.
    virtual Result<> set_link(bool up) = 0;

    /// The device that is driven; null where the driver has none of ours.
    virtual device::Device* device() noexcept { return nullptr; }

  protected:
    Driver() = default;
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    DriverInfo info_;
};

struct PciId {
    std::uint16_t vendor;
    std::uint16_t device;
};

/// A driver as data. `drivers/` has the generated table of all of them.
struct Description {
    std::string_view name;
    std::span<const PciId> ids;

    /// Takes the device over. EIO, ENODEV and the like with the device's name.
    /// Guarantees: after an error the device is closed and as a reset would leave it.
    Result<std::unique_ptr<Driver>> (*open)(std::unique_ptr<device::Device> device);
};

} // namespace sluice::inline v1::net
