// SPDX-License-Identifier: BSD-3-Clause
#include "ports.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <sluice/pci/sysfs.hpp>

namespace sluice::testpmd {
namespace {

constexpr std::uint32_t assumed_ring = 2048; ///< where the driver is left to choose
constexpr std::uint32_t frame_and_tags = 14 + 8;

NicCounters counters_of(const net::Port& port) {
    const net::Stats s = port.stats();
    return {.rx_packets = s.ipackets,
            .rx_missed = s.imissed,
            .rx_bytes = s.ibytes,
            .rx_errors = s.ierrors,
            .rx_nombuf = s.rx_nombuf,
            .tx_packets = s.opackets,
            .tx_errors = s.oerrors,
            .tx_bytes = s.obytes};
}

std::string speed_text(std::uint32_t mbps) {
    if (mbps == 0)
        return "Unknown";
    if (mbps >= 1000 && mbps % 500 == 0)
        return fmt::format("{:g} Gbps", mbps / 1000.0);
    return fmt::format("{} Mbps", mbps);
}

std::string_view or_none(const std::string& text) {
    return text.empty() ? std::string_view("none") : std::string_view(text);
}

std::string driver_text(const net::DriverInfo& info) {
    return info.device.empty() ? info.driver : fmt::format("{} ({})", info.driver, info.device);
}

std::string ring_lines(std::string_view direction, unsigned now, unsigned max,
                       const net::DescriptorLimits& limits) {
    return fmt::format("Current number of {0} queues: {1}\n"
                       "Max possible {0} queues: {2}\n"
                       "Max possible number of {0}Ds per queue: {3}\n"
                       "Min possible number of {0}Ds per queue: {4}\n"
                       "{0}Ds number alignment: {5}\n",
                       direction, now, max, limits.max, limits.min, limits.multiple);
}

} // namespace

std::uint32_t pool_size(const Settings& settings, std::size_t ports, unsigned lcores) noexcept {
    if (settings.total_num_mbufs != 0)
        return settings.total_num_mbufs;
    const std::uint32_t rx = settings.rxd != 0 ? settings.rxd : assumed_ring;
    const std::uint32_t tx = settings.txd != 0 ? settings.txd : assumed_ring;
    const std::uint32_t queues = std::min(settings.rxq, settings.txq);
    const std::uint32_t rings = static_cast<std::uint32_t>(ports) * queues * (rx + tx);
    return rings + lcores * (settings.mbcache * 3U / 2U + settings.burst * 2U) + 1024U;
}

Result<Pool> Pool::create(const Settings& settings, std::size_t ports, unsigned lcores) {
    const std::uint32_t count = pool_size(settings, ports, lcores);
    rte_mempool* pool =
        rte_pktmbuf_pool_create("mb_pool_0", count, std::min<unsigned>(settings.mbcache, count * 2 / 3), 0,
                                settings.mbuf_size, SOCKET_ID_ANY);
    if (pool == nullptr)
        return fail(rte_errno,
                    "cannot make the mbuf pool: reserve hugepages (sluice-devbind --hugepages), give EAL "
                    "more with -m, or ask for less with --total-num-mbufs",
                    fmt::format("{} mbufs, {} MiB", count,
                                (std::uint64_t{count} * (settings.mbuf_size + 192U)) >> 20));
    return Pool(pool);
}

Result<std::vector<net::Port>> open_ports(std::span<const std::string> uris, const Settings& settings,
                                          rte_mempool* pool) {
    const std::uint16_t queues = std::min(settings.rxq, settings.txq);
    net::Config config{.rx_queues = queues,
                       .tx_queues = queues,
                       .rx_descriptors = settings.rxd,
                       .tx_descriptors = settings.txd,
                       .pool = pool,
                       .promiscuous = true};
    config.rx_offloads.scatter =
        settings.mbuf_size - unsigned{RTE_PKTMBUF_HEADROOM} < config.mtu + frame_and_tags;
    config.start = false;
    std::vector<net::Port> ports;
    for (const std::string& uri : uris) {
        config.port_id = static_cast<std::uint16_t>(ports.size());
        auto port = net::open(uri, config);
        if (!port)
            return propagate(std::move(port));
        ports.push_back(std::move(*port));
    }
    return ports;
}

Result<std::vector<std::string>> bound_devices() {
    auto functions = pci::Sysfs().scan();
    std::vector<std::string> uris;
    if (!functions && functions.error().code() != ENOENT)
        return propagate(std::move(functions));
    if (functions)
        for (const pci::Function& function : *functions)
            if (function.driver == pci::driver_sluice)
                uris.push_back("pci:" + function.address.to_string());
    return uris;
}

std::string link_text(const net::Link& link) {
    if (!link.up)
        return "down";
    return fmt::format("up at {}, {}", speed_text(link.mbps),
                       link.full_duplex ? "full-duplex" : "half-duplex");
}

std::string port_line(std::size_t index, net::Port& port) {
    const net::DriverInfo& info = port.info();
    return fmt::format("Port {}: {}, driver {}, transport {}, kernel driver {}, {}, link {}\n", index,
                       info.name, driver_text(info), info.transport, or_none(info.kernel_driver),
                       port.mac().to_string(), link_text(port.link()));
}

std::string port_info(std::size_t index, net::Port& port) {
    const net::DriverInfo& info = port.info();
    const net::Link link = port.link();
    const auto enabled = [](bool on) { return on ? "enabled" : "disabled"; };
    return fmt::format("\n********************* Infos for port {:<2} *********************\n"
                       "MAC address: {}\n"
                       "Device name: {}\n"
                       "Driver name: {}\n"
                       "Device URI: {}\n"
                       "Transport: {}\n"
                       "Kernel driver: {}\n"
                       "PCI id: {:04x}:{:04x}\n"
                       "Connect to socket: {}\n"
                       "Link status: {}\n"
                       "Link speed: {}\n"
                       "Link duplex: {}\n"
                       "Autoneg status: {}\n"
                       "MTU: {}\n"
                       "Promiscuous mode: {}\n"
                       "Allmulticast mode: {}\n"
                       "Maximum number of MAC addresses: {}\n",
                       index, port.mac().to_string(), info.name, driver_text(info), port.uri(),
                       info.transport, or_none(info.kernel_driver), info.vendor_id, info.device_id,
                       std::max(info.numa_node, 0), link.up ? "up" : "down", speed_text(link.mbps),
                       link.full_duplex ? "full-duplex" : "half-duplex", link.autonegotiated ? "On" : "Off",
                       port.mtu(), enabled(port.promiscuous()), enabled(port.all_multicast()),
                       info.limits.mac_addresses) +
           ring_lines("RX", port.rx_queues(), info.limits.rx_queues, info.limits.rx_descriptors) +
           ring_lines("TX", port.tx_queues(), info.limits.tx_queues, info.limits.tx_descriptors) +
           fmt::format("Max segment number per packet: {}\n", info.limits.tx_segments);
}

std::string port_summary_heading(std::size_t ports) {
    return fmt::format("Number of available ports: {}\n"
                       "Port MAC Address       Name         Driver         Status   Link\n",
                       ports);
}

std::string port_summary(std::size_t index, net::Port& port) {
    const net::Link link = port.link();
    return fmt::format("{:<4} {} {:<12} {:<14} {:<8} {}\n", index, port.mac().to_string(), port.info().name,
                       port.info().driver, link.up ? "up" : "down", speed_text(link.mbps));
}

std::string port_xstats(std::size_t index, const net::Port& port) {
    std::string text = fmt::format("###### NIC extended statistics for port {:<2}\n", index);
    for (const net::XStat& stat : port.xstats())
        text += fmt::format("{}: {}\n", stat.name, stat.value);
    return text;
}

std::string Meter::show(std::size_t index, const net::Port& port) {
    const auto now = std::chrono::steady_clock::now();
    const NicCounters counters = counters_of(port);
    const auto since =
        at_ == decltype(at_){} ? std::chrono::nanoseconds{0} : std::chrono::nanoseconds(now - at_);
    const Rates rates = rates_between(then_, counters, static_cast<std::uint64_t>(since.count()));
    then_ = counters;
    at_ = now;
    return nic_statistics(static_cast<unsigned>(index), counters, rates);
}

} // namespace sluice::testpmd
