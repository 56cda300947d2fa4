// SPDX-License-Identifier: BSD-3-Clause
#include "offloads.hpp"

#include <algorithm>

namespace sluice::inline v1::ethdev {
namespace {

constexpr std::uint64_t rx_checksum =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
constexpr std::uint64_t tx_checksum =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
constexpr std::uint32_t header_and_crc = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
constexpr std::uint16_t usual_ring = 1024;

constexpr bool has(std::uint64_t capabilities, std::uint64_t wanted) noexcept {
    return (capabilities & wanted) == wanted;
}

constexpr std::uint64_t if_set(bool on, std::uint64_t flags) noexcept {
    return on ? flags : 0;
}

net::DescriptorLimits descriptors(const rte_eth_desc_lim& limits, std::uint16_t preferred) noexcept {
    net::DescriptorLimits out;
    out.multiple = std::max<std::uint16_t>(limits.nb_align, 1);
    out.min = std::max<std::uint16_t>(limits.nb_min, out.multiple);
    out.max = std::max(limits.nb_max, out.min);
    if (preferred == 0)
        preferred = usual_ring;
    preferred = std::clamp(preferred, out.min, out.max);
    out.preferred = static_cast<std::uint16_t>(preferred / out.multiple * out.multiple);
    return out;
}

} // namespace

net::Limits limits_of(const rte_eth_dev_info& info) noexcept {
    const auto largest_frame = info.max_rx_pktlen > header_and_crc ? info.max_rx_pktlen - header_and_crc : 0;
    const auto rx = info.rx_offload_capa;
    const auto tx = info.tx_offload_capa;
    net::Limits out;
    out.rx_queues = info.max_rx_queues;
    out.tx_queues = info.max_tx_queues;
    out.rx_descriptors = descriptors(info.rx_desc_lim, info.default_rxportconf.ring_size);
    out.tx_descriptors = descriptors(info.tx_desc_lim, info.default_txportconf.ring_size);
    out.min_mtu = info.min_mtu;
    out.max_mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(info.max_mtu, largest_frame));
    out.tx_segments = info.tx_desc_lim.nb_seg_max;
    out.mac_addresses = static_cast<std::uint16_t>(std::clamp(info.max_mac_addrs, 1U, 0xffffU));
    out.rx_offloads.checksum = has(rx, rx_checksum);
    out.rx_offloads.vlan_strip = has(rx, RTE_ETH_RX_OFFLOAD_VLAN_STRIP);
    out.rx_offloads.rss_hash = has(rx, RTE_ETH_RX_OFFLOAD_RSS_HASH);
    out.rx_offloads.scatter = has(rx, RTE_ETH_RX_OFFLOAD_SCATTER);
    out.tx_offloads.checksum = has(tx, tx_checksum);
    out.tx_offloads.tso = has(tx, RTE_ETH_TX_OFFLOAD_TCP_TSO);
    out.tx_offloads.vlan_insert = has(tx, RTE_ETH_TX_OFFLOAD_VLAN_INSERT);
    out.tx_offloads.multi_segment = has(tx, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
    out.tx_offloads.fast_free = has(tx, RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE);
    if (!out.tx_offloads.multi_segment)
        out.tx_segments = 1;
    // rte_ethdev has no capability for receive interrupts: a driver without them refuses to start.
    out.rx_interrupts = true;
    return out;
}

rte_eth_conf port_conf(const net::Config& config, const rte_eth_dev_info& info) noexcept {
    rte_eth_conf conf{};
    conf.rxmode.mtu = config.mtu;
    conf.rxmode.offloads = if_set(config.rx_offloads.checksum, rx_checksum) |
                           if_set(config.rx_offloads.vlan_strip, RTE_ETH_RX_OFFLOAD_VLAN_STRIP) |
                           if_set(config.rx_offloads.rss_hash, RTE_ETH_RX_OFFLOAD_RSS_HASH) |
                           if_set(config.rx_offloads.scatter, RTE_ETH_RX_OFFLOAD_SCATTER);
    conf.txmode.offloads =
        if_set(config.tx_offloads.checksum, tx_checksum) |
        if_set(config.tx_offloads.tso, RTE_ETH_TX_OFFLOAD_TCP_TSO) |
        if_set(config.tx_offloads.vlan_insert, RTE_ETH_TX_OFFLOAD_VLAN_INSERT) |
        if_set(config.tx_offloads.multi_segment, RTE_ETH_TX_OFFLOAD_MULTI_SEGS) |
        if_set(config.tx_offloads.fast_free && has(info.tx_offload_capa, RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE),
               RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE);
    const bool spread = config.rx_queues > 1 || config.rx_offloads.rss_hash;
    const auto hash =
        info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);
    if (spread && hash != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = hash;
    }
    conf.intr_conf.rxq = config.rx_interrupts ? 1 : 0;
    conf.intr_conf.lsc = info.dev_flags != nullptr && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0 ? 1 : 0;
    return conf;
}

} // namespace sluice::inline v1::ethdev
