// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What is behind a soft NIC: where the frames go that its driver sends, and where those come from that it
/// receives.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/device/device.hpp>
#include <sluice/model/frame.hpp>

namespace sluice::inline v1::model {

/// The other side of a device. All but statistics() is called by the device, one call at a time. Nothing
/// blocks.
class Backend {
  public:
    virtual ~Backend() = default;

    /// What send() takes; the device finishes the rest before.
    virtual Takes takes() const noexcept = 0;

    /// Takes frames that the driver sent on queue pair `queue`, from the front; how many. The rest stays with
    /// the driver and comes again. A frame that is lost on purpose counts as taken.
    virtual std::size_t send(unsigned queue, std::span<const Frame> frames) noexcept = 0;

    /// Frames that wait for queue pair `queue`, at most max_burst. They stay as they are until consume().
    virtual std::span<const Frame> receive(unsigned queue) noexcept = 0;
    /// The first `count` of them went to the driver.
    virtual void consume(unsigned queue, std::size_t count) noexcept = 0;
    /// The driver has no buffer for what else there is on queue pair `queue`.
    virtual void full(unsigned /*queue*/) noexcept {}

    /// The driver runs with `pairs` queue pairs; 0: it has stopped.
    virtual void run(unsigned /*pairs*/) noexcept {}

    /// Any thread.
    virtual std::vector<device::Statistic> statistics() const { return {}; }

  protected:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
};

/// A generator that stands for a wire: what it is to offer, and what became of it. A frame falls due every
/// 1/rate seconds from the device's first turn on; if the driver has no buffer for it then, it is lost. A
/// frame that comes back behind a later one counts as lost. Written in the device's turns; others read it
/// when there are no more.
struct Wire {
    /// Frames that may be due at once when the device's turn comes: older ones are lost too, as the device
    /// itself was late.
    static constexpr std::uint64_t patience = 256;

    std::uint64_t warm_up = 0; ///< frames before those that count
    std::uint64_t frames = 0;  ///< that count; then nothing more is due
    bool timed = false;        ///< latencies are kept

    using Clock = std::chrono::steady_clock;
    /// Between turns: nothing falls due until resume(), and the time that passes is none. Frames that are
    /// under way have to come back before, or their latency has no meaning.
    void rest() noexcept { resting_since = Clock::now(); }
    void resume() noexcept {
        rested += Clock::now() - *resting_since;
        resting_since.reset();
    }
    /// The time, but for rests.
    Clock::time_point now() const noexcept { return resting_since.value_or(Clock::now()) - rested; }
    std::optional<Clock::time_point> resting_since;
    Clock::duration rested{0};

    // Of all frames.
    std::uint64_t over = 0;   ///< fell due, and were placed or lost
    std::uint64_t placed = 0; ///< went to the driver
    std::uint64_t back = 0;   ///< came back whole
    std::uint64_t bad = 0;    ///< came back as something else

    // Of those that count.
    std::uint64_t full = 0;               ///< lost: no buffer of the driver's
    std::uint64_t late = 0;               ///< lost: the device's turn came too late
    std::uint64_t returned = 0;           ///< came back whole
    std::vector<std::uint32_t> latencies; ///< ns from when each was due to when the sink had it
};

/// What is asked of a back-end. Fields that it does not use stay empty.
struct BackendSetup {
    // Initializers let designated ones leave members out without a warning.
    // NOLINTBEGIN(readability-redundant-member-init)
    std::string kind{};           ///< "loop", "pair", "pcap", "tap", "gen"
    std::string peer{};           ///< pair: the cable's name
    std::string rx{};             ///< pcap: the file whose frames the driver receives
    std::string tx{};             ///< pcap: the file that the driver's frames are written to
    std::string ifname{};         ///< tap: the kernel's interface; empty: a new one
    std::uint64_t rate = 0;       ///< gen: frames a second; 0: flat out
    std::uint32_t size = 64;      ///< gen: bytes of a frame, without the checksum that a wire adds
    std::shared_ptr<Wire> wire{}; ///< gen: it stands for one, at `rate`, with one queue pair
    unsigned queues = 1;          ///< queue pairs that the device has
    std::string device{};         ///< for errors
    // NOLINTEND(readability-redundant-member-init)
};

/// EINVAL: no such kind, or a setting that it needs is missing. Others as opening its file or interface.
Result<std::unique_ptr<Backend>> make_backend(const BackendSetup& setup);

} // namespace sluice::inline v1::model
