// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What receive and transmit queues share.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <sluice/base/event_fd.hpp>
#include <sluice/net/queue.hpp>

#include "transport.hpp"

namespace sluice::inline v1::virtio {

/// How a queue's ring is laid out, and what the device promised of it.
struct RingFormat {
    bool packed = false;
    bool in_order = false;

    friend bool operator==(const RingFormat&, const RingFormat&) noexcept = default;
};

/// A queue's doorbell, counters, and what happens when its device is caught lying.
class Queue {
  public:
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;
    virtual ~Queue() = default;

    /// What the transport is told.
    virtual QueueSetup setup(std::uint16_t vector) const noexcept = 0;
    /// Of the virtqueue.
    std::uint16_t index() const noexcept { return index_; }
    const net::QueueCounters& counters() const noexcept { return counters_; }

    /// From now on the queue can be used: `record` is what callers hold.
    void go_live(const QueueDoorbell& doorbell, net::QueueRecord& record) noexcept {
        doorbell_ = doorbell;
        record_ = &record;
        broken_ = false;
    }

  protected:
    /// `name` says whose queue it is in messages; `alarm` is signalled when the queue breaks, and outlives
    /// it.
    Queue(std::string name, std::uint16_t index, const EventFd& alarm) noexcept
        : name_(std::move(name))
        , index_(index)
        , alarm_(alarm) {}

    /// The device lies: the queue does nothing more until it is reset. `what` was found.
    void break_queue(const char* what) noexcept;

    bool broken() const noexcept { return broken_; }

    template <typename Ring>
    void kick(const Ring& ring) noexcept {
        if (ring.wants_doorbell())
            doorbell_.ring(index_);
    }

    QueueDoorbell doorbell_;
    net::QueueCounters counters_;

  private:
    net::QueueRecord* record_ = nullptr;
    std::string name_;
    std::uint16_t index_;
    bool broken_ = false;
    const EventFd& alarm_;
    std::chrono::steady_clock::time_point said_;
};

} // namespace sluice::inline v1::virtio
