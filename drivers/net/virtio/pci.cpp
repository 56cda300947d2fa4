// SPDX-License-Identifier: BSD-3-Clause
#include "pci.hpp"

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include <sluice/config/space.hpp>

namespace sluice::inline v1::virtio {

namespace {

constexpr auto reset_limit = std::chrono::milliseconds(500);

struct Capability {
    std::uint8_t length = 0;
    std::uint8_t type = 0;
    std::uint8_t bar = 0;
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
};

Result<Capability> read_capability(config::Space& space, std::uint32_t at) {
    Capability found;
    std::array<std::byte, cap::size> raw;
    if (auto ok = space.read(at, raw); !ok)
        return propagate(std::move(ok));
    const auto u8 = [&](std::uint32_t offset) { return std::to_integer<std::uint8_t>(raw[offset]); };
    const auto u32 = [&](std::uint32_t offset) {
        return u8(offset) | std::uint32_t{u8(offset + 1)} << 8 | std::uint32_t{u8(offset + 2)} << 16 |
               std::uint32_t{u8(offset + 3)} << 24;
    };
    found.length = u8(cap::length);
    found.type = u8(cap::type);
    found.bar = u8(cap::bar);
    found.offset = u32(cap::offset);
    found.bytes = u32(cap::bytes);
    return found;
}

template <typename Low, typename High>
void write_address(const reg::View<common::Map>& view, Iova iova) {
    view.write(Low::from(static_cast<std::uint32_t>(iova.value)));
    view.write(High::from(static_cast<std::uint32_t>(iova.value >> 32)));
}

} // namespace

std::uint64_t Window::read(std::size_t offset, unsigned width) noexcept {
    if (!holds(offset, width))
        return width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width)) - 1;
    return bar_->read(offset_ + offset, width);
}

void Window::write(std::size_t offset, unsigned width, std::uint64_t value) noexcept {
    if (holds(offset, width))
        bar_->write(offset_ + offset, width, value);
}

volatile std::byte* Window::pointer(std::size_t offset, unsigned width) noexcept {
    return holds(offset, width) ? bar_->pointer(offset_ + offset, width) : nullptr;
}

Result<std::unique_ptr<Transport>> PciTransport::create(device::Device& device) {
    std::unique_ptr<PciTransport> transport(new PciTransport(device));
    if (auto ok = transport->find_structures(); !ok)
        return propagate(std::move(ok));
    return transport;
}

PciTransport::~PciTransport() {
    if (structures_ && device_.presence() == device::Presence::here)
        static_cast<void>(PciTransport::reset());
    static_cast<void>(device_.config().set_bus_master(false));
}

void PciTransport::isolate() noexcept {
    static_cast<void>(device_.config().set_bus_master(false));
}

Result<> PciTransport::recover() {
    if (auto ok = device_.reset(); !ok)
        return health().gone
                   ? fail(ENODEV, "the device is gone: its registers read as all ones", device_.name())
                   : ok;
    if (auto ok = device_.config().set_memory_decoding(true); !ok)
        return ok;
    return reset();
}

/// §4.1.4: of each structure the first one that can be used.
Result<> PciTransport::find_structures() {
    config::Space& space = device_.config();
    if (auto ok = space.set_memory_decoding(true); !ok)
        return ok;
    auto found = std::make_unique<Structures>();
    // The list holds 48 capabilities at most (PCI Local Bus 3.0 §6.7), whatever the device says.
    unsigned left = 48;
    for (std::uint32_t at = space.find_capability(cap::vendor_id); at != 0 && left != 0;
         at = space.find_capability(cap::vendor_id, at), --left)
        if (auto ok = add_structure(*found, at); !ok)
            return ok;
    if (found->common.size() == 0 || found->notify.size() == 0)
        return fail(ENODEV,
                    "no modern virtio interface on this device: it needs virtio 1.0 (QEMU: "
                    "disable-legacy=on or auto, disable-modern=off)",
                    device_.name());
    auto view = Common::create(found->common);
    if (!view)
        return fail(EIO, "the common configuration of this virtio device is too short", device_.name());
    found->view = std::make_unique<Common>(*view);
    structures_ = std::move(found);
    return {};
}

