// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The PCI transport to a device in another process, which may end and be there again.
#pragma once

#include <memory>
#include <utility>

#include <sluice/device/vfio_user.hpp>

#include "pci.hpp"
#include "watch.hpp"

namespace sluice::inline v1::virtio {

/// The end of the server is seen while nobody talks with it. From then on its socket is tried every 50 ms;
/// once somebody is there, returned() says so, and reset() connects, with all of the device's regions mapped
/// anew.
class RemoteTransport final : public PciTransport {
  public:
    /// As PciTransport::create().
    static Result<std::unique_ptr<Transport>> create(device::RemoteDevice& device);

    Result<> reset() override;
    Result<> recover() override;
    Health health() noexcept override;
    int events_fd() const noexcept override { return watch_.fd(); }
    void service() noexcept override;
    bool take_returned() noexcept override { return std::exchange(returned_, false); }

  private:
    RemoteTransport(device::RemoteDevice& device, Watch watch) noexcept
        : PciTransport(device)
        , remote_(device)
        , watch_(std::move(watch)) {}

    device::RemoteDevice& remote_;
    Watch watch_;
    bool lost_ = false;
    bool returned_ = false;
};

} // namespace sluice::inline v1::virtio
