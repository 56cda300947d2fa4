// SPDX-License-Identifier: BSD-3-Clause
#include "adapter.hpp"

#include <cerrno>

#include <unistd.h>

#include "offloads.hpp"

namespace sluice::inline v1::ethdev {
namespace {

constexpr rte_eth_event_type watched[] = {RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_INTR_RESET,
                                          RTE_ETH_EVENT_INTR_RMV};

rte_mempool* pool_of(const net::Config& config, std::uint16_t queue) noexcept {
    return config.queue_pools.empty() ? config.pool : config.queue_pools[queue];
}

std::unique_ptr<Queue> make_queue(std::uint16_t port, std::uint16_t index, std::uint16_t mbuf_port) {
    auto queue = std::make_unique<Queue>();
    queue->port = port;
    queue->index = index;
    queue->mbuf_port = mbuf_port;
    return queue;
}

} // namespace

Adapter::Adapter(std::unique_ptr<Port> port, EventFd events, net::DriverInfo info)
    : port_(std::move(port))
    , events_(std::move(events)) {
    info_ = std::move(info);
    rte_eth_stats now{};
    if (rte_eth_stats_get(id(), &now) == 0) {
        missed_ = Rising(now.imissed);
        rx_errors_ = Rising(now.ierrors);
        tx_errors_ = Rising(now.oerrors);
        no_mbuf_ = Rising(now.rx_nombuf);
    }
    for (const net::XStat& counted : read_extended(id()))
        extended_[counted.name] = Rising(counted.value);
    watch(true);
}

Adapter::~Adapter() {
    stop();
    watch(false);
}

tl::unexpected<Error> Adapter::refuse(int code, const char* text) const {
    return fail(code < 0 ? -code : code, text, info_.name);
}

/// A driver may forget its counters when it is configured or reset.
void Adapter::note_counters() {
    net::Stats ignored;
    std::vector<net::XStat> all;
    sample(ignored, &all);
}

Result<> Adapter::configure(const net::Config& config) {
    const std::scoped_lock lock(stats_mutex_);
    note_counters();
    if (auto ok = apply(config); !ok) {
        if (configured_)
            static_cast<void>(apply(config_));
        return ok;
    }
    retire_queues();
    for (std::uint16_t i = 0; i < config.rx_queues; ++i)
        rx_.push_back(make_queue(id(), i, config.port_id));
    for (std::uint16_t i = 0; i < config.tx_queues; ++i)
        tx_.push_back(make_queue(id(), i, config.port_id));
    config_ = config;
    configured_ = true;
    return {};
}

Result<> Adapter::apply(const net::Config& config) {
    rte_eth_dev_info dev{};
    if (const int wrong = rte_eth_dev_info_get(id(), &dev); wrong != 0)
        return refuse(wrong, "DPDK's port does not answer");
    const rte_eth_conf conf = port_conf(config, dev);
    const int wrong = rte_eth_dev_configure(id(), config.rx_queues, config.tx_queues, &conf);
    if (wrong == -EBUSY)
        return refuse(wrong, "the DPDK port is started: its maker has to stop it first");
    if (wrong != 0)
        return refuse(wrong, "DPDK's driver refuses the configuration (EAL's log says what)");
    port_->take();
    if (auto ok = set_up_queues(config); !ok)
        return ok;
    return apply_mtu(config.mtu);
}

Result<> Adapter::set_up_queues(const net::Config& config) {
    std::uint16_t rx_size = config.rx_descriptors;
    std::uint16_t tx_size = config.tx_descriptors;
    if (const int wrong = rte_eth_dev_adjust_nb_rx_tx_desc(id(), &rx_size, &tx_size); wrong != 0)
        return refuse(wrong, "DPDK's driver refuses the ring sizes");
    const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(id()));
    for (std::uint16_t i = 0; i < config.rx_queues; ++i)
        if (const int wrong = rte_eth_rx_queue_setup(id(), i, rx_size, socket, nullptr, pool_of(config, i));
            wrong != 0)
            return refuse(wrong, "DPDK's driver refuses a receive queue (EAL's log says why)");
    for (std::uint16_t i = 0; i < config.tx_queues; ++i)
        if (const int wrong = rte_eth_tx_queue_setup(id(), i, tx_size, socket, nullptr); wrong != 0)
            return refuse(wrong, "DPDK's driver refuses a transmit queue (EAL's log says why)");
    return {};
}

/// Some drivers take the MTU from the configuration, some by a call of its own; virtual ones have none.
Result<> Adapter::apply_mtu(std::uint16_t mtu) {
    const int wrong = rte_eth_dev_set_mtu(id(), mtu);
    if (wrong != 0 && wrong != -ENOTSUP)
        return refuse(wrong, "DPDK's driver refuses the MTU");
    return {};
}

