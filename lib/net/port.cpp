// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/net/port.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cerrno>
#include <mutex>
#include <utility>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <sluice/base/log.hpp>
#include <sluice/device/device.hpp>

#include "validate.hpp"

namespace sluice::inline v1::net {
namespace {

/// A pool that is freed when all its mbufs are back, and left alone (with a message) when they are not.
struct PoolDeleter {
    void operator()(rte_mempool* pool) const noexcept {
        if (rte_mempool_full(pool) != 0) {
            rte_mempool_free(pool);
            return;
        }
        log(LogLevel::warning, std::string(pool->name) + ": not freed, " +
                                   std::to_string(rte_mempool_in_use_count(pool)) +
                                   " of its mbufs are still in use: free them before the port is closed");
    }
};
using Pool = std::unique_ptr<rte_mempool, PoolDeleter>;

Result<Pool> make_pool(const Config& config, const DriverInfo& info) {
    static std::atomic<unsigned> serial{0};
    constexpr unsigned cache = 256;
    const unsigned in_rings = unsigned(config.rx_queues) * config.rx_descriptors +
                              unsigned(config.tx_queues) * config.tx_descriptors;
    const unsigned count = in_rings + (config.rx_queues + config.tx_queues) * 2 * cache + 1024;
    // Some devices take powers of two alone.
    const unsigned frame = config.rx_offloads.scatter ? 0 : std::bit_ceil(frame_bytes(config.mtu));
    const unsigned room = RTE_PKTMBUF_HEADROOM + std::max<unsigned>(RTE_MBUF_DEFAULT_DATAROOM, frame);
    const std::string name = "sluice_" + std::to_string(serial++);
    rte_mempool* pool =
        rte_pktmbuf_pool_create(name.c_str(), count, cache, 0, static_cast<std::uint16_t>(room),
                                info.numa_node < 0 ? SOCKET_ID_ANY : info.numa_node);
    if (pool == nullptr)
        return fail(rte_errno,
                    "cannot make a pool of mbufs: reserve more hugepages, or give one in the configuration",
                    info.name + ": " + std::to_string(count) + " mbufs");
    return Pool(pool);
}

void add(std::vector<XStat>& all, const std::string& prefix, const char* what, std::uint64_t value) {
    all.push_back({prefix + what, value});
}

} // namespace

struct Port::Impl {
    // Teardown order: queues, then the driver (which returns its mbufs), then the pool.
    Pool pool;
    std::unique_ptr<Driver> driver;
    std::unique_ptr<RxQueue[]> rx;
    std::unique_ptr<TxQueue[]> tx;
    std::string uri;
    Config config;
    RxFilter filter;
    bool started = false;
    device::Presence known = device::Presence::here; ///< as service() has told it

    mutable std::mutex stats_mutex;
    Stats base;
    std::vector<XStat> extended_base;

    Result<> start() {
        const auto ok = driver->start({rx.get(), config.rx_queues}, {tx.get(), config.tx_queues});
        started = ok.has_value();
        if (!started)
            idle();
        return ok;
    }

    void stop() noexcept {
        idle();
        driver->stop();
        started = false;
    }

    /// A queue that is stopped moves nothing; its counters stay readable.
    void idle() noexcept {
        const auto rest = [](QueueRecord& record) {
            record.burst = idle_burst;
            record.reclaim = idle_reclaim;
        };
        for (std::uint16_t i = 0; i < config.rx_queues; ++i)
            rest(rx[i].record());
        for (std::uint16_t i = 0; i < config.tx_queues; ++i)
            rest(tx[i].record());
    }

    Result<> set_filter(RxFilter next) {
        if (auto ok = driver->set_filter(next); !ok)
            return ok;
        filter = std::move(next);
        return {};
    }

    device::Presence presence() const noexcept {
        return driver->device() != nullptr ? driver->device()->presence() : device::Presence::here;
    }

    Stats raw_stats(std::vector<XStat>* extended) const {
        Stats stats;
        driver->stats(stats, extended);
        return stats;
    }

