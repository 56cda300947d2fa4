// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Feature bits that this driver knows. virtio 1.2 §6 (ring and transport), §5.1.3 (network).
#pragma once

#include <cstdint>

namespace sluice::inline v1::virtio {

enum class Feature : unsigned {
    mtu = 3,              ///< the device says its largest MTU
    mac = 5,              ///< the device has an address of its own
    mrg_rxbuf = 15,       ///< a frame may fill several receive buffers
    status = 16,          ///< the configuration has the link's state
    ctrl_vq = 17,         ///< there is a control queue
    ctrl_rx = 18,         ///< it takes promiscuous, all-multicast and address tables
    mq = 22,              ///< several queue pairs
    ctrl_mac_addr = 23,   ///< the control queue changes the device's address
    version_1 = 32,       ///< not a legacy device
    access_platform = 33, ///< its DMA goes through the IOMMU
    ring_packed = 34,     ///< packed queues
    in_order = 35,        ///< buffers come back in the order in which they were given
    order_platform = 36,  ///< memory is ordered as for any device of this platform
    speed_duplex = 63,
};

/// A set of feature bits.
class Features {
  public:
    constexpr Features() noexcept = default;
    constexpr explicit Features(std::uint64_t bits) noexcept
        : bits_(bits) {}

    constexpr bool has(Feature feature) const noexcept { return (bits_ & bit(feature)) != 0; }
    constexpr Features& add(Feature feature) noexcept {
        bits_ |= bit(feature);
        return *this;
    }
    constexpr Features& remove(Feature feature) noexcept {
        bits_ &= ~bit(feature);
        return *this;
    }
    constexpr std::uint64_t bits() const noexcept { return bits_; }

    friend constexpr Features operator&(Features a, Features b) noexcept {
        return Features(a.bits_ & b.bits_);
    }
    friend constexpr bool operator==(Features, Features) noexcept = default;

  private:
    static constexpr std::uint64_t bit(Feature feature) noexcept {
        return std::uint64_t{1} << static_cast<unsigned>(feature);
    }
    std::uint64_t bits_ = 0;
};

/// Without those whose prerequisite is missing. §5.1.3.1.
constexpr Features consistent(Features features) noexcept {
    if (!features.has(Feature::ctrl_vq))
        features.remove(Feature::ctrl_rx).remove(Feature::mq).remove(Feature::ctrl_mac_addr);
    return features;
}

} // namespace sluice::inline v1::virtio
