// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "report.hpp"

namespace sluice::testpmd {
namespace {

TEST(Report, prints_nic_statistics_in_the_columns_of_dpdk) {
    const NicCounters counters{.rx_packets = 497888,
                               .rx_missed = 7,
                               .rx_bytes = 123456,
                               .rx_errors = 3,
                               .rx_nombuf = 2,
                               .tx_packets = 704,
                               .tx_errors = 1,
                               .tx_bytes = 9};
    const Rates rates{.rx_pps = 30583928, .rx_bps = 0, .tx_pps = 12, .tx_bps = 4};
    EXPECT_EQ(nic_statistics(0, counters, rates),
              "\n"
              "  ######################## NIC statistics for port 0  ########################\n"
              "  RX-packets: 497888     RX-missed: 7          RX-bytes:  123456\n"
              "  RX-errors: 3\n"
              "  RX-nombuf:  2         \n"
              "  TX-packets: 704        TX-errors: 1          TX-bytes:  9\n"
              "\n"
              "  Throughput (since last show)\n"
              "  Rx-pps:     30583928          Rx-bps:            0\n"
              "  Tx-pps:           12          Tx-bps:            4\n"
              "  ############################################################################\n");
}

TEST(Report, prints_forward_statistics_in_the_columns_of_dpdk) {
    const ForwardCounters counters{
        .rx_packets = 3264, .rx_missed = 6, .tx_packets = 3200, .tx_dropped = 64, .consumed = 0};
    EXPECT_EQ(forward_statistics(1, counters),
              "\n"
              "  ---------------------- Forward statistics for port 1  ----------------------\n"
              "  RX-packets: 3264           RX-dropped: 6             RX-total: 3270\n"
              "  TX-packets: 3200           TX-dropped: 64            TX-total: 3264\n"
              "  ----------------------------------------------------------------------------\n");
}

TEST(Report, prints_accumulated_statistics_in_the_columns_of_dpdk) {
    ForwardCounters sum{.rx_packets = 1, .rx_missed = 2, .tx_packets = 3, .tx_dropped = 4, .consumed = 0};
    sum += sum;
    EXPECT_EQ(accumulated_statistics(sum),
              "\n"
              "  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++\n"
              "  RX-packets: 2              RX-dropped: 4             RX-total: 6\n"
              "  TX-packets: 6              TX-dropped: 8             TX-total: 14\n"
              "  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++\n");
}

TEST(Report, rates_count_bits_and_frames_a_second) {
    const NicCounters then{.rx_packets = 100, .rx_bytes = 1000};
    const NicCounters now{.rx_packets = 300, .rx_bytes = 3000, .tx_packets = 50, .tx_bytes = 10};
    const Rates rates = rates_between(then, now, 500'000'000);
    EXPECT_EQ(rates.rx_pps, 400U);
    EXPECT_EQ(rates.rx_bps, 32000U);
    EXPECT_EQ(rates.tx_pps, 100U);
    EXPECT_EQ(rates.tx_bps, 160U);
}

TEST(Report, rates_start_again_when_counters_were_cleared) {
    EXPECT_EQ(rates_between({.rx_packets = 100}, {.rx_packets = 30}, 1'000'000'000).rx_pps, 30U);
    EXPECT_EQ(rates_between({}, {.rx_packets = 30}, 0).rx_pps, 0U);
}

} // namespace
} // namespace sluice::testpmd
