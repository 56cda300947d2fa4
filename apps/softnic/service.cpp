// SPDX-License-Identifier: BSD-3-Clause
#include "service.hpp"

#include <chrono>
#include <utility>

#include <pthread.h>

#include <fmt/format.h>

#include <sluice/model/soft_nic.hpp>
#include <sluice/model/vhost_nic.hpp>
#include <sluice/serve/server.hpp>

namespace sluice::softnic {

namespace {

/// A whole device, by vfio-user.
class ServedDevice final : public Served {
  public:
    static Result<std::unique_ptr<Served>> create(const Place& place) {
        auto device = model::make_soft_nic(place.options);
        if (!device)
            return propagate(std::move(device));
        auto server = serve::Server::listen(**device, place.socket);
        if (!server)
            return propagate(std::move(server));
        return std::unique_ptr<Served>(new ServedDevice(std::move(*device), std::move(*server)));
    }

    int fd() const noexcept override { return server_->fd(); }
    void pump() override { server_->pump(); }
    std::size_t poll() noexcept override { return device_->poll(); }
    Conversations conversations() const override {
        const serve::ServerStatistics& counted = server_->statistics();
        return {server_->connected(), counted.clients, counted.busy,
                counted.messages,     counted.refused, counted.dropped};
    }
    std::vector<device::Statistic> statistics() const override { return device_->statistics(); }

  private:
    ServedDevice(std::unique_ptr<device::Device> device, std::unique_ptr<serve::Server> server) noexcept
        : device_(std::move(device))
        , server_(std::move(server)) {}

    std::unique_ptr<device::Device> device_;
    std::unique_ptr<serve::Server> server_;
};

/// A device's rings, by vhost-user.
class ServedRings final : public Served {
  public:
    static Result<std::unique_ptr<Served>> create(const Place& place, model::VhostRole role) {
        auto nic = model::VhostNic::create(place.options, place.socket, role);
        if (!nic)
            return propagate(std::move(nic));
        return std::unique_ptr<Served>(new ServedRings(std::move(*nic)));
    }

    int fd() const noexcept override { return nic_->events_fd(); }
    void pump() override { nic_->pump(); }
    std::size_t poll() noexcept override { return nic_->poll(); }
    Conversations conversations() const override {
        const model::VhostCounters counted = nic_->counters();
        return {nic_->connected(), counted.clients, counted.busy,
                counted.messages,  counted.refused, counted.dropped};
    }
    std::vector<device::Statistic> statistics() const override { return nic_->statistics(); }

  private:
    explicit ServedRings(std::unique_ptr<model::VhostNic> nic) noexcept
        : nic_(std::move(nic)) {}

    std::unique_ptr<model::VhostNic> nic_;
};

} // namespace

Result<std::unique_ptr<Service>> Service::create(Place place, const CommandLine& line) {
    const auto role = line.connect ? model::VhostRole::client : model::VhostRole::server;
    auto served = line.protocol == Protocol::vhost_user ? ServedRings::create(place, role)
                                                        : ServedDevice::create(place);
    if (!served)
        return propagate(std::move(served));
    std::unique_ptr<Service> service(new Service(std::move(place), std::move(*served)));
    service->mover_ = std::thread([raw = service.get()] { raw->move(); });
    pthread_setname_np(service->mover_.native_handle(), "softnic-poll");
    return service;
}

Service::~Service() {
    stop_.store(true, std::memory_order_relaxed);
    if (mover_.joinable())
        mover_.join();
}

namespace {

/// Another thread of the same core has more of it meanwhile.
void pause_processor() noexcept {
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

} // namespace

/// Flat out under traffic; sleeps once nothing has moved for a while.
void Service::move() noexcept {
    constexpr unsigned patience = 4096;
    unsigned idle = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
        idle = served_->poll() != 0 ? 0 : idle + 1;
        if (idle != 0)
            pause_processor();
        if (idle >= patience)
            std::this_thread::sleep_for(std::chrono::microseconds(idle < 16 * patience ? 20 : 100));
    }
}

std::string Service::report() const {
    const Conversations talk = served_->conversations();
    std::string text =
        fmt::format("{} at {}\n"
                    "  client: {}; clients {}, busy {}, messages {}, refused {}, dropped {}\n ",
                    place_.uri, place_.socket, talk.connected ? "connected" : "none", talk.clients, talk.busy,
                    talk.messages, talk.refused, talk.dropped);
    for (const auto& [name, value] : served_->statistics())
        text += fmt::format(" {} {}", name, value);
    return text + "\n";
}

} // namespace sluice::softnic