void Adapter::retire_queues() {
    for (const auto& queue : rx_) {
        retired_.ipackets += queue->counters.packets.get();
        retired_.ibytes += queue->counters.bytes.get();
    }
    for (const auto& queue : tx_) {
        retired_.opackets += queue->counters.packets.get();
        retired_.obytes += queue->counters.bytes.get();
    }
    rx_.clear();
    tx_.clear();
}

Result<> Adapter::start(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) {
    if (const int wrong = rte_eth_dev_start(id()); wrong != 0)
        return refuse(wrong, "DPDK's driver cannot start the port (EAL's log says why)");
    started_ = true;
    for (std::size_t i = 0; i < rx.size(); ++i) {
        net::QueueRecord& record = rx[i].record();
        record.burst = rx_burst;
        record.queue = rx_[i].get();
        record.counters = &rx_[i]->counters;
        record.driver = this;
        if (!config_.rx_interrupts)
            continue;
        record.fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id(), static_cast<std::uint16_t>(i));
        if (record.fd < 0) {
            stop();
            return refuse(ENOTSUP, "the DPDK driver has no receive interrupts");
        }
    }
    for (std::size_t i = 0; i < tx.size(); ++i) {
        net::QueueRecord& record = tx[i].record();
        record.burst = tx_burst;
        record.reclaim = tx_reclaim;
        record.queue = tx_[i].get();
        record.counters = &tx_[i]->counters;
        record.driver = this;
    }
    return set_filter(net::RxFilter(filter_));
}

void Adapter::stop() noexcept {
    if (!started_)
        return;
    started_ = false;
    rte_eth_dev_stop(id());
}

Result<> Adapter::reset() {
    const std::scoped_lock lock(stats_mutex_);
    note_counters();
    const int wrong = rte_eth_dev_reset(id());
    if (wrong != 0 && wrong != -ENOTSUP)
        return refuse(wrong, "DPDK's driver cannot reset the device");
    return configured_ ? apply(config_) : Result<>{};
}

net::Link Adapter::link() {
    rte_eth_link now{};
    net::Link link;
    if (rte_eth_link_get_nowait(id(), &now) != 0)
        return link;
    link.up = now.link_status == RTE_ETH_LINK_UP;
    link.full_duplex = now.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
    link.autonegotiated = now.link_autoneg == RTE_ETH_LINK_AUTONEG;
    link.mbps = link.up && now.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN ? now.link_speed : 0;
    return link;
}

Result<> Adapter::set_link(bool up) {
    const int wrong = up ? rte_eth_dev_set_link_up(id()) : rte_eth_dev_set_link_down(id());
    if (wrong != 0)
        return refuse(wrong, "DPDK's driver cannot set the link");
    return {};
}

Result<> Adapter::set_mtu(std::uint16_t mtu) {
    net::Config next = config_;
    next.mtu = mtu;
    return configure(next);
}

int Adapter::on_event(std::uint16_t, rte_eth_event_type event, void* self, void*) {
    auto& adapter = *static_cast<Adapter*>(self);
    adapter.pending_.fetch_or(1U << event, std::memory_order_relaxed);
    adapter.events_.signal();
    return 0;
}

void Adapter::watch(bool on) noexcept {
    for (const rte_eth_event_type event : watched)
        if (on)
            rte_eth_dev_callback_register(id(), event, on_event, this);
        else
            rte_eth_dev_callback_unregister(id(), event, on_event, this);
}

net::Events Adapter::service() {
    events_.take();
    const unsigned pending = pending_.exchange(0, std::memory_order_relaxed);
    const auto came = [pending](rte_eth_event_type event) { return (pending & (1U << event)) != 0; };
    return {.link = came(RTE_ETH_EVENT_INTR_LSC),
            .error = came(RTE_ETH_EVENT_INTR_RESET),
            .request = came(RTE_ETH_EVENT_INTR_RMV),
            .broken = false,
            .gone = rte_eth_dev_is_removed(id()) == 1};
}

Result<> Adapter::rx_interrupt(std::uint16_t queue, bool on) {
    const int wrong = on ? rte_eth_dev_rx_intr_enable(id(), queue) : rte_eth_dev_rx_intr_disable(id(), queue);
    if (wrong != 0)
        return refuse(wrong, "DPDK's driver cannot switch a receive interrupt");
    if (!on) {
        std::uint64_t count = 0;
        static_cast<void>(!read(rte_eth_dev_rx_intr_ctl_q_get_fd(id(), queue), &count, sizeof count));
    }
    return {};
}

} // namespace sluice::inline v1::ethdev
