// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Receive and transmit queues: the data path. A burst is one indirect call through a 64-byte record.
/// A queue belongs to one thread at a time. Nothing here blocks, allocates from the heap, logs in the good
/// case, or makes a system call unless a function says so.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include <sluice/base/error.hpp>
#include <sluice/net/stats.hpp>

struct rte_mbuf;

namespace sluice::inline v1::net {

class Driver;

/// What one queue counted. One writer, any reader.
struct QueueCounters {
    Counter packets;
    Counter bytes;
    Counter errors;  ///< frames dropped for an error that the device reported, or that cannot be sent
    Counter no_mbuf; ///< refills that found the pool empty (receive)
    Counter broken;  ///< times that the device was caught lying
};

/// Counters of a queue that was never started.
inline const QueueCounters no_counters;

/// Burst function of a driver: `queue` is the driver's own object.
using BurstFunction = std::uint16_t (*)(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
using ReclaimFunction = std::uint32_t (*)(void* queue) noexcept;

/// A burst that moves nothing: of a stopped or a broken queue.
std::uint16_t idle_burst(void* queue, rte_mbuf** packets, std::uint16_t count) noexcept;
std::uint32_t idle_reclaim(void* queue) noexcept;

/// The record behind a queue: one cache line, read by bursts and written only by control functions, and by
/// the burst that finds its device lying.
struct alignas(64) QueueRecord {
    BurstFunction burst = idle_burst;
    void* queue = nullptr;
    ReclaimFunction reclaim = idle_reclaim;
    const QueueCounters* counters = &no_counters;
    Driver* driver = nullptr;
    std::uint16_t index = 0;
    bool broken = false;      ///< the device was caught lying; Port::reset() recovers
    std::uint32_t layout = 0; ///< of `queue`, for static ports
    int fd = -1;              ///< receive eventfd
};
static_assert(sizeof(QueueRecord) == 64);

/// A receive queue of a Port.
class RxQueue {
  public:
    /// Takes at most packets.size() received frames into `packets` and returns how many. Never blocks.
    /// Guarantees: each frame is a direct mbuf with reference count 1, from the queue's pool, whose data was
    /// written by the device itself; nb_segs, pkt_len, data_len, port and ol_flags are valid; frames come in
    /// order of arrival; a frame is never cut, a chain is returned whole. Fewer than asked does not mean
    /// that the ring is empty. 0 when the port is stopped or the queue broken.
    std::uint16_t burst(std::span<rte_mbuf*> packets) noexcept {
        return record_.burst(record_.queue, packets.data(),
                             static_cast<std::uint16_t>(std::min<std::size_t>(packets.size(), 0xffff)));
    }

    /// Lets the next received frame make fd() readable, once. Makes a system call or a register write.
    /// Guarantees: a frame that arrives after arm() returned wakes; one that arrived before may not, so
    /// poll once between arm() and sleeping. ENOTSUP without Config::rx_interrupts.
    Result<> arm();
    /// Stops wake-ups and empties the eventfd.
    Result<> disarm();
    /// The eventfd, −1 without Config::rx_interrupts. Stays the port's; changes when it is reconfigured.
    int fd() const noexcept { return record_.fd; }

    std::uint16_t index() const noexcept { return record_.index; }
    bool broken() const noexcept { return record_.broken; }
    /// May be read by any thread; valid while the port is configured.
    const QueueCounters& counters() const noexcept { return *record_.counters; }

    /// For drivers, which fill it in when the queue starts.
    QueueRecord& record() noexcept { return record_; }

  private:
    QueueRecord record_;
};

/// A transmit queue of a Port.
class TxQueue {
  public:
    /// Takes frames from the front of `packets`, in order, and returns how many: these belong to the queue
    /// now and go back to their pools once the device has sent them. The rest stays the caller's.
    /// Guarantees: never blocks; a frame is taken whole or not at all; the device reads the mbufs' own data;
    /// reference counts are respected (an mbuf with more owners loses one); one doorbell write a burst at
    /// most. A frame that can never be sent (too many segments, too long, empty) is taken, freed, and counted
    /// in `errors`. Fewer than asked means that the ring is full. 0 when the port is stopped or the queue
    /// broken.
    std::uint16_t burst(std::span<rte_mbuf*> packets) noexcept {
        return record_.burst(record_.queue, packets.data(),
                             static_cast<std::uint16_t>(std::min<std::size_t>(packets.size(), 0xffff)));
    }

    /// Returns the mbufs of all frames that the device has sent to their pools; the number of mbufs. Bursts
    /// do this on their own, in lumps; call it when traffic stops.
    std::uint32_t reclaim() noexcept { return record_.reclaim(record_.queue); }

    std::uint16_t index() const noexcept { return record_.index; }
    bool broken() const noexcept { return record_.broken; }
    /// May be read by any thread; valid while the port is configured.
    const QueueCounters& counters() const noexcept { return *record_.counters; }

    /// For drivers, which fill it in when the queue starts.
    QueueRecord& record() noexcept { return record_; }

  private:
    QueueRecord record_;
};

static_assert(sizeof(RxQueue) == 64 && sizeof(TxQueue) == 64);

} // namespace sluice::inline v1::net
