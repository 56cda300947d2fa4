// SPDX-License-Identifier: BSD-3-Clause
#include "virtio.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <functional>
#include <utility>

#include <sluice/base/log.hpp>
#include <sluice/net/device_info.hpp>

#include "pci.hpp"

namespace sluice::inline v1::virtio {

namespace {

constexpr std::array ids = {net::PciId{pci_vendor, pci_net_modern},
                            net::PciId{pci_vendor, pci_net_transitional}};

/// A ring has room for a frame of all segments and its header, and for lumps of completions.
constexpr std::uint16_t min_descriptors = 64;
constexpr std::uint16_t preferred_descriptors = 256;
/// Of a device that does not say its own: what fits a frame of 9,728 bytes.
constexpr std::uint16_t default_max_mtu = 9706;
constexpr std::uint16_t max_unicast = 64;
/// Queue pairs that a port may have; the device may have more.
constexpr std::uint16_t max_queue_pairs = 256;

/// The virtqueue of a receive or transmit queue. §5.1.2.
constexpr std::uint16_t receive_queue(std::size_t index) noexcept {
    return static_cast<std::uint16_t>(2 * index);
}
constexpr std::uint16_t transmit_queue(std::size_t index) noexcept {
    return static_cast<std::uint16_t>(2 * index + 1);
}

constexpr RingFormat format_of(Features features) noexcept {
    return {.packed = features.has(Feature::ring_packed), .in_order = features.has(Feature::in_order)};
}

std::string queue_name(const std::string& device, const char* kind, std::size_t index) {
    return device + " " + kind + " queue " + std::to_string(index);
}

net::MacAddress read_mac(reg::Io& config) {
    net::MacAddress mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i)
        mac.bytes[i] = net_config::Mac::read(config, i).raw();
    return mac;
}

} // namespace

constinit const net::Description description = {.name = "virtio", .ids = ids, .open = &Port::open};

Result<std::unique_ptr<net::Driver>> Port::open(std::unique_ptr<device::Device> device) {
    auto transport = PciTransport::create(*device);
    if (!transport)
        return propagate(std::move(transport));
    auto info = net::describe(*device);
    auto space = device->space();
    return open(Parts{std::move(device), nullptr, std::move(*transport), std::move(space), std::move(info)});
}

Result<std::unique_ptr<net::Driver>> Port::open(Parts parts) {
    auto memory = dma::EalMemory::subscribe(parts.space);
    if (!memory)
        return propagate(std::move(memory));
    auto& interrupts = parts.device ? parts.device->interrupts() : *parts.interrupts;
    auto events = Events::create(interrupts, parts.info.name);
    if (!events)
        return propagate(std::move(events));
    if (const int fd = parts.transport->events_fd(); fd >= 0)
        if (auto ok = events->watch(fd); !ok)
            return propagate(std::move(ok));
    std::unique_ptr<Port> port(new Port(std::move(parts), std::move(*memory), std::move(*events)));
    if (auto ok = port->look(); !ok)
        return propagate(std::move(ok));
    return std::unique_ptr<net::Driver>(std::move(port));
}

Port::Port(Parts parts, dma::EalMemory memory, Events events)
    : device_(std::move(parts.device))
    , own_interrupts_(std::move(parts.interrupts))
    , wakes_((device_ ? device_->interrupts() : *own_interrupts_).info(device::Irq::msix).count >= 2)
    , events_(std::move(events))
    , memory_(std::move(memory))
    , transport_(std::move(parts.transport)) {
    info_ = std::move(parts.info);
}

Port::~Port() {
    stop();
}

