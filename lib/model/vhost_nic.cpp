// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/vhost_nic.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::model {

namespace {

constexpr long retry_ns = 50'000'000;

std::uint64_t offer_to_front_end(const NicOptions& options) noexcept {
    using namespace feature;
    std::uint64_t bits =
        csum | guest_csum | guest_tso4 | guest_tso6 | host_tso4 | host_tso6 | version_1 | in_order;
    if (options.packed)
        bits |= ring_packed;
    if (options.mergeable)
        bits |= mrg_rxbuf;
    if (options.queues > 1)
        bits |= mq;
    return bits;
}

} // namespace

VhostNic::TableMemory::Window VhostNic::TableMemory::find(std::uint64_t address) noexcept {
    if (table_ == nullptr)
        return {};
    const auto window = table_->guest(address);
    return {window.first, window.size, window.data, true, true};
}

Result<std::unique_ptr<VhostNic>> VhostNic::create(NicOptions options, std::string path, VhostRole role) {
    if (options.queues == 0 || options.queues > NicOptions::max_queues)
        return fail(EINVAL, "a soft NIC has 1 to 64 queue pairs", options.name);
    options.backend.queues = options.queues;
    options.backend.device = options.name;
    auto backend = make_backend(options.backend);
    if (!backend)
        return propagate(std::move(backend));
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("cannot make an epoll descriptor", options.name);
    auto wake = EventFd::create();
    if (!wake)
        return propagate(std::move(wake));
    std::unique_ptr<VhostNic> nic(
        new VhostNic(options, std::move(*backend), std::move(path), std::move(epoll), std::move(*wake)));
    if (auto ok = nic->open(role); !ok)
        return propagate(std::move(ok));
    return nic;
}

Result<> VhostNic::open(VhostRole role) {
    int fd = -1;
    if (role == VhostRole::server) {
        auto listener = vhost_user::Listener::create(path_);
        if (!listener)
            return propagate(std::move(listener));
        fd = listener_.emplace(std::move(*listener)).fd();
    } else {
        timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        itimerspec often{};
        often.it_interval.tv_nsec = often.it_value.tv_nsec = retry_ns;
        if (!timer_ || ::timerfd_settime(timer_.get(), 0, &often, nullptr) != 0)
            return fail_errno("cannot make a timer", path_);
        fd = timer_.get();
    }
    if (!watch(fd) || !watch(wake_.fd()))
        return fail_errno("cannot watch the vhost-user socket", path_);
    return {};
}

VhostNic::VhostNic(const NicOptions& options, std::unique_ptr<Backend> backend, std::string path,
                   UniqueFd epoll, EventFd wake)
    : offered_(offer_to_front_end(options))
    , backend_(std::move(backend))
    , calls_(2 * std::size_t{options.queues}, -1)
    , datapath_(*backend_, options.queues,
                [this](unsigned index) {
                    const std::uint64_t one = 1;
                    if (calls_[index] >= 0)
                        static_cast<void>(!::write(calls_[index], &one, sizeof one));
                })
    , epoll_(std::move(epoll))
    , wake_(std::move(wake))
    , path_(std::move(path)) {
    // §5.1.4: an address, the link's state and the number of pairs.
    if (options.mac)
        std::copy(options.mac->begin(), options.mac->end(), config_.begin());
    config_[6] = std::byte{1};
    config_[8] = static_cast<std::byte>(options.queues);
}

VhostNic::~VhostNic() = default;

bool VhostNic::watch(int fd) noexcept {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0;
}

void VhostNic::pump() noexcept {
    wanted_.store(true, std::memory_order_relaxed);
    const std::scoped_lock lock(mutex_);
    wanted_.store(false, std::memory_order_relaxed);
    static_cast<void>(wake_.take());
    if (front_) {
        if (auto ok = front_->pump(); !ok) {
            log(LogLevel::info, ok.error().message());
            drop(ok.error().code() != ECONNRESET);
        }
    }
    accept();
}

/// The front-end has gone, or is sent away.
void VhostNic::drop(bool ours) noexcept {
    counted_.messages += front_->counters().messages;
    counted_.refused += front_->counters().refused;
    counted_.dropped += ours ? 1 : 0;
    front_.reset();
    memory_.set(nullptr);
    connected_ = false;
}

/// Who waits at the socket, or listens there, if anybody does.
Result<std::optional<UniqueFd>> VhostNic::next_peer() {
    if (listener_)
        return listener_->accept();
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) != sizeof expirations || front_)
        return std::nullopt;
    auto peer = vhost_user::connect(path_);
    return peer ? std::optional(std::move(*peer)) : std::nullopt;
}

/// Takes on the next front-end, and sends away who comes beside.
void VhostNic::accept() noexcept {
    for (;;) {
        auto peer = next_peer();
        if (!peer || !*peer)
            return;
        if (front_) {
            ++counted_.busy;
            continue;
        }
        front_.emplace(std::move(**peer), static_cast<vhost_user::Rings&>(*this), wake_.fd());
        if (!watch(front_->fd())) {
            front_.reset();
            continue;
        }
        ++counted_.clients;
        connected_ = true;
    }
}

VhostCounters VhostNic::counters() const noexcept {
    VhostCounters all = counted_;
    if (front_) {
        all.messages += front_->counters().messages;
        all.refused += front_->counters().refused;
    }
    return all;
}

std::size_t VhostNic::poll() noexcept {
    if (wanted_.load(std::memory_order_relaxed))
        return 0;
    const std::scoped_lock lock(mutex_);
    return datapath_.active() != 0 ? datapath_.poll(memory_) : 0;
}

void VhostNic::set_features(std::uint64_t features) noexcept {
    datapath_.set_features(features);
}

/// As many pairs move frames as have a ring that runs.
void VhostNic::run() noexcept {
    unsigned active = 0;
    for (unsigned index = 0; index < 2 * datapath_.pairs(); ++index)
        if (datapath_.running(index))
            active = index / 2 + 1;
    if (active != datapath_.active())
        datapath_.run(active);
}

void VhostNic::start(unsigned index, const vhost_user::RingSetup& ring,
                     const vhost_user::MemoryTable& memory) noexcept {
    memory_.set(&memory);
    auto base = ring.base;
    // A split ring says itself how far it was used. A front-end whose back-end died may not know (DPDK's
    // virtio-user says 0).
    if ((datapath_.features() & feature::ring_packed) == 0)
        base = to_little(
            __atomic_load_n(reinterpret_cast<const std::uint16_t*>(ring.device + 2), __ATOMIC_ACQUIRE));
    calls_[index] = ring.call;
    datapath_.start_queue(index, {ring.size, ring.desc, ring.driver, ring.device}, base);
    run();
}

std::uint32_t VhostNic::stop(unsigned index) noexcept {
    calls_[index] = -1;
    const std::uint32_t base = datapath_.stop_queue(index);
    memory_.forget();
    run();
    return base;
}

void VhostNic::set_call(unsigned index, int call) noexcept {
    calls_[index] = call;
}

std::vector<device::Statistic> VhostNic::statistics() const {
    auto all = datapath_.statistics();
    for (device::Statistic& each : backend_->statistics())
        all.push_back(std::move(each));
    return all;
}

} // namespace sluice::inline v1::model
