// SPDX-License-Identifier: BSD-3-Clause
#include "e1000.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <utility>

#include <sluice/base/log.hpp>
#include <sluice/config/space.hpp>
#include <sluice/net/device_info.hpp>

namespace sluice::inline v1::e1000 {
namespace {

constexpr std::array ids = {net::PciId{0x8086, 0x10d3}, net::PciId{0x8086, 0x100e}};

/// Frames above this need long frames to be accepted: 1,518 bytes with CRC, 1,522 with a tag.
constexpr std::uint16_t standard_mtu = 1500;

} // namespace

constinit const net::Description description = {.name = "e1000", .ids = ids, .open = &Port::open};

Result<std::unique_ptr<net::Driver>> Port::open(std::unique_ptr<device::Device> device) {
    const device::Identity& identity = device->identity();
    const Chip* chip = find_chip(identity.vendor, identity.device);
    if (chip == nullptr)
        return fail(ENOTSUP, "not a device of the e1000 driver", identity.name);
    if (auto ok = device->config().set_memory_decoding(true); !ok)
        return propagate(std::move(ok));
    auto io = device::RegionIo::create(*device, device::Region::bar0);
    if (!io)
        return propagate(std::move(io));
    auto regs = Registers::create(**io);
    if (!regs)
        return propagate(std::move(regs));
    Hardware hardware(*chip, *regs, identity.name);
    if (auto ok = hardware.reset(); !ok)
        return propagate(std::move(ok));
    auto mac = hardware.mac();
    if (!mac)
        return propagate(std::move(mac));
    auto memory = dma::EalMemory::subscribe(device->space());
    if (!memory)
        return propagate(std::move(memory));
    auto events = Events::create(*device);
    if (!events)
        return propagate(std::move(events));
    auto alarm = EventFd::create();
    if (!alarm)
        return propagate(std::move(alarm));

    std::unique_ptr<Port> port(new Port(std::move(device), std::move(*io), std::move(hardware),
                                        std::move(*memory), std::move(*events), std::move(*alarm)));
    if (auto ok = port->events_.watch(port->alarm_.event.fd()); !ok)
        return propagate(std::move(ok));
    port->info_ = net::describe(*port->device_);
    port->info_.driver = "e1000";
    port->info_.device = chip->name;
    port->info_.mac = *mac;
    port->filter_.addresses = {*mac};
    constexpr net::DescriptorLimits ring = {
        .min = min_descriptors, .max = max_descriptors, .multiple = descriptor_multiple, .preferred = 512};
    port->info_.limits = {
        .rx_queues = 1,
        .tx_queues = 1,
        .rx_descriptors = ring,
        .tx_descriptors = ring,
        .max_mtu = chip->max_mtu,
        .tx_segments = tx_segments,
        .mac_addresses = chip->mac_addresses,
        .rx_offloads = {.checksum = true, .vlan_strip = true, .scatter = true},
        .tx_offloads = {.multi_segment = true, .fast_free = true},
        .rx_interrupts = port->events_.msix(),
    };
    if (auto ok = port->bring_up(); !ok)
        return propagate(std::move(ok));
    return std::unique_ptr<net::Driver>(std::move(port));
}

Port::Port(std::unique_ptr<device::Device> device, std::unique_ptr<device::RegionIo> io, Hardware hardware,
           dma::EalMemory memory, Events events, EventFd alarm)
    : device_(std::move(device))
    , io_(std::move(io))
    , hardware_(std::move(hardware))
    , memory_(std::move(memory))
    , events_(std::move(events))
    , alarm_(device_->name(), std::move(alarm)) {}

Port::~Port() {
    stop();
    hardware_.quiesce();
    (void)device_->config().set_bus_master(false);
    events_.shut_down(*device_);
}

/// What every reset undoes, short of the rings. [82574] §4.6.3, §7.4.
Result<> Port::bring_up() {
    if (auto ok = hardware_.set_up_link(); !ok)
        return ok;
    hardware_.set_vlan_strip(config_.rx_offloads.vlan_strip);
    if (events_.msix())
        hardware_.set_up_msix();
    if (events_.has_interrupts())
        hardware_.enable_link_interrupt();
    return {};
}

Result<> Port::check_mtu(const net::Config& config, std::uint16_t mtu) const {
    if (config.rx_queues == 0 || config.rx_offloads.scatter)
        return {};
    rte_mempool* pool = config.queue_pools.empty() ? config.pool : config.queue_pools.front();
    const unsigned room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
    const unsigned frame = mtu + 22u;
    if (frame <= std::bit_floor(room))
        return {};
    return fail(EINVAL,
                "a frame of this MTU does not fit into one receive buffer, a power of two: give the pool's "
                "mbufs more "
                "room, or ask for scatter",
                info_.name + ": mtu " + std::to_string(mtu) + ", room " + std::to_string(room));
}

Result<> Port::configure(const net::Config& config) {
    if (auto ok = check_mtu(config, config.mtu); !ok)
        return ok;
    std::unique_ptr<RxQueue> rx;
    std::unique_ptr<TxQueue> tx;
    if (config.rx_queues != 0) {
        auto made =
            RxQueue::create({.pool = config.queue_pools.empty() ? config.pool : config.queue_pools.front(),
                             .descriptors = config.rx_descriptors,
                             .port_id = config.port_id,
                             .numa_node = info_.numa_node,
                             .scatter = config.rx_offloads.scatter,
                             .checksum = config.rx_offloads.checksum,
                             .vlan_strip = config.rx_offloads.vlan_strip},
                            memory_, alarm_);
        if (!made)
            return propagate(std::move(made));
        rx = std::move(*made);
    }
    if (config.tx_queues != 0) {
        auto made = TxQueue::create({.descriptors = config.tx_descriptors,
                                     .numa_node = info_.numa_node,
                                     .multi_segment = config.tx_offloads.multi_segment},
                                    memory_, alarm_);
        if (!made)
            return propagate(std::move(made));
        tx = std::move(*made);
    }
    const std::scoped_lock lock(stats_mutex_);
    keep_totals();
    rx_ = std::move(rx);
    tx_ = std::move(tx);
    config_ = config;
    hardware_.set_vlan_strip(config_.rx_offloads.vlan_strip);
    return {};
}

Result<> Port::start(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) {
    if (hardware_.gone())
        return fail(ENODEV, "the device answers no more (all registers read as ones): was it unplugged?",
                    info_.name);
    if (auto ok = device_->config().set_bus_master(true); !ok)
        return ok;
    started_ = true;
    auto ok = fill_rings(rx, tx);
    if (!ok)
        stop();
    return ok;
}

Result<> Port::fill_rings(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) {
    if (rx_ != nullptr)
        hardware_.set_up_receive({.ring = {rx_->ring(), rx_->ring_bytes()},
                                  .buffer_bytes = rx_->buffer_bytes(),
                                  .long_frames = config_.mtu > standard_mtu,
                                  .checksum = config_.rx_offloads.checksum});
    hardware_.set_filter(filter_);
    if (tx_ != nullptr) {
        hardware_.set_up_transmit({tx_->ring(), tx_->ring_bytes()});
        tx_->start(tx[0].record(), reg::Doorbell<u32>(*io_, Tdt::offset(0)));
        tx[0].record().driver = this;
    }
    if (rx_ != nullptr) {
        // The tail is written after the enable: it is what hands the slots over. [82574] §4.6.5.
        hardware_.enable_receive();
        if (auto ok = rx_->start(rx[0].record(), reg::Doorbell<u32>(*io_, Rdt::offset(0))); !ok)
            return ok;
        rx[0].record().driver = this;
        rx[0].record().fd = config_.rx_interrupts ? events_.receive_fd() : -1;
    }
    return {};
}

void Port::stop() noexcept {
    if (!started_)
        return;
    started_ = false;
    {
        const std::scoped_lock lock(stats_mutex_);
        hardware_.quiesce();
        counters_.take(hardware_.regs());
        auto ok = hardware_.reset();
        if (ok)
            ok = bring_up();
        if (!ok)
            log(LogLevel::warning, ok.error().message());
    }
    if (auto ok = device_->config().set_bus_master(false); !ok)
        log(LogLevel::warning, ok.error().message());
    drain();
}

void Port::drain() noexcept {
    if (rx_ != nullptr)
        rx_->drain();
    if (tx_ != nullptr)
        tx_->drain();
    events_.drop_receive();
}

Result<> Port::reset() {
    const std::scoped_lock lock(stats_mutex_);
    counters_.take(hardware_.regs());
    if (auto ok = device_->reset(); !ok && ok.error().code() != EOPNOTSUPP && ok.error().code() != ENOTSUP)
        return ok.error().code() != ENODEV && hardware_.gone()
                   ? fail(ENODEV, "the device answers no more: close the port", info_.name)
                   : ok;
    if (auto ok = io_->map_again(); !ok)
        return ok;
    if (auto ok = device_->config().set_memory_decoding(true); !ok)
        return ok;
    if (auto ok = hardware_.reset(); !ok)
        return ok;
    alarm_.broken.store(false);
    return bring_up();
}

Result<> Port::set_filter(const net::RxFilter& filter) {
    if (filter.addresses.size() > hardware_.chip().mac_addresses)
        return fail(ENOSPC, "the device filters no more addresses: use promiscuous mode", info_.name);
    filter_ = filter;
    if (started_)
        hardware_.set_filter(filter_);
    return {};
}

Result<> Port::set_mtu(std::uint16_t mtu) {
    if (auto ok = check_mtu(config_, mtu); !ok)
        return ok;
    config_.mtu = mtu;
    return {};
}

Result<> Port::set_link(bool) {
    return fail(ENOTSUP, "the driver does not power the PHY down", info_.name);
}

/// Under the lock: what the present queues counted goes on in former_.
void Port::keep_totals() noexcept {
    if (rx_ != nullptr) {
        former_.ipackets += rx_->counters().packets.get();
        former_.ibytes += rx_->counters().bytes.get();
        former_.ierrors += rx_->counters().errors.get();
        former_.rx_nombuf += rx_->counters().no_mbuf.get();
    }
    if (tx_ != nullptr) {
        former_.opackets += tx_->counters().packets.get();
        former_.obytes += tx_->counters().bytes.get();
        former_.oerrors += tx_->counters().errors.get();
    }
}

void Port::stats(net::Stats& stats, std::vector<net::XStat>* extended) {
    const std::scoped_lock lock(stats_mutex_);
    counters_.take(hardware_.regs());
    counters_.add_to(stats);
    if (extended != nullptr)
        counters_.append_to(*extended);
    const net::Stats before = former_;
    keep_totals();
    stats.ipackets += former_.ipackets;
    stats.opackets += former_.opackets;
    stats.ibytes += former_.ibytes;
    stats.obytes += former_.obytes;
    stats.ierrors += former_.ierrors;
    stats.oerrors += former_.oerrors;
    stats.rx_nombuf += former_.rx_nombuf;
    former_ = before;
}

net::Events Port::service() {
    net::Events events;
    if (events_.take_interrupt()) {
        events.link = hardware_.take_link_event();
        events_.rearm(*device_);
        events.gone = hardware_.gone();
    }
    events.error = events_.take_error();
    events.request = events_.take_request();
    if (alarm_.event.take() != 0)
        events.broken = alarm_.broken.load(std::memory_order_acquire);
    return events;
}

Result<> Port::rx_interrupt(std::uint16_t, bool on) {
    if (on) {
        hardware_.arm_receive();
    } else {
        hardware_.disarm_receive();
        events_.drop_receive();
    }
    return {};
}

} // namespace sluice::inline v1::e1000
