// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// How the driver finds and controls its device: PCI, or a vhost-user back-end. Rings know nothing of it.
#pragma once

#include <cstdint>
#include <memory>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>
#include <sluice/reg/doorbell.hpp>
#include <sluice/reg/io.hpp>

#include "features.hpp"

namespace sluice::inline v1::virtio {

/// Where the three parts of a split queue lie for the device. virtio 1.2 §4.1.4.3.
struct QueueSetup {
    std::uint16_t size = 0;
    Iova desc;
    Iova driver;
    Iova device;
    std::uint16_t vector = 0xffff; ///< MSI-X vector, 0xffff: none
};

/// Rung with the queue's index.
using QueueDoorbell = reg::Doorbell<std::uint16_t>;

/// One virtio device, to be brought up in the order of virtio 1.2 §3.1.1: negotiate, set queues, run.
/// Not thread-safe; doorbells belong to their queues' threads.
class Transport {
  public:
    virtual ~Transport() = default;

    /// Resets the device and waits until it says so, 500 ms at most. Afterwards it does no DMA.
    /// ENODEV: it is gone (all ones). ETIMEDOUT: it does not finish.
    virtual Result<> reset() = 0;

    /// Resets the device, acknowledges it and agrees on those of its features that are in `wanted`. Steps 1
    /// to 6. ENOTSUP: not a modern device, one that goes around the IOMMU, or one that refuses the subset.
    virtual Result<Features> negotiate(Features wanted) = 0;

    /// What the device offered at the last negotiate().
    virtual Features offered() const noexcept = 0;

    virtual std::uint16_t queues() const noexcept = 0;
    /// Largest size of a queue; 0 when there is no such queue.
    virtual std::uint16_t max_queue_size(std::uint16_t queue) = 0;

    /// Gives the queue its memory and turns it on. After negotiate(), before run(). Step 7.
    virtual Result<QueueDoorbell> set_queue(std::uint16_t queue, const QueueSetup& setup) = 0;

    /// The vector of configuration changes.
    virtual Result<> set_config_vector(std::uint16_t vector) = 0;

    /// Step 8: the device is live.
    virtual Result<> run() = 0;

    /// True while the device answers, is live, and does not ask for a reset (§2.1.1).
    struct Health {
        bool gone = false;
        bool needs_reset = false;
        bool returns = false; ///< it is gone, and may come back
    };
    virtual Health health() noexcept = 0;

    /// The device configuration (§2.5). Bytes that are not there read as ones.
    virtual reg::Io& config() noexcept = 0;
    virtual std::uint8_t config_generation() noexcept = 0;

    /// Stops DMA of a device that reset() did not stop, as far as the bus can.
    virtual void isolate() noexcept = 0;

    /// Queue pairs that the device has, `features` being agreed on. EIO: what it says cannot be.
    virtual Result<std::uint16_t> queue_pairs(Features features) = 0;

    /// A descriptor that is readable when service() has something to do; −1: never. Constant.
    virtual int events_fd() const noexcept { return -1; }
    /// Handles it, without blocking; what happened comes as interrupts.
    virtual void service() noexcept {}

    /// What there is beyond reset() for a device that does not follow it. Ends as reset() does.
    virtual Result<> recover() = 0;
};

/// Reads several fields of the device configuration as of one moment (§4.1.4.3.1): `read` is called again
/// while the generation changes, eight times at most.
template <typename Read>
auto read_consistent(Transport& transport, Read read) {
    for (unsigned left = 8;; --left) {
        const std::uint8_t before = transport.config_generation();
        auto value = read(transport.config());
        if (left == 1 || transport.config_generation() == before)
            return value;
    }
}

} // namespace sluice::inline v1::virtio
