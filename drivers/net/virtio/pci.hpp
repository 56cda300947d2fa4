// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The modern PCI transport. virtio 1.2 §4.1.
#pragma once

#include <array>
#include <memory>

#include <sluice/device/device.hpp>
#include <sluice/device/region_io.hpp>

#include "regs.hpp"
#include "transport.hpp"

namespace sluice::inline v1::virtio {

/// A part of a BAR as its capability describes it. An access that is not inside reads as ones, or is lost.
class Window final : public reg::Io {
  public:
    Window() noexcept = default;
    Window(reg::Io& bar, std::size_t offset, std::size_t size) noexcept
        : bar_(&bar)
        , offset_(offset)
        , size_(size) {}

    std::size_t size() const noexcept override { return size_; }
    std::uint64_t read(std::size_t offset, unsigned width) noexcept override;
    void write(std::size_t offset, unsigned width, std::uint64_t value) noexcept override;
    volatile std::byte* pointer(std::size_t offset, unsigned width) noexcept override;

  private:
    bool holds(std::size_t offset, unsigned width) const noexcept {
        return width <= size_ && offset <= size_ - width;
    }

    reg::Io* bar_ = nullptr;
    std::size_t offset_ = 0;
    std::size_t size_ = 0;
};

class PciTransport : public Transport {
  public:
    /// Finds the device's structures and turns memory decoding and bus mastering on. `device` outlives it.
    /// ENODEV: not a virtio device with a modern interface. EIO: a structure that is not where it can be.
    static Result<std::unique_ptr<Transport>> create(device::Device& device);

    ~PciTransport() override;

    Result<> reset() override;
    Result<Features> negotiate(Features wanted) override;
    Features offered() const noexcept override { return offered_; }
    std::uint16_t queues() const noexcept override;
    std::uint16_t max_queue_size(std::uint16_t queue) override;
    Result<QueueDoorbell> set_queue(std::uint16_t queue, const QueueSetup& setup) override;
    Result<> set_config_vector(std::uint16_t vector) override;
    Result<> run() override;
    Health health() noexcept override;
    reg::Io& config() noexcept override { return structures_->config; }
    std::uint8_t config_generation() noexcept override;
    void isolate() noexcept override;
    int events_fd() const noexcept override { return device_.events_fd(); }
    Result<std::uint16_t> queue_pairs(Features features) override;
    Result<> recover() override;

  protected:
    explicit PciTransport(device::Device& device) noexcept
        : device_(device) {}

    /// Turns memory decoding on and finds the structures, once more where they were found before: nothing of
    /// the former mappings is used afterwards. An error leaves all as it was.
    Result<> find_structures();

  private:
    using Common = reg::View<common::Map>;

    struct Structures {
        std::array<std::unique_ptr<device::RegionIo>, 6> bars;
        Window common;
        Window notify;
        Window config;
        std::uint32_t notify_multiplier = 0;
        std::unique_ptr<Common> view;
    };

    Result<> add_structure(Structures& found, std::uint32_t capability);
    Result<reg::Io*> bar(Structures& found, unsigned index);
    Common common() const noexcept { return *structures_->view; }
    void add_status(common::DeviceStatus bits);

    device::Device& device_;
    std::unique_ptr<Structures> structures_;
    Features offered_;
};

} // namespace sluice::inline v1::virtio
