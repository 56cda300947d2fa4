// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What every device model is made on.
#pragma once

#include <memory>

#include <sluice/device/inproc.hpp>

namespace sluice::inline v1::model {

/// A Device whose regions, config space and interrupts are an inproc::Model's. A model derives from it, and
/// gives its setup handlers of its own.
class ModelDevice : public device::Device {
  public:
    const device::RegionInfo& region(device::Region region) const noexcept override {
        return inner().region(region);
    }
    using Device::map;
    Result<Mapping> map(device::Region region, std::uint64_t offset, std::size_t size) override {
        return inner().map(region, offset, size);
    }
    Result<device::MemoryFile> region_file(device::Region region) const override {
        return inner().region_file(region);
    }
    Result<> read(device::Region region, std::uint64_t offset, std::span<std::byte> bytes) override {
        return inner().read(region, offset, bytes);
    }
    Result<> write(device::Region region, std::uint64_t offset, std::span<const std::byte> bytes) override {
        return inner().write(region, offset, bytes);
    }
    config::Space& config() noexcept override { return inner().config(); }
    device::Interrupts& interrupts() noexcept override { return inner().interrupts(); }
    Result<> reset() override { return inner().reset(); }
    bool needs_poll() const noexcept override { return true; }

  protected:
    ModelDevice(device::Identity identity, std::shared_ptr<device::AddressSpace> space) noexcept
        : Device(std::move(identity), std::move(space)) {}

    /// `setup` with this device's identity and space; its handlers may use the derived object.
    Result<> build(device::inproc::ModelSetup setup) {
        setup.identity = identity();
        setup.space = space();
        auto made = device::inproc::Model::create(std::move(setup));
        if (!made)
            return propagate(std::move(made));
        inner_ = std::move(*made);
        return {};
    }
    device::inproc::Model& inner() const noexcept { return *inner_; }

  private:
    std::unique_ptr<device::inproc::Model> inner_;
};

} // namespace sluice::inline v1::model
