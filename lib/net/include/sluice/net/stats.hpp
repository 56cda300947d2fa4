// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Statistics, under the names that DPDK's users know.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace sluice::inline v1::net {

/// A counter with one writer (the queue's thread) and any number of readers. Never wraps in practice.
class Counter {
  public:
    void add(std::uint64_t n) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

/// Totals of a port since it was opened or cleared. Bytes are those of frames without CRC.
struct Stats {
    std::uint64_t ipackets = 0; ///< frames handed out by receive bursts
    std::uint64_t opackets = 0; ///< frames taken by transmit bursts
    std::uint64_t ibytes = 0;
    std::uint64_t obytes = 0;
    std::uint64_t imissed = 0;   ///< frames that the device dropped for want of a descriptor
    std::uint64_t ierrors = 0;   ///< frames received with an error, and discarded
    std::uint64_t oerrors = 0;   ///< frames that could not be sent
    std::uint64_t rx_nombuf = 0; ///< receive refills that found the pool empty
};

/// One extended statistic: "rx_q0_packets", "rx_crc_errors", "rx_broken_events".
struct XStat {
    std::string name;
    std::uint64_t value = 0;
};

} // namespace sluice::inline v1::net
