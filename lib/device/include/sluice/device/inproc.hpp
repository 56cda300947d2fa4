// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Devices that live in this process: the base of models, and of fakes for the tests of drivers. No hardware,
/// no root, no EAL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/config/backend.hpp>
#include <sluice/config/effects.hpp>
#include <sluice/config/space.hpp>
#include <sluice/device/device.hpp>

namespace sluice::inline v1::device::inproc {

/// An address space that is a table and nothing else: a model reaches memory by translate(), and by read()
/// and write() where it is another process's. Its IOVAs differ from EAL's and from pointers by `iova_offset`.
class TableSpace final : public AddressSpace {
  public:
    /// Lifts every user-space address out of those that the CPU takes as pointers, so that an IOVA which is
    /// used as one faults.
    static constexpr std::uint64_t default_offset = std::uint64_t{1} << 47;

    static std::shared_ptr<TableSpace> create(std::uint64_t iova_offset = default_offset,
                                              std::uint64_t entry_limit = 65536);

    Result<SpaceInfo> info() const override;

  private:
    TableSpace(std::uint64_t iova_offset, std::uint64_t entry_limit) noexcept
        : AddressSpace(iova_offset)
        , entry_limit_(entry_limit) {}
    Result<> do_map(Iova, std::span<std::byte>, DmaAccess) override;
    Result<> do_unmap(Iova, std::uint64_t) override;
    Result<> do_map_remote(Iova, std::uint64_t, DmaAccess) override;

    const std::uint64_t entry_limit_;
};

/// Interrupts that a model raises by fire(). Controlled by the driver's thread, fired by any.
class Lines final : public Interrupts {
  public:
    /// `vectors`: how many of each kind, in the order of Irq.
    Lines(std::string device, const std::array<std::uint32_t, irq_count>& vectors);

    /// Signals the vector's eventfd, if the driver has turned it on and INTx is not masked. True if so. INTx
    /// masks itself.
    bool fire(Irq irq, std::uint32_t vector) noexcept;

    using Interrupts::follow;

  private:
    Result<> do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) override;
    Result<> do_disable(Irq irq) override;
    Result<> do_mask_intx(bool masked) override;
    Result<> do_trigger(Irq irq, std::uint32_t vector) override;

    std::mutex mutex_;
    std::array<std::vector<int>, irq_count> eventfds_;
    bool intx_masked_ = false;
};

/// The hardware side of a model's config space: an image, and which bits of it a write changes.
/// PCI Local Bus 3.0 §6.1, §6.7.
class ConfigImage final : public config::Backend {
  public:
    /// A type 0 header with the identity's ids, no capability, and COMMAND writable.
    explicit ConfigImage(const Identity& identity, std::uint32_t size = config::conventional_size);

    /// Puts a capability in front of the list, `body` being its bytes behind id and next, `writable` the bits
    /// of the body that writes change. Where it stands, or 0 when there is no room for it.
    std::uint32_t add_capability(std::uint8_t id, std::span<const std::uint8_t> body,
                                 std::span<const std::uint8_t> writable = {});

    std::span<std::uint8_t> bytes() noexcept { return bytes_; }
    std::span<std::uint8_t> writable() noexcept { return writable_; }

    std::uint32_t size() const noexcept override { return static_cast<std::uint32_t>(bytes_.size()); }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override;
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override;

  private:
    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint8_t> writable_;
    std::uint32_t free_ = 0x40;
};

/// One region of a model. Accesses by Device::read and write go to the callbacks where there are any, and to
/// the region's memory otherwise; values are the host's integers.
struct RegionSetup {
    Region region = Region::bar0;
    std::uint64_t size = 0; ///< bytes
    // An initializer lets designated ones leave the member out without a warning.
    // NOLINTNEXTLINE(readability-redundant-member-init)
    std::vector<Area> mappable = {}; ///< whole pages that a driver may map; no callback sees accesses there
    std::function<std::uint64_t(std::uint64_t offset, unsigned width)> on_read = nullptr;
    std::function<void(std::uint64_t offset, unsigned width, std::uint64_t value)> on_write = nullptr;
};

/// What Model::create makes a device of.
struct ModelSetup {
    Identity identity = {};                        ///< `transport` empty: "inproc"
    std::shared_ptr<AddressSpace> space = nullptr; ///< null: a TableSpace of its own
    // NOLINTNEXTLINE(readability-redundant-member-init): as above
    std::vector<RegionSetup> regions = {};              ///< those that are there
    std::array<std::uint32_t, irq_count> vectors = {};  ///< in the order of Irq
    std::function<void(ConfigImage&)> config = nullptr; ///< adds capabilities to the image; may be null
    std::function<Result<>()> on_reset = nullptr;       ///< null: it cannot be reset
};

/// A Device made of callbacks and memory. A model owns one or derives its own from Device.
class Model : public Device {
  public:
    /// EINVAL: a region twice or empty, or mappable areas that are no ascending, disjoint whole pages of it.
    static Result<std::unique_ptr<Model>> create(ModelSetup setup);

    const RegionInfo& region(Region region) const noexcept override;
    using Device::map;
    Result<Mapping> map(Region region, std::uint64_t offset, std::size_t size) override;
    Result<MemoryFile> region_file(Region region) const override;
    Result<> read(Region region, std::uint64_t offset, std::span<std::byte> bytes) override;
    Result<> write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) override;
    config::Space& config() noexcept override { return *config_; }
    Interrupts& interrupts() noexcept override { return lines_; }
    Result<> reset() override;

    /// The model's own side.
    std::span<std::byte> memory(Region region) noexcept;
    Lines& lines() noexcept { return lines_; }
    ConfigImage& config_image() noexcept { return image_; }

    /// The process's memory at an IOVA of the device's space: how a model does DMA. Empty when it is not all
    /// mapped for `access`.
    std::span<std::byte> dma(Iova iova, std::size_t size, DmaAccess access) const;

  private:
    struct Backing {
        RegionInfo info;
        UniqueFd memfd;
        Mapping memory;
        RegionSetup setup;
    };

    class ResetByConfig final : public config::Effects {
      public:
        explicit ResetByConfig(Model& model) noexcept
            : model_(model) {}
        Result<config::Disposition> reset(config::ResetKind) override;

      private:
        Model& model_;
    };

    Model(ModelSetup setup, std::shared_ptr<AddressSpace> space);
    Result<> add_region(RegionSetup setup);
    Backing& backing(Region region) noexcept { return backings_[static_cast<std::size_t>(region)]; }

    std::array<Backing, region_count> backings_{};
    std::function<Result<>()> on_reset_;
    ConfigImage image_;
    ResetByConfig effects_;
    Lines lines_;
    std::unique_ptr<config::Space> config_;
};

} // namespace sluice::inline v1::device::inproc
