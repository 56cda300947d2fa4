// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A port of the virtio driver over the model, with pools whose every mbuf is accounted for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <sluice/net/port.hpp>

#include "net_model.hpp"
#include "virtio.hpp"

namespace virtio_test {

/// What a device and its driver agreed on about their rings.
struct Format {
    bool packed = false;
    bool in_order = false;
    bool mergeable = true;

    ModelOptions options() const;
};
/// All eight, or the four without a promised order.
std::vector<Format> all_formats(bool in_order = true);
std::string format_name(const testing::TestParamInfo<Format>& test);

class PortTest : public testing::Test {
  protected:
    static constexpr unsigned pool_size = 2047;
    static constexpr std::uint16_t ring = 128;

    void SetUp() override;
    void TearDown() override;

    /// Opens a port with rings of `ring` descriptors and the test's pool.
    void open(const ModelOptions& options = ModelOptions::full(), net::Config config = {});
    /// The error that open() would have met.
    Error open_error(const ModelOptions& options, net::Config config = {});
    rte_mempool* make_pool(unsigned count, std::uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE);

    static Bytes frame(std::size_t size, unsigned seed);
    rte_mbuf* packet(std::size_t size, unsigned seed, rte_mempool* from = nullptr);
    /// A chain of mbufs, each with one of `sizes` bytes of the frame.
    rte_mbuf* chain(std::vector<std::size_t> sizes, unsigned seed);
    static bool holds(const rte_mbuf* mbuf, std::span<const std::byte> bytes);

    /// All that one call of burst gives.
    std::vector<rte_mbuf*> receive(std::size_t most = 32);
    std::uint16_t send(std::vector<rte_mbuf*> packets);
    std::uint64_t xstat(std::string_view name) const;
    /// Delivers a frame of `size`, receives it, checks it and frees it.
    void expect_through(std::size_t size, unsigned seed);
    /// Waits until `what` is so, five seconds at most.
    static bool wait(const std::function<bool()>& what);
    /// Sends a frame of `size` to a peer that loops, receives it as it was, and frees it.
    void expect_back(rte_mbuf* sent, std::size_t size, unsigned seed, std::uint16_t queue = 0);

    rte_mempool* pool = nullptr;
    NetModel* nic = nullptr;
    std::unique_ptr<net::Port> port;

  private:
    Result<net::Port> try_open(const ModelOptions& options, net::Config config);

    std::vector<rte_mempool*> pools_;
};

} // namespace virtio_test
