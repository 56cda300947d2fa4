// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The messages of the vfio-user protocol as data. QEMU, docs/interop/vfio-user; numbers are in the host's
/// byte order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace sluice::inline v1::vfio_user {

/// "Header". `size` counts the header. Ids are the sender's, and need not be unique.
struct Header {
    std::uint16_t id = 0;
    std::uint16_t command = 0;
    std::uint32_t size = 0;
    std::uint32_t flags = 0;
    std::uint32_t error = 0; ///< an errno, in an error reply alone
};

inline constexpr std::uint32_t type_mask = 0xf;
inline constexpr std::uint32_t type_command = 0;
inline constexpr std::uint32_t type_reply = 1;
inline constexpr std::uint32_t flag_no_reply = 0x10;
inline constexpr std::uint32_t flag_error = 0x20;

/// "Commands". 14 was DIRTY_PAGES, which is no more.
enum class Command : std::uint16_t {
    version = 1,
    dma_map,
    dma_unmap,
    get_info,
    get_region_info,
    get_region_io_fds,
    get_irq_info,
    set_irqs,
    region_read,
    region_write,
    dma_read,
    dma_write,
    device_reset,
    region_write_multi = 15,
    device_feature,
    mig_data_read,
    mig_data_write,
};

enum class Sender : std::uint8_t { client, server };

struct VersionHead {
    std::uint16_t major = 0;
    std::uint16_t minor = 0; ///< behind it: the capabilities as JSON, ended by a NUL; or nothing
};

struct DmaMap {
    static constexpr std::uint32_t read = 1;
    static constexpr std::uint32_t write = 2;
    std::uint32_t argsz = 32;
    std::uint32_t flags = 0;
    std::uint64_t offset = 0; ///< in the file that comes with it
    std::uint64_t address = 0;
    std::uint64_t size = 0;
};

struct DmaUnmap {
    std::uint32_t argsz = 24;
    std::uint32_t flags = 0;
    std::uint64_t address = 0;
    std::uint64_t size = 0;
};

struct DeviceInfo {
    static constexpr std::uint32_t reset = 1;
    static constexpr std::uint32_t pci = 2;
    std::uint32_t argsz = 16;
    std::uint32_t flags = 0;
    std::uint32_t regions = 0;
    std::uint32_t irqs = 0;
};

struct RegionInfo {
    static constexpr std::uint32_t read = 1;
    static constexpr std::uint32_t write = 2;
    static constexpr std::uint32_t mmap = 4;
    static constexpr std::uint32_t caps = 8;
    std::uint32_t argsz = 32;
    std::uint32_t flags = 0;
    std::uint32_t index = 0;
    std::uint32_t cap_offset = 0; ///< from the struct's start
    std::uint64_t size = 0;
    std::uint64_t offset = 0; ///< of the region in the file that comes with it
};

struct CapHeader {
    static constexpr std::uint16_t sparse_mmap = 1;
    std::uint16_t id = 0;
    std::uint16_t version = 0;
    std::uint32_t next = 0; ///< from the start of RegionInfo; 0: the last
};

/// Behind it: `count` SparseArea.
struct SparseMmap {
    CapHeader header;
    std::uint32_t count = 0;
    std::uint32_t reserved = 0;
};

