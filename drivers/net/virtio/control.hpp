// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The control queue. virtio 1.2 §5.1.6.5. One command at a time, waited for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include <sluice/net/mac.hpp>

#include "packed_ring.hpp"
#include "ring.hpp"

namespace sluice::inline v1::virtio {

class ControlQueue {
  public:
    static constexpr std::uint16_t max_size = 64;
    /// Addresses that one table command carries.
    static constexpr std::size_t max_addresses = 256;

    static Result<ControlQueue> create(const dma::EalMemory& memory, std::uint16_t index, std::uint16_t size,
                                       bool packed, std::string name, int numa_node);

    std::uint16_t index() const noexcept { return index_; }
    bool packed() const noexcept { return std::holds_alternative<PackedRing>(ring_); }
    QueueSetup setup(std::uint16_t vector) const noexcept;
    /// Empties the ring. The device does not use it.
    void clear() noexcept;
    /// The device was reset and knows the ring.
    void go_live(const QueueDoorbell& doorbell) noexcept;

    Result<> set_promiscuous(bool on);
    Result<> set_all_multicast(bool on);
    /// EINVAL: more than max_addresses together.
    Result<> set_mac_table(std::span<const net::MacAddress> unicast,
                           std::span<const net::MacAddress> multicast);
    Result<> set_mac(const net::MacAddress& address);
    Result<> set_queue_pairs(std::uint16_t pairs);

  private:
    using Ring = std::variant<SplitRing, PackedRing>;

    ControlQueue(Ring ring, dma::DmaRegion buffer, std::uint16_t index, std::string name) noexcept
        : ring_(std::move(ring))
        , buffer_(std::move(buffer))
        , index_(index)
        , name_(std::move(name)) {}

    /// EIO: refused. ETIMEDOUT: not answered within 500 ms; the queue is of no use then until it goes live
    /// again.
    Result<> run(ctrl::Header command, std::span<const std::uint8_t> data, const char* what);

    Ring ring_;
    dma::DmaRegion buffer_;
    QueueDoorbell doorbell_;
    std::uint16_t index_;
    std::uint16_t sent_ = 0; ///< commands in a split ring, descriptors in a packed one
    bool stuck_ = true;
    std::string name_;
};

} // namespace sluice::inline v1::virtio
