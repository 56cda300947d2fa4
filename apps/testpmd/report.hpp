// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Statistics as text, in the words and columns that testpmd's users and their scripts know.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::testpmd {

/// A port's own counters, frames and bytes.
struct NicCounters {
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_missed = 0; ///< came while the receive ring was full
    std::uint64_t rx_bytes = 0;
    std::uint64_t rx_errors = 0;
    std::uint64_t rx_nombuf = 0; ///< receive slots that found no mbuf
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_errors = 0;
    std::uint64_t tx_bytes = 0;
};

/// Per second, since the last time that they were shown.
struct Rates {
    std::uint64_t rx_pps = 0;
    std::uint64_t rx_bps = 0; ///< bits
    std::uint64_t tx_pps = 0;
    std::uint64_t tx_bps = 0;
};

/// Rates from `then` to `now`, `nanoseconds` apart. A counter that was cleared in between counts from zero.
Rates rates_between(const NicCounters& then, const NicCounters& now, std::uint64_t nanoseconds) noexcept;

/// What forwarding counted for one port.
struct ForwardCounters {
    std::uint64_t rx_packets = 0; ///< taken from its receive queues
    std::uint64_t rx_missed = 0;  ///< lost by the device meanwhile
    std::uint64_t tx_packets = 0; ///< taken by its transmit queues
    std::uint64_t tx_dropped = 0; ///< freed by us: the transmit queue was full
    std::uint64_t consumed = 0;   ///< received and freed on purpose, in mode rxonly

    ForwardCounters& operator+=(const ForwardCounters& other) noexcept;
    ForwardCounters& operator-=(const ForwardCounters& other) noexcept;
};

/// "NIC statistics for port N" with its rule of #.
std::string nic_statistics(unsigned port, const NicCounters& counters, const Rates& rates);

/// "Forward statistics for port N" with its rule of -.
std::string forward_statistics(unsigned port, const ForwardCounters& counters);

/// "Accumulated forward statistics for all ports" with its rule of +.
std::string accumulated_statistics(const ForwardCounters& counters);

} // namespace sluice::testpmd
