// SPDX-License-Identifier: BSD-3-Clause
#include "vhost.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include <sluice/base/log.hpp>
#include <sluice/device/device.hpp>

#include "regs.hpp"
#include "virtio.hpp"

namespace sluice::inline v1::virtio {

namespace {

using vhost_user::Request;

constexpr int arrival_limit_ms = 10'000;
constexpr std::uint16_t largest_ring = 32768;
/// What this side uses of the protocol.
constexpr std::uint64_t protocol =
    vhost_user::protocol::mq | vhost_user::protocol::reply_ack | vhost_user::protocol::status;

/// What a back-end has no say in: there is no control queue and no configuration behind the socket, and its
/// memory is what it is given.
Features possible(Features features) noexcept {
    for (const Feature feature :
         {Feature::ctrl_vq, Feature::ctrl_rx, Feature::ctrl_mac_addr, Feature::mac, Feature::mtu,
          Feature::status, Feature::speed_duplex, Feature::access_platform})
        features.remove(feature);
    return features;
}

std::uint8_t status(std::initializer_list<common::DeviceStatus> bits) noexcept {
    std::uint8_t all = 0;
    for (const auto& each : bits)
        all = static_cast<std::uint8_t>(all | each.raw());
    return all;
}

} // namespace

Result<std::unique_ptr<VhostTransport>>
VhostTransport::create(VhostOptions options, std::shared_ptr<VhostSpace> space, VhostInterrupts& interrupts) {
    std::unique_ptr<VhostTransport> made(
        new VhostTransport(std::move(options), std::move(space), interrupts));
    if (auto ok = made->open(); !ok)
        return propagate(std::move(ok));
    made->space_->on_change([transport = made.get()] {
        const std::scoped_lock lock(transport->mutex_);
        if (!transport->running_)
            return;
        if (auto ok = transport->share_memory(); !ok)
            log(LogLevel::error, ok.error().message());
    });
    return made;
}

VhostTransport::~VhostTransport() {
    space_->on_change({});
    static_cast<void>(reset());
}

Result<> VhostTransport::open() {
    auto watch = Watch::create(options_.path);
    if (!watch)
        return propagate(std::move(watch));
    watch_.emplace(std::move(*watch));
    if (!options_.server)
        return take_connection();
    auto listener = vhost_user::Listener::create(options_.path);
    if (!listener)
        return propagate(std::move(listener));
    listener_.emplace(std::move(*listener));
    if (auto ok = watch_->add(listener_->fd()); !ok)
        return ok;
    pollfd arrival{listener_->fd(), POLLIN, 0};
    if (::poll(&arrival, 1, arrival_limit_ms) != 1)
        return fail(ETIMEDOUT, "no vhost-user back-end connects: start it as the socket's client",
                    options_.path);
    return take_connection();
}

/// Makes sure that a back-end is there, and knows it.
Result<> VhostTransport::take_connection() {
    if (front_)
        return {};
    if (!arrived_) {
        if (options_.server) {
            auto peer = listener_->accept();
            if (!peer)
                return propagate(std::move(peer));
            if (!*peer)
                return fail(ENOTCONN, "no vhost-user back-end is connected", options_.path);
            arrived_ = std::move(**peer);
        } else {
            auto peer = vhost_user::connect(options_.path);
            if (!peer)
                return propagate(std::move(peer));
            arrived_ = std::move(*peer);
        }
    }
    retry(false);
    watch_->remove(arrived_.get());
    auto front = std::make_unique<vhost_user::FrontEnd>(std::move(arrived_));
    if (auto ok = greet(*front); !ok) {
        retry(true);
        return ok;
    }
    const int fd = front->fd();
    const std::scoped_lock lock(mutex_);
    front_ = std::move(front);
    return watch_->add(fd);
}

/// Once a connection.
Result<> VhostTransport::greet(vhost_user::FrontEnd& front) {
    auto features = front.features();
    if (!features)
        return propagate(std::move(features));
    std::uint64_t pairs = 1;
    if ((*features & vhost_user::protocol_features_bit) != 0) {
        auto agreed = front.negotiate_protocol(protocol);
        if (!agreed)
            return propagate(std::move(agreed));
        if (front.has(vhost_user::protocol::mq)) {
            auto there = front.queue_pairs();
            if (!there)
                return propagate(std::move(there));
            pairs = *there;
        }
    }
    // The numbers of rings have eight bits.
    constexpr std::uint64_t most = 128;
    pairs = std::clamp<std::uint64_t>(pairs, 1, most);
    pairs_ = static_cast<std::uint16_t>(options_.queues != 0 ? std::min<std::uint64_t>(pairs, options_.queues)
                                                             : pairs);
    return front.set_owner();
}

void VhostTransport::retry(bool on) noexcept {
    watch_->retry(on && !options_.server);
}

/// The back-end has gone. Nobody touches the rings any more.
void VhostTransport::lose() noexcept {
    {
        const std::scoped_lock lock(mutex_);
        running_ = false;
        front_.reset();
    }
    for (Ring& ring : rings_)
        ring.started = false;
    lost_ = true;
    retry(true);
    interrupts_.link_changed();
}

void VhostTransport::look_for_back_end() noexcept {
    if (options_.server) {
        auto peer = listener_->accept();
        if (!peer || !*peer)
            return;
        arrived_ = std::move(**peer);
    } else {
        if (!watch_->due())
            return;
        auto peer = vhost_user::connect(options_.path);
        if (!peer)
            return;
        arrived_ = std::move(*peer);
    }
    retry(false);
    interrupts_.ready_for_reset();
}

void VhostTransport::service() noexcept {
    if (front_) {
        if (!front_->closed())
            return;
        log(LogLevel::warning, options_.path + ": the vhost-user back-end has gone: the port waits for it");
        lose();
    }
    if (!arrived_)
        look_for_back_end();
}

Transport::Health VhostTransport::health() noexcept {
    return {front_ == nullptr, false, true};
}

/// Stops every ring: after GET_VRING_BASE a back-end does not touch it. One that does not answer is left.
Result<> VhostTransport::reset() {
    if (!front_)
        return {};
    {
        const std::scoped_lock lock(mutex_);
        running_ = false;
    }
    for (Ring& ring : rings_) {
        if (!std::exchange(ring.started, false))
            continue;
        auto disabled = front_->set_ring(Request::set_vring_enable, ring.index, 0);
        if (!disabled || !front_->stop_ring(ring.index)) {
            lose();
            return {};
        }
    }
    if (front_->has(vhost_user::protocol::status) && !front_->set_status(0))
        lose();
    return {};
}

void VhostTransport::isolate() noexcept {
    if (front_)
        lose();
}

Result<> VhostTransport::recover() {
    isolate();
    return {};
}

Result<Features> VhostTransport::negotiate(Features wanted) {
    static_cast<void>(reset());
    rings_.clear();
    if (auto ok = take_connection(); !ok)
        return propagate(std::move(ok));
    auto there = front_->features();
    if (!there) {
        lose();
        return propagate(std::move(there));
    }
    offered_ = Features(*there & ~vhost_user::protocol_features_bit);
    if (!offered_.has(Feature::version_1))
        return fail(ENOTSUP, "the vhost-user back-end does not offer VERSION_1", options_.path);
    Features accepted = possible(offered_ & wanted);
    if (!options_.packed)
        accepted.remove(Feature::ring_packed);
    if (pairs_ < 2)
        accepted.remove(Feature::mq);
    packed_ = accepted.has(Feature::ring_packed);
    if (auto ok = front_->set_features(accepted.bits() | (*there & vhost_user::protocol_features_bit)); !ok)
        return propagate(std::move(ok));
    accepted_ = accepted.bits();
    return accepted;
}

Result<std::uint16_t> VhostTransport::queue_pairs(Features features) {
    return features.has(Feature::mq) ? pairs_ : std::uint16_t{1};
}

std::uint16_t VhostTransport::max_queue_size(std::uint16_t queue) {
    return queue < queues() ? largest_ring : std::uint16_t{0};
}

Result<QueueDoorbell> VhostTransport::set_queue(std::uint16_t queue, const QueueSetup& setup) {
    auto event = EventFd::create();
    if (!event)
        return propagate(std::move(event));
    vhost_user::RingAddresses addresses;
    addresses.index = queue;
    const std::pair<Iova, std::uint64_t*> areas[] = {
        {setup.desc, &addresses.desc}, {setup.driver, &addresses.avail}, {setup.device, &addresses.used}};
    for (const auto& [iova, to] : areas) {
        auto user = user_address(iova);
        if (!user)
            return propagate(std::move(user));
        *to = *user;
    }
    rings_.push_back(
        {queue, setup.size, setup.vector, addresses, std::make_unique<Kick>(std::move(*event)), false});
    return QueueDoorbell(*rings_.back().kick, 0);
}

/// A ring's areas go by the addresses that this process knows.
Result<std::uint64_t> VhostTransport::user_address(Iova iova) const {
    const auto memory = space_->translate(iova, 1, device::DmaAccess::read_write);
    if (!memory)
        return fail(EFAULT, "a ring lies in memory that is not shared", options_.path);
    return reinterpret_cast<std::uintptr_t>(memory->data());
}

Result<> VhostTransport::share_memory() {
    const auto shared = space_->shared();
    if (shared.regions.size() > vhost_user::max_regions)
        return fail(E2BIG,
                    "EAL's memory lies in more pieces than a vhost-user back-end takes: give EAL "
                    "--single-file-segments --iova-mode=va, or --no-huge",
                    options_.path + ": " + std::to_string(shared.regions.size()) + ", at most 8");
    return front_->set_memory(shared.regions, shared.fds);
}

Result<> VhostTransport::start(Ring& ring) {
    const std::uint32_t base = packed_ ? 0x8000 : 0; // descriptor 0, wrap counter 1
    if (auto ok = front_->set_ring_fd(Request::set_vring_call, ring.index, interrupts_.call(ring.vector));
        !ok)
        return ok;
    if (auto ok = front_->set_ring(Request::set_vring_num, ring.index, ring.size); !ok)
        return ok;
    if (auto ok = front_->set_ring(Request::set_vring_base, ring.index, base); !ok)
        return ok;
    if (auto ok = front_->set_ring_addresses(ring.addresses); !ok)
        return ok;
    ring.started = true;
    return front_->set_ring_fd(Request::set_vring_kick, ring.index, ring.kick->event.fd());
}

Result<> VhostTransport::run() {
    using common::DeviceStatus;
    if (!front_)
        return fail(ENOTCONN, "the vhost-user back-end has gone", options_.path);
    {
        const std::scoped_lock lock(mutex_);
        if (auto ok = share_memory(); !ok)
            return ok;
        running_ = true;
    }
    const std::scoped_lock lock(mutex_);
    for (Ring& ring : rings_)
        if (auto ok = start(ring); !ok)
            return ok;
    for (const Ring& ring : rings_)
        if (auto ok = front_->set_ring(Request::set_vring_enable, ring.index, 1); !ok)
            return ok;
    if (std::exchange(lost_, false))
        interrupts_.link_changed();
    if (!front_->has(vhost_user::protocol::status))
        return {};
    const auto begun = {DeviceStatus().set<DeviceStatus::Acknowledge>(),
                        DeviceStatus().set<DeviceStatus::Driver>(),
                        DeviceStatus().set<DeviceStatus::FeaturesOk>()};
    if (auto ok = front_->set_status(status(begun)); !ok)
        return ok;
    return front_->set_status(
        static_cast<std::uint8_t>(status(begun) | DeviceStatus().set<DeviceStatus::DriverOk>().raw()));
}

Result<std::unique_ptr<net::Driver>> open_vhost_user(const net::Uri& uri) {
    static constexpr std::array<std::string_view, 2> switches = {"0", "1"};
    VhostOptions options;
    options.path = uri.address();
    const auto server = uri.get_one_of("server", switches);
    if (!server)
        return tl::unexpected(server.error());
    options.server = *server == "1";
    const auto packed = uri.get_one_of("packed", switches);
    if (!packed)
        return tl::unexpected(packed.error());
    options.packed = *packed != "0";
    if (const auto queues = uri.get("queues")) {
        const auto [end, error] =
            std::from_chars(queues->data(), queues->data() + queues->size(), options.queues);
        if (error != std::errc() || end != queues->data() + queues->size() || options.queues == 0)
            return fail(EINVAL, "queues is a number of queue pairs, 1 or more", uri.text());
    }
    Port::Parts parts;
    parts.info.name = options.path;
    parts.info.transport = "vhost-user";
    auto interrupts = std::make_unique<VhostInterrupts>(options.path);
    auto space = std::make_shared<VhostSpace>();
    auto transport = VhostTransport::create(std::move(options), space, *interrupts);
    if (!transport)
        return propagate(std::move(transport));
    parts.interrupts = std::move(interrupts);
    parts.space = std::move(space);
    parts.transport = std::move(*transport);
    return Port::open(std::move(parts));
}

} // namespace sluice::inline v1::virtio
