// SPDX-License-Identifier: BSD-3-Clause
#include "validate.hpp"

#include <cerrno>
#include <utility>

#include <rte_mbuf.h>

namespace sluice::inline v1::net {
namespace {

std::string range(const std::string& name, const char* what, unsigned got, unsigned min, unsigned max) {
    return name + ": " + what + " " + std::to_string(got) + " (allowed: " + std::to_string(min) + " to " +
           std::to_string(max) + ")";
}

Result<> descriptors(std::uint16_t& size, const DescriptorLimits& limits, const char* what,
                     const std::string& name) {
    if (size == 0)
        size = limits.preferred;
    if (size < limits.min || size > limits.max)
        return fail(EINVAL, "ring size is not possible", range(name, what, size, limits.min, limits.max));
    if (size % limits.multiple != 0)
        return fail(EINVAL, "ring size is not possible: it must be a multiple",
                    name + ": " + what + " " + std::to_string(size) + ", multiple of " +
                        std::to_string(limits.multiple));
    return {};
}

/// The first offload that is wanted and not there.
const char* missing(const RxOffloads& wanted, const RxOffloads& has) {
    if (wanted.checksum && !has.checksum)
        return "receive checksum";
    if (wanted.vlan_strip && !has.vlan_strip)
        return "VLAN strip";
    if (wanted.rss_hash && !has.rss_hash)
        return "RSS hash";
    if (wanted.scatter && !has.scatter)
        return "scattered receive";
    return nullptr;
}

const char* missing(const TxOffloads& wanted, const TxOffloads& has) {
    if (wanted.checksum && !has.checksum)
        return "transmit checksum";
    if (wanted.tso && !has.tso)
        return "TCP segmentation";
    if (wanted.vlan_insert && !has.vlan_insert)
        return "VLAN insertion";
    if (wanted.multi_segment && !has.multi_segment)
        return "multi-segment transmit";
    return nullptr;
}

Result<> pools(const Config& config, const std::string& name) {
    if (!config.queue_pools.empty() && config.queue_pools.size() != config.rx_queues)
        return fail(EINVAL, "queue_pools needs one pool for each receive queue, or none", name);
    const auto check = [&](rte_mempool* pool) -> Result<> {
        if (pool == nullptr)
            return fail(EINVAL, "a receive queue's pool is null", name);
        const unsigned room = rte_pktmbuf_data_room_size(pool);
        if (room < RTE_PKTMBUF_HEADROOM + 256u)
            return fail(EINVAL, "the pool's mbufs have too little data room",
                        name + ": " + std::to_string(room) + " bytes");
        if (!config.rx_offloads.scatter && room - RTE_PKTMBUF_HEADROOM < frame_bytes(config.mtu))
            return fail(
                EINVAL,
                "a frame of this MTU does not fit into the pool's mbufs: enlarge them or ask for scatter",
                name + ": mtu " + std::to_string(config.mtu) + ", data room " + std::to_string(room));
        return {};
    };
    for (rte_mempool* pool : config.queue_pools)
        if (auto ok = check(pool); !ok)
            return ok;
    return config.pool != nullptr ? check(config.pool) : Result<>{};
}

} // namespace

Result<Config> validate(const Config& wanted, const Limits& limits, const std::string& name) {
    Config config = wanted;
    if (config.rx_queues > limits.rx_queues)
        return fail(EINVAL, "too many queues",
                    range(name, "rx_queues", config.rx_queues, 0, limits.rx_queues));
    if (config.tx_queues > limits.tx_queues)
        return fail(EINVAL, "too many queues",
                    range(name, "tx_queues", config.tx_queues, 0, limits.tx_queues));
    if (config.rx_queues == 0 && config.tx_queues == 0)
        return fail(EINVAL, "a port needs at least one queue", name);
    if (auto ok = descriptors(config.rx_descriptors, limits.rx_descriptors, "rx_descriptors", name); !ok)
        return propagate(std::move(ok));
    if (auto ok = descriptors(config.tx_descriptors, limits.tx_descriptors, "tx_descriptors", name); !ok)
        return propagate(std::move(ok));
    if (config.mtu < limits.min_mtu || config.mtu > limits.max_mtu)
        return fail(EINVAL, "MTU is not possible",
                    range(name, "mtu", config.mtu, limits.min_mtu, limits.max_mtu));
    if (const char* what = missing(config.rx_offloads, limits.rx_offloads))
        return fail(ENOTSUP, "the device has no such offload", name + ": " + what);
    TxOffloads tx = config.tx_offloads;
    tx.multi_segment = tx.multi_segment && limits.tx_segments > 1; // on by default, so not an error
    config.tx_offloads = tx;
    if (const char* what = missing(config.tx_offloads, limits.tx_offloads))
        return fail(ENOTSUP, "the device has no such offload", name + ": " + what);
    if (config.rx_interrupts && !limits.rx_interrupts)
        return fail(ENOTSUP, "the device, or its transport, has no receive interrupts", name);
    if (auto ok = pools(config, name); !ok)
        return propagate(std::move(ok));
    return config;
}

} // namespace sluice::inline v1::net
