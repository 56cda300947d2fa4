// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What is behind a soft NIC: where the frames go that its driver sends, and where those come from that it
/// receives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

    /// The driver runs with `pairs` queue pairs; 0: it has stopped.
    virtual void run(unsigned /*pairs*/) noexcept {}

    /// Any thread.
    virtual std::vector<device::Statistic> statistics() const { return {}; }

  protected:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
};

/// What is asked of a back-end. Fields that it does not use stay empty.
struct BackendSetup {
    // Initializers let designated ones leave members out without a warning.
    // NOLINTBEGIN(readability-redundant-member-init)
    std::string kind{};      ///< "loop", "pair", "pcap", "tap", "gen"
    std::string peer{};      ///< pair: the cable's name
    std::string rx{};        ///< pcap: the file whose frames the driver receives
    std::string tx{};        ///< pcap: the file that the driver's frames are written to
    std::string ifname{};    ///< tap: the kernel's interface; empty: a new one
    std::uint64_t rate = 0;  ///< gen: frames a second; 0: flat out
    std::uint32_t size = 64; ///< gen: bytes of a frame, without the checksum that a wire adds
    unsigned queues = 1;     ///< queue pairs that the device has
    std::string device{};    ///< for errors
    // NOLINTEND(readability-redundant-member-init)
};

/// EINVAL: no such kind, or a setting that it needs is missing. Others as opening its file or interface.
Result<std::unique_ptr<Backend>> make_backend(const BackendSetup& setup);

} // namespace sluice::inline v1::model
