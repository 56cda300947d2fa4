// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Registers of a modern virtio device on PCI. Sections are those of the virtio specification 1.2.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sluice/reg/map.hpp>

namespace sluice::inline v1::virtio {

/// PCI vendor of every virtio device, and a modern network device's id: 0x1040 + device type 1. §4.1.2.
inline constexpr std::uint16_t pci_vendor = 0x1af4;
inline constexpr std::uint16_t pci_net_modern = 0x1041;
/// A transitional network device. It is driven through its modern interface, where it has one.
inline constexpr std::uint16_t pci_net_transitional = 0x1000;

/// A vendor capability that says where a structure lies, as offsets from the capability. §4.1.4.
namespace cap {
inline constexpr std::uint8_t vendor_id = 0x09; ///< PCI Local Bus 3.0 appendix H: vendor specific
inline constexpr std::uint32_t length = 2;      ///< u8: bytes of this capability
inline constexpr std::uint32_t type = 3;        ///< u8: one of Structure
inline constexpr std::uint32_t bar = 4;         ///< u8: 0 to 5
inline constexpr std::uint32_t offset = 8;      ///< u32: bytes from the BAR's start
inline constexpr std::uint32_t bytes = 12;      ///< u32: of the structure
inline constexpr std::uint32_t size = 16;
/// A notification capability goes on. §4.1.4.4.
inline constexpr std::uint32_t notify_multiplier = 16; ///< u32: bytes between two doorbells
inline constexpr std::uint32_t notify_size = 20;
} // namespace cap

/// `cfg_type` of a capability. §4.1.4.
enum class Structure : std::uint8_t {
    common = 1,
    notify = 2,
    isr = 3,
    device = 4,
    pci = 5, ///< a window in config space; not used, the BARs are reached directly
    shared_memory = 8,
};

/// The common configuration structure. §4.1.4.3. Its 64-bit fields are written in halves (§4.1.3.1).
namespace common {

struct DeviceFeatureSelect : reg::Register<DeviceFeatureSelect, 0x00, std::uint32_t, reg::Access::rw> {};
struct DeviceFeature : reg::Register<DeviceFeature, 0x04, std::uint32_t, reg::Access::ro> {};
struct DriverFeatureSelect : reg::Register<DriverFeatureSelect, 0x08, std::uint32_t, reg::Access::rw> {};
struct DriverFeature : reg::Register<DriverFeature, 0x0c, std::uint32_t, reg::Access::rw> {};
struct ConfigVector : reg::Register<ConfigVector, 0x10, std::uint16_t, reg::Access::rw> {};
struct NumQueues : reg::Register<NumQueues, 0x12, std::uint16_t, reg::Access::ro> {};
/// §2.1. Zero resets the device; the reset is over when it reads zero.
struct DeviceStatus : reg::Register<DeviceStatus, 0x14, std::uint8_t, reg::Access::rw> {
    using Failed = Bit<7>;
    using NeedsReset = Bit<6>;
    using FeaturesOk = Bit<3>;
    using DriverOk = Bit<2>;
    using Driver = Bit<1>;
    using Acknowledge = Bit<0>;
};
/// Changes with every change of the device configuration. §4.1.4.3.1.
struct ConfigGeneration : reg::Register<ConfigGeneration, 0x15, std::uint8_t, reg::Access::ro> {};
struct QueueSelect : reg::Register<QueueSelect, 0x16, std::uint16_t, reg::Access::rw> {};
/// Zero: no such queue.
struct QueueSize : reg::Register<QueueSize, 0x18, std::uint16_t, reg::Access::rw> {};
struct QueueVector : reg::Register<QueueVector, 0x1a, std::uint16_t, reg::Access::rw> {};
struct QueueEnable : reg::Register<QueueEnable, 0x1c, std::uint16_t, reg::Access::rw> {};
struct QueueNotifyOff : reg::Register<QueueNotifyOff, 0x1e, std::uint16_t, reg::Access::ro> {};
struct QueueDescLow : reg::Register<QueueDescLow, 0x20, std::uint32_t, reg::Access::rw> {};
struct QueueDescHigh : reg::Register<QueueDescHigh, 0x24, std::uint32_t, reg::Access::rw> {};
struct QueueDriverLow : reg::Register<QueueDriverLow, 0x28, std::uint32_t, reg::Access::rw> {};
struct QueueDriverHigh : reg::Register<QueueDriverHigh, 0x2c, std::uint32_t, reg::Access::rw> {};
struct QueueDeviceLow : reg::Register<QueueDeviceLow, 0x30, std::uint32_t, reg::Access::rw> {};
struct QueueDeviceHigh : reg::Register<QueueDeviceHigh, 0x34, std::uint32_t, reg::Access::rw> {};

/// The structure as virtio 1.0 has it; later fields stand behind it and are not used.
using Map = reg::Map<0x38, DeviceFeatureSelect, DeviceFeature, DriverFeatureSelect, DriverFeature,
                     ConfigVector, NumQueues, DeviceStatus, ConfigGeneration, QueueSelect, QueueSize,
                     QueueVector, QueueEnable, QueueNotifyOff, QueueDescLow, QueueDescHigh, QueueDriverLow,
                     QueueDriverHigh, QueueDeviceLow, QueueDeviceHigh>;

/// A vector field's value for "no interrupt", and what it reads as after a vector could not be had.
/// §4.1.5.1.2.
inline constexpr std::uint16_t no_vector = 0xffff;

} // namespace common

/// The interrupt status structure, needed without MSI-X alone. §4.1.4.5.
struct IsrStatus : reg::Register<IsrStatus, 0x00, std::uint8_t, reg::Access::rc> {
    using Config = Bit<1>;
    using Queue = Bit<0>;
};

/// Device configuration of a network device. §5.1.4. A field is there when its feature is offered, so the
/// window may end before the last one.
namespace net_config {

struct Mac : reg::Array<Mac, 0x00, std::uint8_t, reg::Access::ro, 6, 1> {};   ///< with Feature::mac
struct Status : reg::Register<Status, 0x06, std::uint16_t, reg::Access::ro> { ///< with Feature::status
    using Announce = Bit<1>;
    using LinkUp = Bit<0>;
};
struct MaxQueuePairs : reg::Register<MaxQueuePairs, 0x08, std::uint16_t, reg::Access::ro> {}; ///< mq
struct Mtu : reg::Register<Mtu, 0x0a, std::uint16_t, reg::Access::ro> {};                     ///< mtu
/// Mb/s, all ones or above 0x7fffffff: not known. With Feature::speed_duplex.
struct Speed : reg::Register<Speed, 0x0c, std::uint32_t, reg::Access::ro> {};
struct Duplex : reg::Register<Duplex, 0x10, std::uint8_t, reg::Access::ro> {}; ///< 1: full

using Map = reg::Map<0x11, Mac, Status, MaxQueuePairs, Mtu, Speed, Duplex>;

} // namespace net_config

} // namespace sluice::inline v1::virtio