Result<> PciTransport::add_structure(Structures& structures, std::uint32_t capability) {
    auto found = read_capability(device_.config(), capability);
    if (!found)
        return propagate(std::move(found));
    Window* window = nullptr;
    switch (static_cast<Structure>(found->type)) {
    case Structure::common:
        window = &structures.common;
        break;
    case Structure::notify:
        window = &structures.notify;
        break;
    case Structure::device:
        window = &structures.config;
        break;
    default:
        return {};
    }
    // Values of `bar` above 5 are reserved, and such capabilities passed over (§4.1.4.1).
    if (window->size() != 0 || found->bar > 5 || found->length < cap::size || found->bytes == 0)
        return {};
    const auto region = device::bar(found->bar);
    const std::uint64_t size = device_.region(region).size;
    if (found->offset > size || found->bytes > size - found->offset || found->offset % 4 != 0)
        return fail(EIO, "a virtio structure does not lie inside its BAR",
                    device_.name() + " " + device::name(region) + ", structure type " +
                        std::to_string(found->type));
    auto io = bar(structures, found->bar);
    if (!io)
        return propagate(std::move(io));
    if (window == &structures.notify) {
        auto multiplier = device_.config().read32(capability + cap::notify_multiplier);
        if (!multiplier)
            return propagate(std::move(multiplier));
        if (found->length < cap::notify_size || (*multiplier & 1) != 0)
            return fail(EIO, "the notification capability of this virtio device is malformed",
                        device_.name());
        structures.notify_multiplier = *multiplier;
    }
    *window = Window(**io, found->offset, found->bytes);
    return {};
}

Result<reg::Io*> PciTransport::bar(Structures& structures, unsigned index) {
    auto& held = structures.bars[index];
    if (!held) {
        auto io = device::RegionIo::create(device_, device::bar(index));
        if (!io)
            return propagate(std::move(io));
        held = std::move(*io);
    }
    return held.get();
}

