// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The memory that devices may reach, and at which addresses.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>

namespace sluice::inline v1::device {

/// What the device may do with mapped memory.
enum class DmaAccess : std::uint8_t { read = 1, write = 2, read_write = 3 };

/// IOVAs from `first` to `last`, both included.
struct IovaRange {
    Iova first;
    Iova last;
};

struct SpaceInfo {
    std::vector<IovaRange> ranges; ///< where map() may place memory; ascending, disjoint
    std::uint64_t page_sizes = 0;  ///< bitmap of sizes in bytes; the lowest bit is map()'s granule
    std::uint64_t entry_limit = 0; ///< mappings at most; 0: not known
    std::uint64_t entries = 0;     ///< mappings now
    unsigned address_bits = 0;     ///< of the highest usable IOVA

    /// The granule in bytes: addresses and sizes of map() are multiples of it.
    std::uint64_t granule() const noexcept { return page_sizes & (~page_sizes + 1); }
};

/// The file that holds mapped memory, for devices in other processes, which map it themselves. The descriptor
/// is borrowed, and stays open for as long as the memory is mapped in the space.
struct MemoryFile {
    int fd = -1;              ///< −1: no file, or none that can be shared
    std::uint64_t offset = 0; ///< of the memory's first byte, in bytes
};

/// Memory that this process cannot map, and reaches by asking whoever holds it.
class RemoteMemory {
  public:
    /// Copies all of the bytes, or fails: EFAULT when the holder refuses, another errno when it is gone.
    virtual Result<> read(Iova iova, std::span<std::byte> bytes) = 0;
    virtual Result<> write(Iova iova, std::span<const std::byte> bytes) = 0;

  protected:
    RemoteMemory() = default;
    RemoteMemory(const RemoteMemory&) = default;
    RemoteMemory& operator=(const RemoteMemory&) = default;
    ~RemoteMemory() = default;
};

/// IOVA mappings that any number of devices share: a VFIO container, a sluice_pci space, a model's table.
/// Devices hold it by std::shared_ptr; it ends with its last holder, and all its mappings with it.
/// All members may be called by any thread, none on the data path. The memory stays the caller's, and must
/// stay mapped in the process for as long as it is mapped here.
class AddressSpace {
  public:
    virtual ~AddressSpace() = default;

    /// Lets devices reach `memory` at `iova`. All or nothing. Memory that was never written is one shared
    /// page of zeroes to the kernel: write it before it is mapped for DmaAccess::read alone, or the device
    /// may go on reading zeroes (Linux before 6.2). EINVAL: empty, memory, iova or size not a multiple of the
    /// granule, wraps, or outside the ranges. EEXIST: overlaps a mapping. ENOMEM: RLIMIT_MEMLOCK (the error
    /// says limit, need and remedy). ENOSPC: entry limit. EFAULT: memory that cannot be pinned.
    /// `file` holds the memory, if there is one; spaces whose devices are in this process or behind its IOMMU
    /// have no use for it.
    Result<> map(Iova iova, std::span<std::byte> memory, DmaAccess access, MemoryFile file = {});

    /// Lets a model reach `size` bytes of `remote` at `iova`, by read() and write() alone. `remote` outlives
    /// the mapping. Errors as map(); EOPNOTSUPP: not a model's space.
    Result<> map_remote(Iova iova, std::uint64_t size, DmaAccess access, RemoteMemory& remote);

    /// Ends every mapping inside [iova, iova + size). No device reaches that memory afterwards.
    /// ENOENT: nothing is mapped there. EINVAL: unaligned, empty, wraps, or cuts a mapping in two; nothing
    /// has changed then.
    Result<> unmap(Iova iova, std::uint64_t size);

    virtual Result<SpaceInfo> info() const = 0;

    /// What lib/dma adds to EAL's own IOVA of a buffer to get this space's: EAL's memory is mapped that much
    /// higher here. 0 in every space of a physical device; in a space of models it is not, so that an IOVA
    /// taken for a pointer, or for EAL's, fails at once.
    std::uint64_t iova_offset() const noexcept { return iova_offset_; }

    /// True when devices reach memory through its file, so that map() is given one where there is one, and
    /// each mapping lies in a single file.
    virtual bool needs_files() const noexcept { return false; }

    /// Copies between the caller and [iova, iova + size), wherever it is: how a model does the DMA that
    /// translate() cannot. EFAULT: not all inside mappings that allow it. Others as RemoteMemory.
    Result<> read(Iova iova, std::span<std::byte> bytes) const;
    Result<> write(Iova iova, std::span<const std::byte> bytes) const;

    /// The process's memory behind [iova, iova + size), if one mapping holds all of it and allows `access`.
    /// None for remote memory.
    std::optional<std::span<std::byte>> translate(Iova iova, std::size_t size, DmaAccess access) const;

    /// A mapping as it was made.
    struct Mapped {
        Iova first;
        std::span<std::byte> memory;
        DmaAccess access;
    };

    /// The mapping that holds `iova`; none if it is remote. For those who translate often and keep it: valid
    /// while hold()'s lock is held, and afterwards as long as changes() is what it was.
    std::optional<Mapped> mapping_at(Iova iova) const;

    /// Goes up with every unmap().
    std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_acquire); }

    /// Keeps every mapping as it is: unmap() waits until the lock is gone. For a device that lives in this
    /// process, whose DMA is the process's own loads and stores; held for bounded work alone.
    std::shared_lock<std::shared_mutex> hold() const { return std::shared_lock(in_use_); }

    /// The lowest IOVA with `size` free bytes from it inside one range, a multiple of the granule; none if
    /// there is no such gap.
    std::optional<Iova> find_free(std::uint64_t size) const;

    /// Where the device finds `address`, if it is mapped here.
    std::optional<Iova> iova_of(const void* address) const;

  protected:
    explicit AddressSpace(std::uint64_t iova_offset = 0) noexcept
        : iova_offset_(iova_offset) {}
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;

    /// Does what map() and unmap() promise, once their arguments were checked and no mapping is in the way.
    /// `iova` and `size` of do_unmap are exactly one mapping's. Called with the table locked, so that they
    /// call no other member.
    virtual Result<> do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) = 0;
    virtual Result<> do_unmap(Iova iova, std::uint64_t size) = 0;
    /// The same with the memory's file, for spaces that need it.
    virtual Result<> do_map_file(Iova iova, std::span<std::byte> memory, DmaAccess access, MemoryFile file);
    virtual Result<> do_map_remote(Iova iova, std::uint64_t size, DmaAccess access);

    /// Calls do_map_file() for every mapping once more, lowest IOVA first, until one fails: whoever held the
    /// mappings has forgotten them.
    Result<> map_again();

    /// Mappings in the table: for info(), and for do_map(), whose new one counts.
    std::uint64_t entries() const;
    std::uint64_t entries_locked() const noexcept { return table_.size(); }

  private:
    struct Entry {
        std::byte* data; ///< null: remote
        std::uint64_t size;
        DmaAccess access;
        MemoryFile file;
        RemoteMemory* remote;
    };
    using Table = std::map<std::uint64_t, Entry>;

    Table::const_iterator holding(std::uint64_t iova) const;
    Result<> add(Iova iova, const Entry& entry);
    std::optional<Entry> piece(Iova iova, DmaAccess access) const;

    const std::uint64_t iova_offset_;
    mutable std::shared_mutex in_use_; ///< taken before mutex_
    std::atomic<std::uint64_t> changes_{0};
    mutable std::mutex mutex_;
    Table table_;
};

} // namespace sluice::inline v1::device
