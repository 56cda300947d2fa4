// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A port of the e1000 driver over the model, with a pool whose every mbuf is accounted for.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <sluice/net/port.hpp>

#include "e1000.hpp"
#include "nic_model.hpp"

namespace e1000_test {

/// Added to a chip's id: bursts without AVX2.
inline constexpr std::uint16_t scalar = 0x8000;

/// The parameter is a chip's id, and how wide its bursts are.
class PortTest : public testing::TestWithParam<std::uint16_t> {
  protected:
    static constexpr unsigned pool_size = 2047;
    static constexpr std::uint16_t ring = 128;

    void SetUp() override;
    void TearDown() override;

    static std::uint16_t chip() { return GetParam() & static_cast<std::uint16_t>(~scalar); }

    /// Opens a port with rings of `ring` descriptors and the test's pool.
    void open(net::Config config = {});
    rte_mempool* make_pool(unsigned count, std::uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE);

    static std::vector<std::byte> frame(std::size_t size, unsigned seed);
    rte_mbuf* packet(std::size_t size, unsigned seed, rte_mempool* pool = nullptr);
    static bool holds(const rte_mbuf* mbuf, std::span<const std::byte> bytes);

    /// All that one call of burst gives.
    std::vector<rte_mbuf*> receive(std::size_t most = 32);
    std::uint16_t send(std::vector<rte_mbuf*> packets);
    std::uint64_t xstat(std::string_view name) const;

    rte_mempool* pool = nullptr;
    NicModel* nic = nullptr;
    std::unique_ptr<net::Port> port;

  private:
    std::vector<rte_mempool*> pools_;
};

} // namespace e1000_test
