// SPDX-License-Identifier: BSD-3-Clause
#include "report.hpp"

#include <string_view>

#include <fmt/format.h>

namespace sluice::testpmd {
namespace {

constexpr std::size_t rule_width = 76;

std::uint64_t risen(std::uint64_t then, std::uint64_t now) noexcept {
    return now >= then ? now - then : now;
}

std::uint64_t per_second(std::uint64_t count, std::uint64_t nanoseconds) noexcept {
    if (nanoseconds == 0)
        return 0;
    const double rate = static_cast<double>(count) * 1e9 / static_cast<double>(nanoseconds);
    return static_cast<std::uint64_t>(rate);
}

std::string titled_rule(std::string_view title, char filling) {
    const std::string side((rule_width - title.size()) / 2, filling);
    return fmt::format("  {0}{1}{0}\n", side, title);
}

std::string rule(char filling) {
    return fmt::format("  {}\n", std::string(rule_width, filling));
}

std::string forward_lines(const ForwardCounters& c) {
    return fmt::format("  RX-packets: {:<14} RX-dropped: {:<13} RX-total: {}\n"
                       "  TX-packets: {:<14} TX-dropped: {:<13} TX-total: {}\n",
                       c.rx_packets, c.rx_missed, c.rx_packets + c.rx_missed, c.tx_packets, c.tx_dropped,
                       c.tx_packets + c.tx_dropped);
}

} // namespace

Rates rates_between(const NicCounters& then, const NicCounters& now, std::uint64_t nanoseconds) noexcept {
    return {
        .rx_pps = per_second(risen(then.rx_packets, now.rx_packets), nanoseconds),
        .rx_bps = per_second(risen(then.rx_bytes, now.rx_bytes) * 8, nanoseconds),
        .tx_pps = per_second(risen(then.tx_packets, now.tx_packets), nanoseconds),
        .tx_bps = per_second(risen(then.tx_bytes, now.tx_bytes) * 8, nanoseconds),
    };
}

ForwardCounters& ForwardCounters::operator+=(const ForwardCounters& other) noexcept {
    rx_packets += other.rx_packets;
    rx_missed += other.rx_missed;
    tx_packets += other.tx_packets;
    tx_dropped += other.tx_dropped;
    consumed += other.consumed;
    return *this;
}

ForwardCounters& ForwardCounters::operator-=(const ForwardCounters& other) noexcept {
    rx_packets -= other.rx_packets;
    rx_missed -= other.rx_missed;
    tx_packets -= other.tx_packets;
    tx_dropped -= other.tx_dropped;
    consumed -= other.consumed;
    return *this;
}

std::string nic_statistics(unsigned port, const NicCounters& c, const Rates& r) {
    return "\n" + titled_rule(fmt::format(" NIC statistics for port {:<2} ", port), '#') +
           fmt::format("  RX-packets: {:<10} RX-missed: {:<10} RX-bytes:  {}\n"
                       "  RX-errors: {}\n"
                       "  RX-nombuf:  {:<10}\n"
                       "  TX-packets: {:<10} TX-errors: {:<10} TX-bytes:  {}\n"
                       "\n"
                       "  Throughput (since last show)\n"
                       "  Rx-pps: {:>12}          Rx-bps: {:>12}\n"
                       "  Tx-pps: {:>12}          Tx-bps: {:>12}\n",
                       c.rx_packets, c.rx_missed, c.rx_bytes, c.rx_errors, c.rx_nombuf, c.tx_packets,
                       c.tx_errors, c.tx_bytes, r.rx_pps, r.rx_bps, r.tx_pps, r.tx_bps) +
           rule('#');
}

std::string forward_statistics(unsigned port, const ForwardCounters& counters) {
    return "\n" + titled_rule(fmt::format(" Forward statistics for port {:<2} ", port), '-') +
           forward_lines(counters) + rule('-');
}

std::string accumulated_statistics(const ForwardCounters& counters) {
    return "\n" + titled_rule(" Accumulated forward statistics for all ports", '+') +
           forward_lines(counters) + rule('+');
}

} // namespace sluice::testpmd
