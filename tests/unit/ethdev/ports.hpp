// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What the adapter's tests share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <sluice/net/port.hpp>

#include "ethdev.hpp"

namespace sluice::ethdev {

inline Result<net::Port> open_port(const std::string& address, const net::Config& config) {
    auto driver = open(address);
    if (!driver)
        return propagate(std::move(driver));
    return net::Port::create(std::move(*driver), "ethdev:" + address, config);
}

/// A pool whose mbufs have to be back when it ends.
class Pool {
  public:
    explicit Pool(unsigned count = 4095) {
        static unsigned serial = 0;
        pool_ = rte_pktmbuf_pool_create(("test_" + std::to_string(serial++)).c_str(), count, 0, 0,
                                        RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        EXPECT_NE(pool_, nullptr);
    }
    ~Pool() {
        EXPECT_EQ(rte_mempool_in_use_count(pool_), 0U) << "mbufs were lost";
        rte_mempool_free(pool_);
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    rte_mempool* get() const noexcept { return pool_; }

    /// A frame of `bytes` bytes that count up from `first`.
    rte_mbuf* frame(std::uint16_t bytes, std::uint8_t first = 0) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
        auto* data = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(mbuf, bytes));
        for (unsigned i = 0; i < bytes; ++i)
            data[i] = static_cast<std::uint8_t>(first + i);
        return mbuf;
    }

  private:
    rte_mempool* pool_ = nullptr;
};

inline std::uint64_t value_of(const net::Port& port, const std::string& name) {
    for (const net::XStat& stat : port.xstats())
        if (stat.name == name)
            return stat.value;
    ADD_FAILURE() << "no statistic " << name;
    return 0;
}

} // namespace sluice::ethdev
