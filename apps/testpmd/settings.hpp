// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the command line asks for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <rte_ether.h>

#include "modes.hpp"

namespace sluice::testpmd {

inline constexpr std::uint16_t max_burst = 512;

/// Which port a stream sends to, as testpmd's users know the three.
enum class Topology : std::uint8_t {
    paired,  ///< 0 with 1, 2 with 3; a last odd port with itself
    chained, ///< each to the next, the last to the first
    loop,    ///< each to itself
};

/// The options after `--`. Zero means "the default" where a comment says so.
struct Settings {
    bool interactive = false;
    bool auto_start = false;
    bool tx_first = false;
    unsigned stats_period = 0;  ///< seconds between statistics; 0: none
    bool stats_at_once = false; ///< the first ones come as soon as frames can have moved
    unsigned nb_cores = 1;      ///< forwarding lcores
    std::uint16_t rxq = 1;
    std::uint16_t txq = 1;
    std::uint16_t rxd = 0; ///< descriptors a queue; 0: the driver's default
    std::uint16_t txd = 0;
    std::uint16_t burst = 32;
    std::uint32_t total_num_mbufs = 0; ///< 0: sized from ports, queues and lcores
    std::uint16_t mbuf_size = 2176;    ///< bytes of data room, headroom included
    std::uint16_t mbcache = 250;
    std::uint16_t tx_bytes = 64; ///< bytes of a frame that txonly makes
    Mode mode = Mode::io;
    Topology topology = Topology::paired;
    std::map<std::uint16_t, rte_ether_addr> peers{}; ///< destination of mode mac, by port sent to
};

/// The whole command line, split.
struct CommandLine {
    std::vector<std::string> eal;   ///< for EAL, unchanged and in order, without the program's name
    std::vector<std::string> ports; ///< device URIs in port order
    Settings settings;
    bool help = false;
};

} // namespace sluice::testpmd
