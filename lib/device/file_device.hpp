// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A device whose regions and config space are ranges of one file: what the kernel transports share.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include <sluice/base/unique_fd.hpp>
#include <sluice/config/backend.hpp>
#include <sluice/config/effects.hpp>
#include <sluice/config/recorder.hpp>
#include <sluice/config/space.hpp>
#include <sluice/device/device.hpp>
#include <sluice/device/open.hpp>
#include <sluice/pci/sysfs.hpp>

namespace sluice::inline v1::device {

/// A region and where it begins in the device's file.
struct FileRegion {
    RegionInfo info;
    std::uint64_t offset = 0;
};

/// Raw config space as `size` bytes of a file.
class FileConfig final : public config::Backend {
  public:
    FileConfig(int fd, std::uint64_t offset, std::uint32_t size, std::string device) noexcept
        : fd_(fd)
        , offset_(offset)
        , size_(size)
        , device_(std::move(device)) {}

    std::uint32_t size() const noexcept override { return size_; }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override;
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override;

  private:
    const int fd_;
    const std::uint64_t offset_;
    const std::uint32_t size_;
    const std::string device_;
};

/// One PCI function is open once in a process: marked from before the kernel is asked until the device
/// closes.
class OpenMark {
  public:
    /// EBUSY: this process has it open.
    static Result<OpenMark> take(const pci::Address& address);
    OpenMark(OpenMark&& other) noexcept
        : address_(std::exchange(other.address_, std::nullopt)) {}
    OpenMark& operator=(OpenMark&&) = delete;
    ~OpenMark();

  private:
    explicit OpenMark(const pci::Address& address) noexcept
        : address_(address) {}

    std::optional<pci::Address> address_;
};

/// Ids and place of a function as sysfs has them.
Identity identity_of(const pci::Function& function);

/// What the config engine needs to know of a function beside its bytes.
Result<config::Facts> facts_of(const pci::Function& function, const pci::Sysfs& sysfs,
                               config::Backend& backend);

/// The part of a device that vfio-pci and sluice-pci have in common. A transport derives from it, hands the
/// regions over, and calls start_config() last.
class FileDevice : public Device {
  public:
    const RegionInfo& region(Region region) const noexcept override;
    using Device::map;
    Result<Mapping> map(Region region, std::uint64_t offset, std::size_t size) override;
    Result<> read(Region region, std::uint64_t offset, std::span<std::byte> bytes) override;
    Result<> write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) override;
    config::Space& config() noexcept override { return *config_; }

  protected:
    struct Parts {
        OpenMark mark;
        std::shared_ptr<void> keep; ///< what the file needs: closed after it
        UniqueFd fd;
        std::array<FileRegion, region_count> regions;
        std::uint64_t config_offset = 0;
        std::uint32_t config_size = 0;
    };

    FileDevice(Identity identity, std::shared_ptr<AddressSpace> space, Parts parts) noexcept;

    int fd() const noexcept { return parts_.fd.get(); }
    config::Backend& backend() noexcept { return backend_; }
    Result<> start_config(config::Backend& bytes, std::unique_ptr<config::Effects> effects,
                          const config::Facts& facts, const OpenOptions& options);

  private:
    const FileRegion& file_region(Region region) const noexcept {
        return parts_.regions[static_cast<std::size_t>(region)];
    }

    Parts parts_;
    FileConfig backend_;
    std::unique_ptr<config::Effects> effects_;
    std::unique_ptr<config::Recorder> recorder_;
    std::unique_ptr<config::Space> config_;
};

} // namespace sluice::inline v1::device