/// Brings the device up far enough to learn what it is, and resets it again.
Result<> Port::look() {
    info_.driver = "virtio";
    info_.device = "virtio-net";
    auto features = transport_->negotiate(wanted().add(Feature::mq));
    if (!features)
        return propagate(std::move(features));
    features_ = *features;
    if (features_.has(Feature::mac))
        info_.mac = read_consistent(*transport_, read_mac);
    if (!features_.has(Feature::mac) || info_.mac.multicast() || info_.mac.zero()) { // §5.1.5: one of our own
        const auto hash = std::hash<std::string>()(info_.name);
        info_.mac = net::MacAddress{{0x02, 0x1a, 0xf4, static_cast<std::uint8_t>(hash >> 16),
                                     static_cast<std::uint8_t>(hash >> 8), static_cast<std::uint8_t>(hash)}};
    }
    filter_.addresses = {info_.mac};
    const auto there = transport_->queue_pairs(features_);
    if (!there)
        return tl::unexpected(there.error());
    device_pairs_ = *there;
    const std::uint16_t pairs = std::min(device_pairs_, max_queue_pairs);
    const std::uint16_t rx_size = transport_->max_queue_size(receive_queue(0));
    const std::uint16_t tx_size = transport_->max_queue_size(transmit_queue(0));
    const std::uint16_t smaller = std::min(rx_size, tx_size);
    if (smaller < min_descriptors || std::max(rx_size, tx_size) > 32768)
        return fail(ENOTSUP, "the device's rings are too small for this driver, or larger than any can be",
                    info_.name + ": " + std::to_string(smaller));
    std::uint16_t max_mtu = default_max_mtu;
    if (features_.has(Feature::mtu))
        max_mtu = std::clamp<std::uint16_t>(net_config::Mtu::read(transport_->config()).raw(), 68, 65535);
    const auto ring = [](std::uint16_t max) {
        return net::DescriptorLimits{.min = min_descriptors,
                                     .max = std::bit_floor(max),
                                     .multiple = min_descriptors,
                                     .preferred = std::min(preferred_descriptors, std::bit_floor(max))};
    };
    info_.limits = {
        .rx_queues = pairs,
        .tx_queues = pairs,
        .rx_descriptors = ring(rx_size),
        .tx_descriptors = ring(tx_size),
        .max_mtu = max_mtu,
        .tx_segments = TxQueue::max_segments,
        .mac_addresses = max_unicast,
        .rx_offloads = {.scatter = features_.has(Feature::mrg_rxbuf)},
        .tx_offloads = {.multi_segment = true, .fast_free = true},
        .rx_interrupts = wakes_,
    };
    return transport_->reset();
}

/// Features of use to the present configuration.
Features Port::wanted() const noexcept {
    Features features;
    for (const Feature feature :
         {Feature::version_1, Feature::access_platform, Feature::order_platform, Feature::mac, Feature::mtu,
          Feature::mrg_rxbuf, Feature::status, Feature::ctrl_vq, Feature::ctrl_rx, Feature::ctrl_mac_addr,
          Feature::speed_duplex, Feature::ring_packed, Feature::in_order})
        features.add(feature);
    if (pairs() > 1)
        features.add(Feature::mq);
    return features;
}

std::uint16_t Port::pairs() const noexcept {
    return std::max(config_.rx_queues, config_.tx_queues);
}

Result<> Port::configure(const net::Config& config) {
    if (!std::has_single_bit(config.rx_descriptors) || !std::has_single_bit(config.tx_descriptors))
        return fail(EINVAL, "ring size is not possible: it must be a power of two",
                    info_.name + ": rx " + std::to_string(config.rx_descriptors) + ", tx " +
                        std::to_string(config.tx_descriptors));
    // The device spreads frames over as many queues as there are pairs.
    if (config.rx_queues != 0 && config.rx_queues < config.tx_queues)
        return fail(EINVAL, "the device needs a receive queue for each transmit queue",
                    info_.name + ": rx " + std::to_string(config.rx_queues) + ", tx " +
                        std::to_string(config.tx_queues));
    auto queues = make_queues(config, format_of(features_));
    if (!queues)
        return propagate(std::move(queues));
    if (auto ok = events_.prepare(config.rx_interrupts ? config.rx_queues : 0); !ok)
        return ok;
    const std::scoped_lock lock(stats_mutex_);
    keep_totals();
    queues_ = std::move(*queues);
    config_ = config;
    return {};
}

Result<Port::Queues> Port::make_queues(const net::Config& config, RingFormat format) {
    Queues queues;
    queues.format = format;
    for (std::uint16_t i = 0; i < config.rx_queues; ++i) {
        auto made = RxQueue::create({.pool = config.queue_pools.empty() ? config.pool : config.queue_pools[i],
                                     .index = receive_queue(i),
                                     .descriptors = config.rx_descriptors,
                                     .numa_node = info_.numa_node,
                                     .port_id = config.port_id,
                                     .scatter = config.rx_offloads.scatter,
                                     .format = format},
                                    memory_, queue_name(info_.name, "receive", i), events_.alarm());
        if (!made)
            return propagate(std::move(made));
        queues.rx.push_back(std::move(*made));
    }
    for (std::uint16_t i = 0; i < config.tx_queues; ++i) {
        auto made = TxQueue::create({.index = transmit_queue(i),
                                     .descriptors = config.tx_descriptors,
                                     .numa_node = info_.numa_node,
                                     .format = format},
                                    memory_, queue_name(info_.name, "transmit", i), events_.alarm());
        if (!made)
            return propagate(std::move(made));
        queues.tx.push_back(std::move(*made));
    }
    return queues;
}

/// A device may offer another format than it did when the queues were made. Readers of the former queues'
/// counters may be on their way.
Result<> Port::fit_queues(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) {
    const RingFormat format = format_of(features_);
    if (format == queues_.format)
        return {};
    auto queues = make_queues(config_, format);
    if (!queues)
        return propagate(std::move(queues));
    const std::scoped_lock lock(stats_mutex_);
    keep_totals();
    retired_ = std::exchange(queues_, std::move(*queues));
    for (std::size_t i = 0; i < rx.size(); ++i)
        rx[i].record().counters = &queues_.rx[i]->counters();
    for (std::size_t i = 0; i < tx.size(); ++i)
        tx[i].record().counters = &queues_.tx[i]->counters();
    return {};
}

