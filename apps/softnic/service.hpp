// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A soft NIC, its server, and the thread that moves it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <sluice/base/error.hpp>
#include <sluice/device/device.hpp>
#include <sluice/serve/server.hpp>

#include "options.hpp"

namespace sluice::softnic {

class Service {
  public:
    /// Makes the device and listens.
    static Result<std::unique_ptr<Service>> create(Place place);

    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    /// Readable when pump() has something to do.
    int fd() const noexcept { return server_->fd(); }
    void pump() { server_->pump(); }

    /// Several lines: who is served, and what was counted.
    std::string report() const;

  private:
    Service(Place place, std::unique_ptr<device::Device> device) noexcept
        : place_(std::move(place))
        , device_(std::move(device)) {}
    void move() noexcept;

    Place place_;
    std::unique_ptr<device::Device> device_;
    std::unique_ptr<serve::Server> server_;
    std::atomic<bool> stop_{false};
    std::thread mover_;
};

} // namespace sluice::softnic
