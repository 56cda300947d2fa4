// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The transmit queue. A frame of one mbuf takes one descriptor: its header is written into the mbuf's
/// headroom. As long as all frames are such, slot i of the ring is buffer i, and completion copies 32
/// pointers at a time. Frames of several mbufs, or whose headroom belongs to somebody else, take a chain of
/// consecutive slots.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <sluice/dma/eal_memory.hpp>

#include "queue.hpp"

namespace sluice::inline v1::virtio {

struct TxSetup {
    std::uint16_t index = 0; ///< of the virtqueue
    std::uint16_t descriptors = 0;
    int numa_node = -1;
    RingFormat format;
};

/// What the control path sees of it, whatever the format of its ring.
class TxQueue : public Queue {
  public:
    /// Segments of a frame at most; each ring has room for one such frame and its header.
    static constexpr std::uint16_t max_segments = 32;

    /// `name` says whose queue it is; `alarm` outlives it.
    static Result<std::unique_ptr<TxQueue>> create(const TxSetup& setup, const dma::EalMemory& memory,
                                                   std::string name, const EventFd& alarm);

    /// Empties the ring. The device does not use it.
    virtual void clear() noexcept = 0;

    /// Frees what the device has not sent. It does not use the ring any more.
    virtual void drain() noexcept = 0;

    virtual net::BurstFunction burst_function() const noexcept = 0;
    virtual net::ReclaimFunction reclaim_function() const noexcept = 0;

  protected:
    using Queue::Queue;
};

} // namespace sluice::inline v1::virtio