Result<> Port::start(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) {
    started_ = true;
    auto ok = bring_up(rx, tx);
    if (!ok)
        stop();
    return ok;
}

/// §3.1.1 and §5.1.5.
Result<> Port::bring_up(std::span<net::RxQueue> rx, std::span<net::TxQueue> tx) {
    auto features = transport_->negotiate(wanted());
    if (!features)
        return propagate(std::move(features));
    features_ = *features;
    if (auto ok = fit_queues(rx, tx); !ok)
        return ok;
    if (auto ok = events_.enable(); !ok)
        return ok;
    if (events_.config_vector() != common::no_vector)
        if (auto ok = transport_->set_config_vector(events_.config_vector()); !ok)
            return ok;
    for (std::size_t i = 0; i < rx.size(); ++i) {
        if (auto ok = queues_.rx[i]->fill(features_.has(Feature::mrg_rxbuf)); !ok)
            return ok;
        const auto vector = events_.receive_vector(static_cast<std::uint16_t>(i));
        if (auto ok = add_queue(*queues_.rx[i], vector, rx[i].record()); !ok)
            return ok;
        rx[i].record().burst = queues_.rx[i]->burst_function();
        rx[i].record().fd = events_.receive_fd(static_cast<std::uint16_t>(i));
        rx[i].record().index = static_cast<std::uint16_t>(i);
    }
    for (std::size_t i = 0; i < tx.size(); ++i) {
        queues_.tx[i]->clear();
        if (auto ok = add_queue(*queues_.tx[i], common::no_vector, tx[i].record()); !ok)
            return ok;
        tx[i].record().burst = queues_.tx[i]->burst_function();
        tx[i].record().reclaim = queues_.tx[i]->reclaim_function();
        tx[i].record().index = static_cast<std::uint16_t>(i);
    }
    if (features_.has(Feature::ctrl_vq))
        if (auto ok = add_control_queue(); !ok)
            return ok;
    if (auto ok = transport_->run(); !ok)
        return ok;
    if (features_.has(Feature::mq) && features_.has(Feature::ctrl_vq))
        if (auto ok = control_->set_queue_pairs(pairs()); !ok)
            return ok;
    if (auto ok = apply_filter(); !ok)
        return ok;
    // §3.1.1: no doorbell before the device is live.
    for (const auto& queue : queues_.rx)
        queue->begin();
    return {};
}

template <typename Q>
Result<> Port::add_queue(Q& queue, std::uint16_t vector, net::QueueRecord& record) {
    auto doorbell = transport_->set_queue(queue.index(), queue.setup(vector));
    if (!doorbell)
        return propagate(std::move(doorbell));
    record = {};
    record.queue = &queue;
    record.counters = &queue.counters();
    record.driver = this;
    queue.go_live(*doorbell, record);
    return {};
}

/// It stands behind all pairs that the device has, if it knows of several, whether they are used or not.
Result<> Port::add_control_queue() {
    const std::uint16_t index = receive_queue(features_.has(Feature::mq) ? device_pairs_ : 1);
    const bool packed = queues_.format.packed;
    if (!control_ || control_->index() != index || control_->packed() != packed) {
        const std::uint16_t size =
            std::bit_floor(std::min(ControlQueue::max_size, transport_->max_queue_size(index)));
        if (size < 4)
            return fail(EIO, "the device's control queue is too small", info_.name);
        auto made = ControlQueue::create(memory_, index, size, packed, info_.name + " control queue",
                                         info_.numa_node);
        if (!made)
            return propagate(std::move(made));
        control_ = std::make_unique<ControlQueue>(std::move(*made));
    }
    control_->clear();
    auto doorbell = transport_->set_queue(index, control_->setup(common::no_vector));
    if (!doorbell)
        return propagate(std::move(doorbell));
    control_->go_live(*doorbell);
    return {};
}

void Port::stop() noexcept {
    if (!std::exchange(started_, false))
        return;
    // The rings' mbufs may be freed once the device cannot reach them any more.
    if (auto ok = transport_->reset(); !ok) {
        log(LogLevel::warning, ok.error().message());
        if (ok.error().code() != ENODEV && !transport_->recover())
            transport_->isolate();
    }
    events_.disable();
    for (const auto& queue : queues_.rx)
        queue->drain();
    for (const auto& queue : queues_.tx)
        queue->drain();
    for (std::size_t i = 0; i < queues_.rx.size(); ++i)
        events_.drop_receive(static_cast<std::uint16_t>(i));
}

