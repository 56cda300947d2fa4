// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The loop that is measured: io forwarding, the same source for every kind of port.
#pragma once

#include <array>
#include <cstdint>

#include <rte_cycles.h>
#include <rte_mbuf.h>

namespace beside {

/// Tells the counting plugin (apps/perf/subject/count_marked.c) where a region begins and ends; elsewhere an
/// instruction that does nothing.
template <unsigned Code>
inline void mark() noexcept {
    asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" : : "i"(0x5a5a0000 | Code) : "memory");
}
inline constexpr unsigned mark_forward = 1;
inline constexpr unsigned mark_restart = 0x7e;
inline constexpr unsigned mark_report = 0x7f;
inline constexpr unsigned mark_end = 0x80;

inline constexpr std::uint16_t burst = 32;
inline constexpr std::uint16_t frame_bytes = 64;
inline constexpr std::uint16_t ether_type = 0x88b5; // IEEE Std 802, for local experiments

struct Tally {
    std::uint64_t turns = 0;
    std::uint64_t packets = 0; ///< received
    std::uint64_t full = 0;    ///< turns that received and sent a whole burst
    std::uint64_t unsent = 0;
};

/// Instructions a packet that are planted to see the count find them (suite beside_planted).
#ifndef BESIDE_PLANTED
#define BESIDE_PLANTED 0
#endif
inline void planted() noexcept {
    asm volatile(".rept %c0\n\tnop\n\t.endr" : : "i"(BESIDE_PLANTED * burst));
}

inline bool is_ours(const rte_mbuf* mbuf) noexcept {
    const auto* data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
    return mbuf->pkt_len == frame_bytes && data[12] == ether_type >> 8 && data[13] == (ether_type & 0xff);
}

/// Forwards `turns` bursts from `ends.receive` to `ends.send`. What is sent comes back on the wire, and is
/// given `pause_us` for it before each turn, outside the marks: so each turn finds a whole burst, and none is
/// empty.
template <typename Ends>
Tally forward(Ends& ends, std::uint64_t turns, unsigned pause_us) {
    Tally tally;
    std::array<rte_mbuf*, burst> packets;
    for (; tally.turns < turns; ++tally.turns) {
        rte_delay_us_block(pause_us);
        mark<mark_forward>();
        const std::uint16_t received = ends.receive(packets.data(), burst);
        const std::uint16_t sent = received == 0 ? std::uint16_t{0} : ends.send(packets.data(), received);
        planted();
        mark<mark_forward | mark_end>();
        tally.packets += received;
        tally.full += received == burst && sent == burst;
        tally.unsent += received - sent;
        if (sent != received)
            rte_pktmbuf_free_bulk(packets.data() + sent, received - sent);
    }
    return tally;
}

} // namespace beside
