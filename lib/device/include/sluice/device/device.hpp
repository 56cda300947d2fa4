// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A device: what every driver drives and every server serves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/config/space.hpp>
#include <sluice/device/address_space.hpp>
#include <sluice/device/interrupts.hpp>
#include <sluice/device/region.hpp>

namespace sluice::inline v1::device {

/// Who a device is. Ids are right for an SR-IOV VF, too.
struct Identity {
    std::string name;      ///< its BDF ("0000:01:00.0"), its socket's path, or what the model calls itself
    std::string transport; ///< the kernel driver as sysfs spells it ("vfio-pci", "sluice-pci"), "vfio-user"
                           ///< or "inproc"
    std::uint16_t vendor = 0;
    std::uint16_t device = 0;
    std::uint16_t subsystem_vendor = 0;
    std::uint16_t subsystem_device = 0;
    std::uint8_t revision = 0;
    std::uint32_t class_code = 0; ///< 24 bits: base class, sub-class, interface
    int numa_node = -1;           ///< −1: not known
};

/// Whether a device answers. One that another process serves may end with that process, and be there again.
enum class Presence : std::uint8_t {
    here,
    lost,     ///< whoever served it has ended; another one may serve it later
    returned, ///< somebody serves there again, whom Device::reset() takes
    gone,     ///< lost for good
};

/// A counter of a model's own.
struct Statistic {
    std::string name; ///< "frames_in"
    std::uint64_t value = 0;
};

/// One open device: a physical one, one in another process, or a model in this one. Closing is destruction,
/// which stops its DMA and interrupts; mappings of its regions, and what was made with its config space and
/// interrupts, must be gone before.
/// Not thread-safe: one thread controls a device at a time. Mapped regions may be used by any thread.
class Device {
  public:
    virtual ~Device() = default;

    const Identity& identity() const noexcept { return identity_; }
    const std::string& name() const noexcept { return identity_.name; }

    /// Facts gathered when the device was opened; cheap.
    virtual const RegionInfo& region(Region region) const noexcept = 0;

    /// Maps [offset, offset + size) of a region into the process, readable and writable. `offset` is a
    /// multiple of the page size. EINVAL: not inside one mappable area. Touching it while the device's memory
    /// decoding is off, or once it is gone, gives all-ones or SIGBUS.
    virtual Result<Mapping> map(Region region, std::uint64_t offset, std::size_t size) = 0;

    /// Maps a whole region. EINVAL when it is not mappable as a whole (see RegionInfo::mappable).
    Result<Mapping> map(Region region);

    /// The file whose pages are the mappable areas of a region, for a process that is served this device: the
    /// area at `offset` of the region is at file offset + `offset`. The descriptor is borrowed, and lets who
    /// has it do nothing but map. EOPNOTSUPP: there is none, the region is reached by read and write alone.
    virtual Result<MemoryFile> region_file(Region region) const;

    /// Trapped access, slower than a mapping and possible where there is none. 1, 2, 4 or 8 bytes at a
    /// multiple of their number go to the device as one access; more bytes as several, ascending.
    /// EINVAL: outside the region, or not allowed there. EIO: the device does not answer (memory decoding
    /// off, powered down).
    virtual Result<> read(Region region, std::uint64_t offset, std::span<std::byte> bytes) = 0;
    virtual Result<> write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) = 0;

    /// Config space, mediated: the only way to it.
    virtual config::Space& config() noexcept = 0;

    /// For each byte of config space the bits that the kernel lets a user's write carry to hardware: at most
    /// (`listed`), or as narrowed by this process. EOPNOTSUPP: this transport's kernel side does not tell.
    virtual Result<std::vector<std::uint8_t>> floor(bool listed);

    virtual Interrupts& interrupts() noexcept = 0;

    /// Resets the function; config space, BARs included, is as before afterwards, interrupts stay configured.
    /// A device that was lost is connected to anew, with the memory that is mapped in space(); its regions
    /// are to be mapped again then.
    /// EOPNOTSUPP: it cannot be. EAGAIN: somebody else holds it; try again. ENODEV: it was lost, and nobody
    /// serves it. ESTALE: another device is served there now.
    virtual Result<> reset() = 0;

    /// Readable when service() has something to do; −1: never. Constant.
    virtual int events_fd() const noexcept { return -1; }

    /// Does what there is to do for a device in another process, without blocking: answers what its server
    /// asks, sees that it has ended, and looks every 50 ms whether there is another one.
    virtual Presence service() { return presence(); }

    /// As it was seen last. Whether it is `here`, any thread may ask.
    virtual Presence presence() const noexcept { return Presence::here; }

    /// What the device may reach. Never null; shared with every device that was opened into it.
    const std::shared_ptr<AddressSpace>& space() const noexcept { return space_; }

    /// True for a model: somebody has to call poll() for it to move.
    virtual bool needs_poll() const noexcept { return false; }

    /// Does a bounded piece of the work of a device that lives in this process, and says how many frames it
    /// moved. One thread at a time, beside the one that controls the device. Other devices work by
    /// themselves.
    virtual std::size_t poll() noexcept { return 0; }

    /// What a model counted, always the same names in the same order; empty for other devices. Any thread.
    virtual std::vector<Statistic> statistics() const { return {}; }

  protected:
    Device(Identity identity, std::shared_ptr<AddressSpace> space) noexcept
        : space_(std::move(space))
        , identity_(std::move(identity)) {}
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    /// Checks map()'s, read()'s and write()'s arguments against region(): each transport's first step.
    Result<> check_map(Region region, std::uint64_t offset, std::uint64_t size) const;
    Result<> check_access(Region region, std::uint64_t offset, std::uint64_t size, bool write) const;

  private:
    std::shared_ptr<AddressSpace> space_;
    Identity identity_;
};

} // namespace sluice::inline v1::device
