// SPDX-License-Identifier: BSD-3-Clause
#include "service.hpp"

#include <chrono>
#include <utility>

#include <pthread.h>

#include <fmt/format.h>

#include <sluice/model/soft_nic.hpp>

namespace sluice::softnic {

Result<std::unique_ptr<Service>> Service::create(Place place) {
    auto device = model::make_soft_nic(place.options);
    if (!device)
        return propagate(std::move(device));
    std::unique_ptr<Service> service(new Service(std::move(place), std::move(*device)));
    auto server = serve::Server::listen(*service->device_, service->place_.socket);
    if (!server)
        return propagate(std::move(server));
    service->server_ = std::move(*server);
    service->mover_ = std::thread([raw = service.get()] { raw->move(); });
    pthread_setname_np(service->mover_.native_handle(), "softnic-poll");
    return service;
}

Service::~Service() {
    stop_.store(true, std::memory_order_relaxed);
    if (mover_.joinable())
        mover_.join();
}

/// Flat out under traffic; sleeps once nothing has moved for a while.
void Service::move() noexcept {
    constexpr unsigned patience = 4096;
    unsigned idle = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
        idle = device_->poll() != 0 ? 0 : idle + 1;
        if (idle >= patience)
            std::this_thread::sleep_for(std::chrono::microseconds(idle < 16 * patience ? 20 : 100));
    }
}

std::string Service::report() const {
    const serve::ServerStatistics& server = server_->statistics();
    std::string text =
        fmt::format("{} at {}\n"
                    "  client: {}; clients {}, busy {}, messages {}, refused {}, dropped {}\n ",
                    place_.uri, place_.socket, server_->connected() ? "connected" : "none", server.clients,
                    server.busy, server.messages, server.refused, server.dropped);
    for (const auto& [name, value] : device_->statistics())
        text += fmt::format(" {} {}", name, value);
    return text + "\n";
}

} // namespace sluice::softnic
