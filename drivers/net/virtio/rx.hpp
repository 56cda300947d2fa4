// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The receive queue. Slot i of the ring is buffer i for ever, and every slot holds an mbuf: a burst that
/// takes one puts a fresh one in its place, so that a refill is one address. The header of a frame lies in
/// the mbuf's headroom, and the frame where the caller expects it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rte_mbuf.h>

#include <sluice/dma/eal_memory.hpp>

#include "queue.hpp"

namespace sluice::inline v1::virtio {

struct RxSetup {
    rte_mempool* pool = nullptr;
    std::uint16_t index = 0; ///< of the virtqueue
    std::uint16_t descriptors = 0;
    int numa_node = -1;
    std::uint16_t port_id = 0;
    bool scatter = false; ///< chains of mbufs are wanted
    RingFormat format;
};

/// What the control path sees of it, whatever the format of its ring.
class RxQueue : public Queue {
  public:
    /// EINVAL: a pool that devices cannot reach. `name` says whose queue it is; `alarm` outlives it.
    static Result<std::unique_ptr<RxQueue>> create(const RxSetup& setup, const dma::EalMemory& memory,
                                                   std::string name, const EventFd& alarm);

    /// Fills every slot. The device does not use the ring. ENOMEM: the pool is too small.
    virtual Result<> fill(bool mergeable) = 0;

    /// Frees what the slots hold. The device does not use the ring any more.
    virtual void drain() noexcept = 0;

    /// What is published at first, once the device is live.
    virtual void begin() noexcept = 0;

    /// Whether used buffers interrupt. A frame that comes after it returned, does.
    virtual void set_interrupts(bool on) noexcept = 0;

    virtual net::BurstFunction burst_function() const noexcept = 0;

  protected:
    using Queue::Queue;
};

} // namespace sluice::inline v1::virtio
