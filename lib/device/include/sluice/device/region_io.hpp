// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A region of a device as a window of registers.
#pragma once

#include <memory>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/device/device.hpp>
#include <sluice/reg/io.hpp>

namespace sluice::inline v1::device {

/// All of a region: mapped where the device lets it be mapped, by Device::read and write elsewhere. So a
/// driver that takes its registers from here runs on every transport. Reads that fail give all ones, and so
/// do all of a device that is not there; writes that fail are lost. Keeps the mappings; the device outlives
/// it. Threading: mapped parts any thread, the rest as the device.
class RegionIo final : public reg::Io {
  public:
    /// EINVAL: no such region.
    static Result<std::unique_ptr<RegionIo>> create(Device& device, Region region);

    /// After Device::reset(): takes new mappings. Nobody uses the region meanwhile, nor pointers from before
    /// afterwards.
    Result<> map_again();

    std::size_t size() const noexcept override { return size_; }
    std::uint64_t read(std::size_t offset, unsigned width) noexcept override;
    void write(std::size_t offset, unsigned width, std::uint64_t value) noexcept override;
    volatile std::byte* pointer(std::size_t offset, unsigned width) noexcept override;

  private:
    struct Piece {
        std::uint64_t offset;
        Mapping mapping;
        reg::MappedIo io;
    };

    RegionIo(Device& device, Region region) noexcept;
    Piece* holding(std::size_t offset, unsigned width) noexcept;

    Device& device_;
    const Region region_;
    const std::size_t size_;
    std::vector<Piece> pieces_;
};

} // namespace sluice::inline v1::device