struct SparseArea {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// The reply has `count` entries of 40 bytes behind it; a peer sends 48.
struct RegionIoFds {
    std::uint32_t argsz = 16;
    std::uint32_t flags = 0;
    std::uint32_t index = 0;
    std::uint32_t count = 0;
};

struct IrqInfo {
    static constexpr std::uint32_t eventfd = 1;
    static constexpr std::uint32_t maskable = 2;
    static constexpr std::uint32_t automasked = 4;
    static constexpr std::uint32_t noresize = 8;
    std::uint32_t argsz = 16;
    std::uint32_t flags = 0;
    std::uint32_t index = 0;
    std::uint32_t count = 0;
};

/// Behind it with data_bool: `count` bytes. With data_eventfd: no bytes, and `count` descriptors or none.
struct IrqSet {
    static constexpr std::uint32_t data_none = 1;
    static constexpr std::uint32_t data_bool = 2;
    static constexpr std::uint32_t data_eventfd = 4;
    static constexpr std::uint32_t data_mask = 7;
    static constexpr std::uint32_t action_mask = 8;
    static constexpr std::uint32_t action_unmask = 16;
    static constexpr std::uint32_t action_trigger = 32;
    static constexpr std::uint32_t actions = 56;
    std::uint32_t argsz = 20;
    std::uint32_t flags = 0;
    std::uint32_t index = 0;
    std::uint32_t start = 0;
    std::uint32_t count = 0;
};

/// REGION_READ and REGION_WRITE, request and reply; the side that has the data puts it behind.
struct RegionAccess {
    std::uint64_t offset = 0;
    std::uint32_t region = 0;
    std::uint32_t count = 0;
};

/// DMA_READ and DMA_WRITE, alike.
struct DmaAccess {
    std::uint64_t address = 0;
    std::uint64_t count = 0;
};

struct WriteMultiHead {
    std::uint64_t count = 0; ///< of WriteOne behind it; in the reply: of those done
};

struct WriteOne {
    std::uint64_t offset = 0;
    std::uint32_t region = 0;
    std::uint32_t count = 0; ///< 8 at most
    std::uint8_t data[8] = {};
};

struct Feature {
    std::uint32_t argsz = 8;
    std::uint32_t flags = 0;
};

/// MIG_DATA_READ and MIG_DATA_WRITE.
struct MigrationData {
    std::uint32_t argsz = 8;
    std::uint32_t size = 0; ///< bytes of data, behind it in the message that has them
};

static_assert(sizeof(Header) == 16 && sizeof(VersionHead) == 4 && sizeof(DmaMap) == 32);
static_assert(sizeof(DmaUnmap) == 24 && sizeof(DeviceInfo) == 16 && sizeof(RegionInfo) == 32);
static_assert(sizeof(SparseMmap) == 16 && sizeof(SparseArea) == 16 && sizeof(IrqInfo) == 16);
static_assert(sizeof(IrqSet) == 20 && sizeof(RegionAccess) == 16 && sizeof(DmaAccess) == 16);
static_assert(sizeof(WriteOne) == 24 && sizeof(RegionIoFds) == 16 && sizeof(Feature) == 8);

/// Indices of regions and interrupts beyond those of lib/device.
inline constexpr std::uint32_t config_region = 7;
inline constexpr std::uint32_t vga_region = 8;
inline constexpr std::uint32_t region_indices = 9;
inline constexpr std::uint32_t irq_indices = 5;

/// What a side accepts; the values that a peer has when it says nothing are Limits{}.
struct Limits {
    std::uint32_t max_msg_fds = 1;
    std::uint64_t max_data_xfer_size = 1 << 20; ///< bytes
    std::uint64_t max_dma_maps = 65535;
};

/// The shape of one command: bytes behind the header, in the request and in a reply that is no error.
/// `more` and `reply_more`: at most that many bytes may follow; the constants below stand for a limit.
struct Shape {
    Command command;
    const char* name;
    Sender sender;
    std::uint32_t size;
    std::uint32_t more;
    std::uint32_t reply_size;
    std::uint32_t reply_more;
    bool fds; ///< a request may bring descriptors
};

inline constexpr std::uint32_t up_to_data = 0xffffffff; ///< the negotiated max_data_xfer_size
inline constexpr std::uint32_t max_json = 16384;        ///< more than any peer sends
inline constexpr std::uint32_t max_info = 65536;        ///< of capabilities and other lists
inline constexpr std::uint32_t max_writes = 24 * 256;   ///< of REGION_WRITE_MULTI's entries
inline constexpr std::uint32_t max_vectors = 4096;      ///< of IrqSet's bytes

/// The shapes of all commands, in the order of their numbers.
std::span<const Shape> shapes() noexcept;

/// Null: no such command.
const Shape* shape(std::uint16_t command) noexcept;

/// "DMA_MAP", …; "unknown".
const char* name(std::uint16_t command) noexcept;

/// `value`'s bytes.
template <typename T>
std::span<const std::byte> bytes_of(const T& value) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_bytes(std::span(&value, 1));
}

/// The struct at `offset` of `bytes`, which hold it.
template <typename T>
T take(std::span<const std::byte> bytes, std::size_t offset = 0) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(static_cast<void*>(&value), bytes.data() + offset, sizeof value);
    return value;
}

} // namespace sluice::inline v1::vfio_user
