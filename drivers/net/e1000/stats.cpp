// SPDX-License-Identifier: BSD-3-Clause
#include "stats.hpp"

#include <string_view>

namespace sluice::inline v1::e1000 {
namespace {

enum class Kind { plain, missed, damaged, lost };

struct Row {
    std::string_view name;
    std::uint16_t offset;
    bool wide = false; ///< the high half follows
    Kind kind = Kind::plain;
};

/// [82574] §10.2.7, [8254x] §13.7. Names are DPDK's where it has one.
constexpr std::array<Row, DeviceCounters::count> rows = {{
    {"rx_crc_errors", 0x4000, false, Kind::damaged},
    {"rx_align_errors", 0x4004, false, Kind::damaged},
    {"rx_symbol_errors", 0x4008, false, Kind::damaged},
    {"rx_receive_errors", 0x400c, false, Kind::damaged},
    {"rx_missed_packets", 0x4010, false, Kind::missed},
    {"tx_excessive_collision_packets", 0x4018, false, Kind::lost},
    {"tx_late_collisions", 0x4020, false, Kind::lost},
    {"tx_total_collisions", 0x4028},
    {"rx_length_errors", 0x4040, false, Kind::damaged},
    {"rx_xon_packets", 0x4048},
    {"tx_xon_packets", 0x404c},
    {"rx_xoff_packets", 0x4050},
    {"tx_xoff_packets", 0x4054},
    {"rx_device_packets", 0x4074},
    {"rx_broadcast_packets", 0x4078},
    {"rx_multicast_packets", 0x407c},
    {"tx_device_packets", 0x4080},
    {"rx_device_bytes", 0x4088, true},
    {"tx_device_bytes", 0x4090, true},
    {"rx_no_buffers", 0x40a0},
    {"rx_undersize_errors", 0x40a4, false, Kind::damaged},
    {"rx_fragmented_errors", 0x40a8, false, Kind::damaged},
    {"rx_oversize_errors", 0x40ac, false, Kind::damaged},
    {"rx_total_packets", 0x40d0},
}};

u32 read(const Registers& regs, std::uint16_t offset) noexcept {
    return regs.read<Statistic>((offset - Statistic::first) / Statistic::stride).raw();
}

} // namespace

void DeviceCounters::take(const Registers& regs) noexcept {
    if (regs.read<Status>().all_ones())
        return;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::uint64_t value = read(regs, rows[i].offset);
        if (rows[i].wide) // reading the high half clears both
            value |= std::uint64_t{read(regs, static_cast<std::uint16_t>(rows[i].offset + 4))} << 32;
        totals_[i] += value;
    }
}

void DeviceCounters::add_to(net::Stats& stats) const noexcept {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].kind == Kind::missed)
            stats.imissed += totals_[i];
        else if (rows[i].kind == Kind::damaged)
            stats.ierrors += totals_[i];
        else if (rows[i].kind == Kind::lost)
            stats.oerrors += totals_[i];
    }
}

void DeviceCounters::append_to(std::vector<net::XStat>& list) const {
    for (std::size_t i = 0; i < rows.size(); ++i)
        list.push_back({std::string(rows[i].name), totals_[i]});
}

} // namespace sluice::inline v1::e1000