Result<> Port::reset() {
    auto ok = transport_->reset();
    if (!ok && ok.error().code() != ENODEV)
        ok = transport_->recover();
    return ok;
}

net::Link Port::link() {
    if (transport_->health().gone)
        return {};
    struct Fields {
        net_config::Status status;
        net_config::Speed speed;
        net_config::Duplex duplex;
    };
    const auto fields = read_consistent(*transport_, [](reg::Io& config) {
        return Fields{net_config::Status::read(config), net_config::Speed::read(config),
                      net_config::Duplex::read(config)};
    });
    net::Link link;
    // §5.1.4.2: a device without the field has its link up always.
    link.up = !features_.has(Feature::status) || fields.status.get<net_config::Status::LinkUp>();
    link.full_duplex = link.up;
    constexpr std::uint32_t max_speed = 0x7fffffff;
    if (link.up && features_.has(Feature::speed_duplex) && fields.speed.raw() <= max_speed) {
        link.mbps = fields.speed.raw();
        link.full_duplex = fields.duplex.raw() != 0;
    }
    return link;
}

Result<> Port::set_filter(const net::RxFilter& filter) {
    if (filter.addresses.size() > max_unicast)
        return fail(ENOSPC, "the device filters no more addresses: use promiscuous mode", info_.name);
    const net::RxFilter former = std::exchange(filter_, filter);
    if (!started_)
        return {};
    auto ok = apply_filter();
    if (!ok)
        filter_ = former;
    return ok;
}

/// A device without CTRL_RX passes every frame (§5.1.6.5.1). The table is set before a mode ends that passes
/// more.
Result<> Port::apply_filter() {
    if (features_.has(Feature::ctrl_mac_addr))
        if (auto ok = control_->set_mac(filter_.addresses.front()); !ok)
            return ok;
    if (!features_.has(Feature::ctrl_rx))
        return {};
    const bool too_many = filter_.addresses.size() + filter_.multicast.size() > ControlQueue::max_addresses;
    const auto multicast = too_many ? std::span<const net::MacAddress>() : std::span(filter_.multicast);
    if (auto ok = control_->set_mac_table(filter_.addresses, multicast); !ok)
        return ok;
    if (auto ok = control_->set_all_multicast(filter_.all_multicast || too_many); !ok)
        return ok;
    return control_->set_promiscuous(filter_.promiscuous);
}

Result<> Port::set_mtu(std::uint16_t mtu) {
    config_.mtu = mtu; // the device is told nothing: it passes what fits the buffers
    return {};
}

/// Under the lock: what the present queues counted goes on in former_.
void Port::keep_totals() noexcept {
    for (const auto& queue : queues_.rx) {
        const net::QueueCounters& counters = queue->counters();
        former_.ipackets += counters.packets.get();
        former_.ibytes += counters.bytes.get();
        former_.ierrors += counters.errors.get();
        former_.rx_nombuf += counters.no_mbuf.get();
        former_broken_ += counters.broken.get();
    }
    for (const auto& queue : queues_.tx) {
        const net::QueueCounters& counters = queue->counters();
        former_.opackets += counters.packets.get();
        former_.obytes += counters.bytes.get();
        former_.oerrors += counters.errors.get();
        former_broken_ += counters.broken.get();
    }
}

void Port::stats(net::Stats& stats, std::vector<net::XStat>* extended) {
    const std::scoped_lock lock(stats_mutex_);
    const net::Stats stats_before = former_;
    const std::uint64_t broken_before = former_broken_;
    keep_totals();
    stats.ipackets += former_.ipackets;
    stats.ibytes += former_.ibytes;
    stats.ierrors += former_.ierrors;
    stats.rx_nombuf += former_.rx_nombuf;
    stats.opackets += former_.opackets;
    stats.obytes += former_.obytes;
    stats.oerrors += former_.oerrors;
    if (extended != nullptr)
        extended->push_back({"broken_queue_events", former_broken_});
    former_ = stats_before;
    former_broken_ = broken_before;
}

net::Events Port::service() {
    net::Events events;
    transport_->service();
    const bool config = events_.take_config();
    const bool request = events_.take_request();
    if (config || request) {
        const auto health = transport_->health();
        events.request = request;
        events.link = config;
        events.gone = health.gone && !health.returns;
        events.error = health.needs_reset; // §2.1.2
    }
    const bool error = events_.take_error();
    events.error = error || events.error;
    events.broken = events_.take_alarm();
    return events;
}

Result<> Port::rx_interrupt(std::uint16_t queue, bool on) {
    queues_.rx[queue]->set_interrupts(on);
    if (!on)
        events_.drop_receive(queue);
    return {};
}

Result<> Port::set_link(bool) {
    return fail(ENOTSUP, "a virtio device's link belongs to its other side", info_.name);
}

} // namespace sluice::inline v1::virtio
