// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The queues of a virtio network device and the frames that move through them: what a soft NIC on PCI and a
/// vhost-user back-end have in common. Who owns it knows how the driver talks to the device, and how it is
/// interrupted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <sluice/device/device.hpp>
#include <sluice/model/backend.hpp>
#include <sluice/model/frame.hpp>
#include <sluice/model/memory.hpp>
#include <sluice/model/ring.hpp>

namespace sluice::inline v1::model {

/// Which frames the driver wants. §5.1.6.5.1, §5.1.6.5.2.
struct ReceiveFilter {
    using Address = std::array<std::byte, 6>;

    bool promiscuous = true;
    bool all_multicast = false;
    Address own{};
    std::vector<Address> table;

    bool wants(const Frame& frame) const noexcept;
};

/// What was counted. Any thread reads it.
struct DatapathCounters {
    std::atomic<std::uint64_t> sent{0};     ///< frames that the driver sent
    std::atomic<std::uint64_t> received{0}; ///< frames that it was given
    std::atomic<std::uint64_t> sent_bytes{0};
    std::atomic<std::uint64_t> received_bytes{0};
    std::atomic<std::uint64_t> bad{0};      ///< frames of the driver's that no frame can be
    std::atomic<std::uint64_t> too_long{0}; ///< frames that do not fit the driver's buffers
    std::atomic<std::uint64_t> filtered{0}; ///< frames that the driver does not want
    std::atomic<std::uint64_t> lies{0};     ///< times that a driver was caught lying
    std::atomic<std::uint64_t> packed{0};   ///< 1: the driver uses packed rings
};

/// Of one queue pair.
struct PairCounters {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
};

/// Queue pair p has receive queue 2p and transmit queue 2p + 1 (§5.1.2). One thread at a time.
class Datapath {
  public:
    /// `interrupt` is called when the driver wants to be told that queue `index` has used buffers.
    Datapath(Backend& backend, unsigned pairs, std::function<void(unsigned index)> interrupt);

    unsigned pairs() const noexcept { return static_cast<unsigned>(queues_.size() / 2); }

    /// What the driver negotiated. Before queues start.
    void set_features(std::uint64_t features) noexcept;
    std::uint64_t features() const noexcept { return features_; }

    /// Whether drivers are to ring when they have given something: off, since polling needs none. Of queues
    /// that start later.
    void want_doorbells(bool wanted) noexcept { wants_doorbells_ = wanted; }

    /// Lets a queue run. `base` as SplitRing's and PackedRing's start(); nothing: a queue at its birth.
    void start_queue(unsigned index, const RingMemory& memory, std::optional<std::uint32_t> base = {});
    /// Where it stood. Nothing of the queue is touched any more.
    std::uint32_t stop_queue(unsigned index) noexcept;
    /// A running queue's areas are elsewhere in this process.
    void move_queue(unsigned index, const RingMemory& memory) noexcept;
    bool running(unsigned index) const noexcept;
    /// What the driver of queue `index` was caught at; null.
    const char* fault(unsigned index) const noexcept;

    /// How many pairs move frames, those below it; 0: none.
    void run(unsigned pairs) noexcept;
    unsigned active() const noexcept { return active_; }

    ReceiveFilter& filter() noexcept { return filter_; }

    /// Moves up to max_burst frames in each direction of each pair. How many moved. `memory` is the driver's,
    /// and held.
    std::size_t poll(Memory& memory) noexcept;

    /// True once after a driver was caught lying.
    bool take_alarm() noexcept { return std::exchange(alarm_, false); }

    /// The counters, by name; those of each pair where there are several. Any thread.
    std::vector<device::Statistic> statistics() const;

  private:
    /// Receive buffers of one frame.
    static constexpr std::size_t max_chains = 256;

    using Ring = std::variant<SplitRing, PackedRing>;

    template <typename R>
    std::size_t transmit(R& ring, unsigned pair, Memory& memory) noexcept;
    template <typename R>
    std::size_t receive(R& ring, unsigned pair, Memory& memory) noexcept;
    template <typename R>
    static void warm(R& ring, Memory& memory, std::size_t chains, bool write) noexcept;
    template <typename R>
    std::size_t take_burst(R& ring, Memory& memory,
                           std::array<typename R::Position, max_burst>& positions) noexcept;
    template <typename R>
    bool deliver(R& ring, const Frame& frame, Memory& memory, unsigned& used) noexcept;
    bool parse(const Chain& chain, Frame& frame) noexcept;
    std::size_t send(unsigned pair, std::span<const Frame> frames) noexcept;
    void caught(unsigned index) noexcept;

    Backend& backend_;
    const std::function<void(unsigned)> interrupt_;
    std::vector<Ring> queues_;
    std::uint64_t features_ = 0;
    Takes sends_;    ///< offloads of frames that the driver sends
    Takes receives_; ///< offloads of frames that it takes
    bool mergeable_ = false;
    bool in_order_ = false;
    unsigned active_ = 0;
    bool alarm_ = false;
    bool wants_doorbells_ = false;
    ReceiveFilter filter_;
    DatapathCounters counters_;
    std::vector<PairCounters> of_pair_;

    // Of the burst at hand.
    std::unique_ptr<Buffers> buffers_;
    std::array<Chain, max_burst> chains_{};
    std::array<Frame, max_burst> frames_{};
    std::array<std::size_t, max_burst> chain_of_{}; ///< of each frame
    std::array<Chain, max_chains> received_{};      ///< of the frame at hand
    std::array<std::uint32_t, max_chains> lengths_{};
    Finisher finisher_;
};

} // namespace sluice::inline v1::model
