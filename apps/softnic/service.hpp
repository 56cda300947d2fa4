// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A soft NIC, its socket, and the thread that moves it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/device/device.hpp>

#include "options.hpp"

namespace sluice::softnic {

/// What both protocols count.
struct Conversations {
    bool connected = false;
    std::uint64_t clients = 0;
    std::uint64_t busy = 0;
    std::uint64_t messages = 0;
    std::uint64_t refused = 0;
    std::uint64_t dropped = 0;
};

/// A device behind a socket, by one protocol. One thread pumps, another polls.
class Served {
  public:
    virtual ~Served() = default;
    virtual int fd() const noexcept = 0;
    virtual void pump() = 0;
    virtual std::size_t poll() noexcept = 0;
    virtual Conversations conversations() const = 0;
    virtual std::vector<device::Statistic> statistics() const = 0;
};

class Service {
  public:
    /// Makes the device and its socket.
    static Result<std::unique_ptr<Service>> create(Place place, const CommandLine& line);

    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    /// Readable when pump() has something to do.
    int fd() const noexcept { return served_->fd(); }
    void pump() { served_->pump(); }

    /// Several lines: who is served, and what was counted.
    std::string report() const;

  private:
    Service(Place place, std::unique_ptr<Served> served) noexcept
        : place_(std::move(place))
        , served_(std::move(served)) {}
    void move() noexcept;

    Place place_;
    std::unique_ptr<Served> served_;
    std::atomic<bool> stop_{false};
    std::thread mover_;
};

} // namespace sluice::softnic