    std::vector<XStat> raw_xstats() const;
};

std::vector<XStat> Port::Impl::raw_xstats() const {
    std::vector<XStat> device;
    const Stats stats = raw_stats(&device);
    std::vector<XStat> all = {
        {"rx_good_packets", stats.ipackets}, {"tx_good_packets", stats.opackets},
        {"rx_good_bytes", stats.ibytes},     {"tx_good_bytes", stats.obytes},
        {"rx_missed_errors", stats.imissed}, {"rx_errors", stats.ierrors},
        {"tx_errors", stats.oerrors},        {"rx_mbuf_allocation_errors", stats.rx_nombuf},
    };
    for (std::uint16_t i = 0; i < config.rx_queues; ++i) {
        const QueueCounters& queue = rx[i].counters();
        const std::string prefix = "rx_q" + std::to_string(i) + "_";
        add(all, prefix, "packets", queue.packets.get());
        add(all, prefix, "bytes", queue.bytes.get());
        add(all, prefix, "errors", queue.errors.get());
        add(all, prefix, "broken", queue.broken.get());
    }
    for (std::uint16_t i = 0; i < config.tx_queues; ++i) {
        const QueueCounters& queue = tx[i].counters();
        const std::string prefix = "tx_q" + std::to_string(i) + "_";
        add(all, prefix, "packets", queue.packets.get());
        add(all, prefix, "bytes", queue.bytes.get());
        add(all, prefix, "errors", queue.errors.get());
        add(all, prefix, "broken", queue.broken.get());
    }
    all.insert(all.end(), std::make_move_iterator(device.begin()), std::make_move_iterator(device.end()));
    if (driver->device() != nullptr)
        for (const auto& [name, value] : driver->device()->statistics())
            all.push_back({"model_" + name, value});
    return all;
}

Port::Port(std::unique_ptr<Impl> impl) noexcept
    : impl_(std::move(impl)) {}
Port::Port(Port&&) noexcept = default;
Port& Port::operator=(Port&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
Port::~Port() {
    close();
}

Result<Port> Port::create(std::unique_ptr<Driver> driver, std::string uri, const Config& config) {
    auto impl = std::make_unique<Impl>();
    impl->driver = std::move(driver);
    impl->uri = std::move(uri);
    impl->filter.promiscuous = config.promiscuous;
    impl->filter.all_multicast = config.all_multicast;
    impl->filter.addresses = {impl->driver->info().mac};
    Port port(std::move(impl));
    if (auto ok = port.configure(config); !ok)
        return propagate(std::move(ok));
    if (config.start)
        if (auto ok = port.start(); !ok)
            return propagate(std::move(ok));
    return port;
}

Result<> Port::configure(const Config& wanted) {
    const DriverInfo& info = impl_->driver->info();
    if (impl_->started)
        return fail(EBUSY, "cannot configure a started port: stop it first", info.name);
    Config asked = wanted;
    if (asked.pool == impl_->pool.get())
        asked.pool = nullptr; // the port's own is made anew: it may have to be larger
    auto config = validate(asked, info.limits, info.name);
    if (!config)
        return propagate(std::move(config));
    Pool pool;
    if (config->rx_queues != 0 && config->pool == nullptr && config->queue_pools.empty()) {
        auto made = make_pool(*config, info);
        if (!made)
            return propagate(std::move(made));
        pool = std::move(*made);
        config->pool = pool.get();
    }
    RxFilter filter = impl_->filter;
    filter.promiscuous = config->promiscuous;
    filter.all_multicast = config->all_multicast;
    auto rx = std::make_unique<RxQueue[]>(config->rx_queues);
    auto tx = std::make_unique<TxQueue[]>(config->tx_queues);
    for (std::uint16_t i = 0; i < config->rx_queues; ++i)
        rx[i].record().index = i;
    for (std::uint16_t i = 0; i < config->tx_queues; ++i)
        tx[i].record().index = i;

    const std::scoped_lock lock(impl_->stats_mutex);
    if (auto ok = impl_->driver->configure(*config); !ok)
        return ok;
    impl_->rx = std::move(rx);
    impl_->tx = std::move(tx);
    impl_->config = std::move(*config);
    impl_->pool = std::move(pool);
    return impl_->set_filter(std::move(filter));
}

Result<> Port::start() {
    return impl_->started ? Result<>{} : impl_->start();
}

void Port::stop() noexcept {
    if (impl_->started)
        impl_->stop();
}

Result<> Port::reset() {
    const bool was_started = impl_->started;
    impl_->stop();
    auto ok = impl_->driver->reset();
    impl_->known = impl_->presence();
    if (!ok)
        return ok;
    return was_started ? impl_->start() : Result<>{};
}

void Port::close() noexcept {
    if (impl_ == nullptr)
        return;
    stop();
    impl_->driver.reset();
    impl_.reset();
}

RxQueue& Port::rx(std::uint16_t index) noexcept {
    assert(index < impl_->config.rx_queues);
    return impl_->rx[index];
}
TxQueue& Port::tx(std::uint16_t index) noexcept {
    assert(index < impl_->config.tx_queues);
    return impl_->tx[index];
}
std::uint16_t Port::rx_queues() const noexcept {
    return impl_->config.rx_queues;
}
std::uint16_t Port::tx_queues() const noexcept {
    return impl_->config.tx_queues;
}
const DriverInfo& Port::info() const noexcept {
    return impl_->driver->info();
}
const std::string& Port::uri() const noexcept {
    return impl_->uri;
}
const Config& Port::config() const noexcept {
    return impl_->config;
}
bool Port::started() const noexcept {
    return impl_->started;
}
Link Port::link() {
    return impl_->driver->link();
}
Result<> Port::set_link(bool up) {
    return impl_->driver->set_link(up);
}
int Port::events_fd() const noexcept {
    return impl_->driver->events_fd();
}
/// Of a device whose server has ended a driver sees no more than that it does not answer. The link is down;
/// once somebody serves there again, a reset goes on with that.
Events Port::service() {
    using device::Presence;
    const Presence before = impl_->known;
    if (auto* const device = impl_->driver->device())
        impl_->known = device->service();
    const Presence now = impl_->known;
    Events events = impl_->driver->service();
    if (now != Presence::here)
        events = {.error = now == Presence::returned && now != before,
                  .broken = events.broken,
                  .gone = now == Presence::gone && now != before};
    events.link |= (now == Presence::here) != (before == Presence::here);
    return events;
}

bool Port::promiscuous() const noexcept {
    return impl_->filter.promiscuous;
}
Result<> Port::set_promiscuous(bool on) {
    RxFilter next = impl_->filter;
    next.promiscuous = on;
    if (auto ok = impl_->set_filter(std::move(next)); !ok)
        return ok;
    impl_->config.promiscuous = on;
    return {};
}
bool Port::all_multicast() const noexcept {
    return impl_->filter.all_multicast;
}
Result<> Port::set_all_multicast(bool on) {
    RxFilter next = impl_->filter;
    next.all_multicast = on;
    if (auto ok = impl_->set_filter(std::move(next)); !ok)
        return ok;
    impl_->config.all_multicast = on;
    return {};
}
MacAddress Port::mac() const noexcept {
    return impl_->filter.addresses.front();
}

Result<> Port::set_mac(MacAddress address) {
    if (address.multicast() || address.zero())
        return fail(EINVAL, "not an address that a port can have", info().name + ": " + address.to_string());
    RxFilter next = impl_->filter;
    std::erase_if(next.addresses,
                  [&](const MacAddress& other) { return other == address && other != mac(); });
    next.addresses.front() = address;
    return impl_->set_filter(std::move(next));
}

Result<> Port::add_mac(MacAddress address) {
    if (address.zero())
        return fail(EINVAL, "the zero address cannot be received", info().name);
    RxFilter next = impl_->filter;
    auto& list = address.multicast() ? next.multicast : next.addresses;
    if (std::find(list.begin(), list.end(), address) != list.end())
        return fail(EEXIST, "the address is received already", info().name + ": " + address.to_string());
    if (!address.multicast() && list.size() == info().limits.mac_addresses)
        return fail(ENOSPC, "the device filters no more addresses: use promiscuous mode",
                    info().name + ": " + std::to_string(list.size()));
    list.push_back(address);
    return impl_->set_filter(std::move(next));
}

Result<> Port::remove_mac(MacAddress address) {
    if (address == mac())
        return fail(EINVAL, "the port's own address cannot be removed", info().name);
    RxFilter next = impl_->filter;
    if (std::erase(next.addresses, address) + std::erase(next.multicast, address) == 0)
        return fail(ENOENT, "no such address on the port", info().name + ": " + address.to_string());
    return impl_->set_filter(std::move(next));
}

std::uint16_t Port::mtu() const noexcept {
    return impl_->config.mtu;
}

Result<> Port::set_mtu(std::uint16_t mtu) {
    if (impl_->started)
        return fail(EBUSY, "cannot change the MTU of a started port: stop it first", info().name);
    Config next = impl_->config;
    next.mtu = mtu;
    if (auto ok = validate(next, info().limits, info().name); !ok)
        return propagate(std::move(ok));
    if (auto ok = impl_->driver->set_mtu(mtu); !ok)
        return ok;
    impl_->config.mtu = mtu;
    return {};
}

Stats Port::stats() const {
    const std::scoped_lock lock(impl_->stats_mutex);
    Stats now = impl_->raw_stats(nullptr);
    const Stats& base = impl_->base;
    now.ipackets -= base.ipackets;
    now.opackets -= base.opackets;
    now.ibytes -= base.ibytes;
    now.obytes -= base.obytes;
    now.imissed -= base.imissed;
    now.ierrors -= base.ierrors;
    now.oerrors -= base.oerrors;
    now.rx_nombuf -= base.rx_nombuf;
    return now;
}

bool Port::has_model() const noexcept {
    return impl_->driver->device() != nullptr && impl_->driver->device()->needs_poll();
}

std::size_t Port::poll_model() noexcept {
    device::Device* const device = impl_->driver->device();
    return device != nullptr ? device->poll() : 0;
}

std::vector<XStat> Port::xstats() const {
    const std::scoped_lock lock(impl_->stats_mutex);
    auto now = impl_->raw_xstats();
    for (std::size_t i = 0; i < std::min(now.size(), impl_->extended_base.size()); ++i)
        if (now[i].name == impl_->extended_base[i].name)
            now[i].value -= std::min(now[i].value, impl_->extended_base[i].value);
    return now;
}

void Port::clear_stats() {
    const std::scoped_lock lock(impl_->stats_mutex);
    impl_->base = impl_->raw_stats(nullptr);
    impl_->extended_base = impl_->raw_xstats();
}

} // namespace sluice::inline v1::net
