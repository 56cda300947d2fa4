// SPDX-License-Identifier: BSD-3-Clause
#include "remote.hpp"

#include <cerrno>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::virtio {

Result<std::unique_ptr<Transport>> RemoteTransport::create(device::RemoteDevice& device) {
    auto watch = Watch::create(std::string(device.name()));
    if (!watch)
        return propagate(std::move(watch));
    if (auto ok = watch->add(device.events_fd()); !ok)
        return propagate(std::move(ok));
    std::unique_ptr<RemoteTransport> made(new RemoteTransport(device, std::move(*watch)));
    if (auto ok = made->find_structures(); !ok)
        return propagate(std::move(ok));
    return made;
}

void RemoteTransport::service() noexcept {
    if (const auto done = remote_.service(); !done && !lost_) {
        lost_ = true;
        log(LogLevel::warning, done.error().message() + ": the port waits for another server there");
        watch_.retry(true);
    }
    if (!lost_ || !watch_.due() || !remote_.returned())
        return;
    watch_.retry(false);
    returned_ = true;
}

Transport::Health RemoteTransport::health() noexcept {
    if (!remote_.connected())
        return {.gone = true, .needs_reset = false, .returns = true};
    return PciTransport::health();
}

Result<> RemoteTransport::reset() {
    if (remote_.connected())
        return PciTransport::reset();
    auto back =
        remote_.returned()
            ? remote_.reconnect()
            : fail(ENODEV,
                   "the device's server is gone: start it again at the same socket, then reset the port",
                   remote_.name());
    if (back)
        back = watch_.add(remote_.events_fd());
    if (back)
        back = find_structures();
    lost_ = !remote_.connected();
    watch_.retry(lost_);
    return back ? PciTransport::reset() : back;
}

Result<> RemoteTransport::recover() {
    return remote_.connected() ? PciTransport::recover() : reset();
}

} // namespace sluice::inline v1::virtio
