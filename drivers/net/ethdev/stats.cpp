// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "adapter.hpp"

namespace sluice::inline v1::ethdev {
namespace {

/// A DPDK driver's counters come after Port's own, under names of their own where both count the same.
std::string distinct(const std::string& name) {
    static constexpr std::string_view ours[] = {
        "rx_good_packets",  "tx_good_packets", "rx_good_bytes", "tx_good_bytes",
        "rx_missed_errors", "rx_errors",       "tx_errors",     "rx_mbuf_allocation_errors"};
    const bool queue = name.starts_with("rx_q") || name.starts_with("tx_q");
    return queue || std::ranges::find(ours, name) != std::end(ours) ? "ethdev_" + name : name;
}

} // namespace

std::vector<net::XStat> read_extended(std::uint16_t port) {
    const int count = rte_eth_xstats_get_names(port, nullptr, 0);
    if (count <= 0)
        return {};
    const auto size = static_cast<unsigned>(count);
    std::vector<rte_eth_xstat_name> names(size);
    std::vector<rte_eth_xstat> values(size);
    if (rte_eth_xstats_get_names(port, names.data(), size) != count ||
        rte_eth_xstats_get(port, values.data(), size) != count)
        return {};
    std::vector<net::XStat> all;
    for (const rte_eth_xstat& value : values)
        all.push_back({names[value.id].name, value.value});
    return all;
}

void Adapter::stats(net::Stats& stats, std::vector<net::XStat>* extended) {
    const std::scoped_lock lock(stats_mutex_);
    stats.ipackets += retired_.ipackets;
    stats.ibytes += retired_.ibytes;
    stats.opackets += retired_.opackets;
    stats.obytes += retired_.obytes;
    for (const auto& queue : rx_) {
        stats.ipackets += queue->counters.packets.get();
        stats.ibytes += queue->counters.bytes.get();
    }
    for (const auto& queue : tx_) {
        stats.opackets += queue->counters.packets.get();
        stats.obytes += queue->counters.bytes.get();
    }
    sample(stats, extended);
}

void Adapter::sample(net::Stats& stats, std::vector<net::XStat>* extended) {
    rte_eth_stats now{};
    if (rte_eth_stats_get(id(), &now) == 0) {
        stats.imissed += missed_.update(now.imissed);
        stats.ierrors += rx_errors_.update(now.ierrors);
        stats.oerrors += tx_errors_.update(now.oerrors);
        stats.rx_nombuf += no_mbuf_.update(now.rx_nombuf);
    }
    if (extended == nullptr)
        return;
    for (const net::XStat& raw : read_extended(id()))
        extended->push_back({distinct(raw.name), extended_[raw.name].update(raw.value)});
}

} // namespace sluice::inline v1::ethdev
