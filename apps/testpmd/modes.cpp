// SPDX-License-Identifier: BSD-3-Clause
#include "modes.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

#include <rte_ip.h>
#include <rte_udp.h>

namespace sluice::testpmd {
namespace {

bool has_header(const rte_mbuf& frame) noexcept {
    return rte_pktmbuf_data_len(&frame) >= sizeof(rte_ether_hdr);
}

rte_ether_hdr& header_of(rte_mbuf& frame) noexcept {
    return *rte_pktmbuf_mtod(&frame, rte_ether_hdr*);
}

} // namespace

std::optional<Mode> mode_named(std::string_view name) noexcept {
    const auto* found = std::ranges::find(mode_names, name);
    if (found == std::end(mode_names))
        return std::nullopt;
    return static_cast<Mode>(found - std::begin(mode_names));
}

void set_addresses(std::span<rte_mbuf* const> frames, const rte_ether_addr& source,
                   const rte_ether_addr& destination) noexcept {
    for (rte_mbuf* frame : frames) {
        if (!has_header(*frame))
            continue;
        header_of(*frame).src_addr = source;
        header_of(*frame).dst_addr = destination;
    }
}

void swap_addresses(std::span<rte_mbuf* const> frames) noexcept {
    for (rte_mbuf* frame : frames)
        if (has_header(*frame))
            std::swap(header_of(*frame).src_addr, header_of(*frame).dst_addr);
}

FrameMaker::FrameMaker(std::uint16_t bytes) noexcept
    : bytes_(std::clamp(bytes, min_bytes, max_bytes))
    , headers_{} {
    rte_ether_hdr ethernet{};
    ethernet.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);

    rte_ipv4_hdr ip{};
    ip.version_ihl = RTE_IPV4_VHL_DEF;
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(bytes_ - sizeof ethernet));
    ip.time_to_live = 64;
    ip.next_proto_id = IPPROTO_UDP;
    ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(198, 18, 0, 1));
    ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(198, 18, 0, 2));
    ip.hdr_checksum = rte_ipv4_cksum(&ip);

    rte_udp_hdr udp{};
    udp.src_port = rte_cpu_to_be_16(9);
    udp.dst_port = udp.src_port;
    udp.dgram_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(bytes_ - sizeof ethernet - sizeof ip));

    static_assert(sizeof headers_ == sizeof ethernet + sizeof ip + sizeof udp);
    std::memcpy(headers_, &ethernet, sizeof ethernet);
    std::memcpy(headers_ + sizeof ethernet, &ip, sizeof ip);
    std::memcpy(headers_ + sizeof ethernet + sizeof ip, &udp, sizeof udp);
}

std::uint16_t FrameMaker::make(rte_mempool* pool, std::span<rte_mbuf*> frames, const rte_ether_addr& source,
                               const rte_ether_addr& destination) const noexcept {
    const auto count = static_cast<unsigned>(frames.size());
    if (rte_pktmbuf_alloc_bulk(pool, frames.data(), count) != 0)
        return 0;
    for (rte_mbuf* frame : frames) {
        auto* data = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(frame, bytes_));
        std::memcpy(data, headers_, sizeof headers_);
        std::memset(data + sizeof headers_, 0, bytes_ - sizeof headers_);
    }
    set_addresses(frames, source, destination);
    return static_cast<std::uint16_t>(count);
}

} // namespace sluice::testpmd