Result<> PciTransport::reset() {
    using common::DeviceStatus;
    if (device_.presence() != device::Presence::here) {
        // Whoever serves it next may have put the structures elsewhere.
        if (auto ok = device_.reset(); !ok)
            return ok;
        if (auto ok = find_structures(); !ok)
            return ok;
    }
    const auto end = std::chrono::steady_clock::now() + reset_limit;
    common().write(DeviceStatus());
    // §4.1.4.3.2: the reset is over when the status reads zero.
    while (true) {
        const auto status = common().read<DeviceStatus>();
        if (status == DeviceStatus())
            return {};
        if (status.all_ones())
            return fail(ENODEV, "the device is gone: its registers read as all ones", device_.name());
        if (std::chrono::steady_clock::now() > end)
            return fail(ETIMEDOUT, "the device does not finish its reset", device_.name());
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
}

void PciTransport::add_status(common::DeviceStatus bits) {
    const auto status = common().read<common::DeviceStatus>();
    common().write(common::DeviceStatus::from(static_cast<std::uint8_t>(status.raw() | bits.raw())));
}

Result<Features> PciTransport::negotiate(Features wanted) {
    using common::DeviceStatus;
    // Step 1. Only a device that was reset may master the bus: a former user may have left it running.
    if (auto ok = reset(); !ok)
        return propagate(std::move(ok));
    if (auto ok = device_.config().set_bus_master(true); !ok)
        return propagate(std::move(ok));
    add_status(DeviceStatus().set<DeviceStatus::Acknowledge>()); // step 2
    add_status(DeviceStatus().set<DeviceStatus::Driver>());      // step 3
    std::uint64_t bits = 0;
    for (std::uint32_t half = 0; half < 2; ++half) { // step 4
        common().write(common::DeviceFeatureSelect::from(half));
        bits |= std::uint64_t{common().read<common::DeviceFeature>().raw()} << (32 * half);
    }
    offered_ = Features(bits);
    if (!offered_.has(Feature::version_1))
        return fail(ENOTSUP, "not a modern virtio device: it does not offer VERSION_1", device_.name());
    if (!offered_.has(Feature::access_platform))
        return fail(ENOTSUP,
                    "the device does not offer ACCESS_PLATFORM, so that its DMA would go around the IOMMU: "
                    "enable it (QEMU: iommu_platform=on)",
                    device_.name());
    const Features accepted = consistent(offered_ & wanted);
    for (std::uint32_t half = 0; half < 2; ++half) {
        common().write(common::DriverFeatureSelect::from(half));
        common().write(
            common::DriverFeature::from(static_cast<std::uint32_t>(accepted.bits() >> (32 * half))));
    }
    add_status(DeviceStatus().set<DeviceStatus::FeaturesOk>()); // step 5
    const auto status = common().read<DeviceStatus>();          // step 6
    if (status.all_ones())
        return fail(ENODEV, "the device is gone: its registers read as all ones", device_.name());
    if (!status.get<DeviceStatus::FeaturesOk>())
        return fail(ENOTSUP, "the device refuses the features that this driver accepts", device_.name());
    return accepted;
}

std::uint16_t PciTransport::queues() const noexcept {
    return common().read<common::NumQueues>().raw();
}

/// §5.1.4.1: 1 to 0x8000. All of them must exist, and the control queue behind them.
Result<std::uint16_t> PciTransport::queue_pairs(Features features) {
    if (!features.has(Feature::mq))
        return std::uint16_t{1};
    const unsigned told = net_config::MaxQueuePairs::read(config()).raw();
    if (told > queues() / 2U || told == 0)
        return fail(EIO, "the device says that it has more queues than there are, or none",
                    device_.name() + ": " + std::to_string(told) + " pairs, " + std::to_string(queues()) +
                        " queues");
    return static_cast<std::uint16_t>(told);
}

std::uint16_t PciTransport::max_queue_size(std::uint16_t queue) {
    common().write(common::QueueSelect::from(queue));
    return common().read<common::QueueSize>().raw();
}

Result<QueueDoorbell> PciTransport::set_queue(std::uint16_t queue, const QueueSetup& setup) {
    const std::string object = device_.name() + " queue " + std::to_string(queue);
    const auto& view = *structures_->view;
    Window& notify = structures_->notify;
    view.write(common::QueueSelect::from(queue));
    if (setup.size > view.read<common::QueueSize>().raw())
        return fail(EIO, "the device has no queue of this size", object);
    view.write(common::QueueSize::from(setup.size));
    if (view.read<common::QueueSize>().raw() != setup.size)
        return fail(EIO, "the device does not take the queue's size", object);
    view.write(common::QueueVector::from(setup.vector));
    if (view.read<common::QueueVector>().raw() != setup.vector) // §4.1.5.1.2
        return fail(EBUSY, "the device has no interrupt vector for the queue", object);
    write_address<common::QueueDescLow, common::QueueDescHigh>(view, setup.desc);
    write_address<common::QueueDriverLow, common::QueueDriverHigh>(view, setup.driver);
    write_address<common::QueueDeviceLow, common::QueueDeviceHigh>(view, setup.device);
    // §4.1.4.4: where the doorbell is; §4.1.4.4.1: it lies inside the structure.
    const std::uint64_t offset =
        std::uint64_t{view.read<common::QueueNotifyOff>().raw()} * structures_->notify_multiplier;
    if (offset + sizeof(std::uint16_t) > notify.size())
        return fail(EIO, "the queue's doorbell lies outside the notification structure", object);
    view.write(common::QueueEnable::from(1));
    return QueueDoorbell(notify, static_cast<std::size_t>(offset));
}

Result<> PciTransport::set_config_vector(std::uint16_t vector) {
    common().write(common::ConfigVector::from(vector));
    if (common().read<common::ConfigVector>().raw() != vector)
        return fail(EBUSY, "the device has no interrupt vector for configuration changes", device_.name());
    return {};
}

Result<> PciTransport::run() {
    using common::DeviceStatus;
    add_status(DeviceStatus().set<DeviceStatus::DriverOk>());
    const auto status = common().read<DeviceStatus>();
    if (status.all_ones())
        return fail(ENODEV, "the device is gone: its registers read as all ones", device_.name());
    if (!status.get<DeviceStatus::DriverOk>() || status.get<DeviceStatus::NeedsReset>())
        return fail(EIO, "the device does not start", device_.name());
    return {};
}

Transport::Health PciTransport::health() noexcept {
    using common::DeviceStatus;
    const auto status = common().read<DeviceStatus>();
    return {status.all_ones(), !status.all_ones() && status.get<DeviceStatus::NeedsReset>(), false};
}

std::uint8_t PciTransport::config_generation() noexcept {
    return common().read<common::ConfigGeneration>().raw();
}

} // namespace sluice::inline v1::virtio
