// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The back-end's half of a conversation: what a front-end asks of a device's rings. All that it sends is
/// hostile until it was checked; whatever is refused leaves the stream in step and no descriptor open.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/vhost_user/channel.hpp>
#include <sluice/vhost_user/memory_table.hpp>

namespace sluice::inline v1::vhost_user {

/// A ring that is to run. Its areas lie whole and aligned in the table's memory, which stays until it was
/// stopped.
struct RingSetup {
    std::uint16_t size = 0;
    std::byte* desc = nullptr;
    std::byte* driver = nullptr;
    std::byte* device = nullptr;
    std::optional<std::uint32_t> base; ///< what stop() gave; none: a ring at its birth
    int kick = -1;                     ///< becomes readable when the driver kicks; −1: poll
    int call = -1;                     ///< written to interrupt the driver; −1: it polls
};

/// The device behind a back-end. Called by pump() alone.
class Rings {
  public:
    /// Features of virtio that the device has.
    virtual std::uint64_t features() const noexcept = 0;
    /// Bytes of the device's configuration, 256 at most.
    virtual std::span<const std::byte> config() const noexcept = 0;
    virtual unsigned pairs() const noexcept = 0;

    /// What the driver accepted, a subset; no ring runs.
    virtual void set_features(std::uint64_t features) noexcept = 0;
    /// `memory` says what descriptors mean; it stays where it is while any ring runs.
    virtual void start(unsigned index, const RingSetup& ring, const MemoryTable& memory) noexcept = 0;
    /// Where it stood. Nothing of it, and of the memory if it was the last one, is touched any more.
    virtual std::uint32_t stop(unsigned index) noexcept = 0;
    /// The driver wants interrupts elsewhere while the ring runs.
    virtual void set_call(unsigned index, int call) noexcept = 0;

  protected:
    Rings() = default;
    Rings(const Rings&) = default;
    Rings& operator=(const Rings&) = default;
    ~Rings() = default;
};

struct BackEndCounters {
    std::uint64_t messages = 0; ///< that the front-end sent
    std::uint64_t refused = 0;  ///< of these, not obeyed
};

/// One connection. Ends with it: rings stop, mappings go. Not thread-safe, and whoever polls the rings does
/// not do so while pump() runs.
class BackEnd {
  public:
    /// `rings` outlives it, and `wake`, an eventfd that calls for pump() when the front-end took memory back.
    BackEnd(UniqueFd socket, Rings& rings, int wake = -1);
    BackEnd(const BackEnd&) = delete;
    BackEnd& operator=(const BackEnd&) = delete;
    ~BackEnd();

    /// Readable when there is something to pump.
    int fd() const noexcept { return channel_.fd(); }

    /// Serves what has arrived, so many messages at most; never blocks for long. An error: the connection has
    /// ended, or is to end: EFAULT: the front-end took back memory that it shares.
    Result<> pump(unsigned most = 64);

    const BackEndCounters& counters() const noexcept { return counters_; }

    bool running(unsigned index) const noexcept { return index < rings_.size() && rings_[index].running; }

  private:
    struct Ring {
        std::uint16_t size = 0;
        std::optional<std::uint16_t> base;
        std::optional<RingAddresses> addresses;
        bool ready = false; ///< the kick message came
        bool enabled = false;
        bool running = false;
        UniqueFd kick;
        UniqueFd call;
    };

    Result<> serve(Message& message);
    int obey(Message& message);
    int set_memory(Message& message);
    int set_features(std::uint64_t features);
    int set_ring(const Message& message);
    int set_ring_fd(Message& message);
    Result<> answer(const Message& message);
    Result<> reply(const Message& message, std::span<const std::byte> body);
    Result<> refuse(const Message& message);
    Ring* ring(std::uint32_t index) noexcept;
    unsigned index_of(const Ring& ring) const noexcept {
        return static_cast<unsigned>(&ring - rings_.data());
    }
    bool complete(const Ring& ring) const noexcept;
    int start(Ring& ring) noexcept;
    void stop(Ring& ring) noexcept;
    void stop_all() noexcept;
    int restart_all(const std::vector<bool>& wanted) noexcept;

    Channel channel_;
    BackEndCounters counters_;
    Rings& device_;
    const int wake_;
    MemoryTable memory_;
    std::vector<Ring> rings_;
    std::uint64_t features_ = 0;
    std::uint64_t protocol_ = 0;
    std::uint8_t status_ = 0;
};

} // namespace sluice::inline v1::vhost_user
