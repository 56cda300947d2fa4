// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The front-end's memory in a back-end: two translations, each bounded by its region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/shared_memory.hpp>
#include <sluice/vhost_user/messages.hpp>

namespace sluice::inline v1::vhost_user {

class MemoryTable {
  public:
    MemoryTable() noexcept = default;

    /// Maps all regions, or none. The descriptors are of no use afterwards. EINVAL: an empty region, one that
    /// wraps, one that overlaps another, or one that its file does not hold. ENOTSUP: a file that is not in
    /// memory. Others as mmap. `wake` is signalled when memory turns out to be gone; it outlives this.
    static Result<MemoryTable> map(std::span<const MemoryRegion> regions, std::span<const UniqueFd> fds,
                                   int wake = -1);

    /// A stretch of guest addresses and where it is here.
    struct Window {
        std::uint64_t first = 0;
        std::uint64_t size = 0; ///< 0: none
        std::byte* data = nullptr;
    };
    /// The region that holds guest address `address`.
    Window guest(std::uint64_t address) const noexcept;

    /// All of [address, address + size) of the front-end's own addresses, at a multiple of `alignment`; null:
    /// it is not.
    std::byte* user(std::uint64_t address, std::uint64_t size, std::uint64_t alignment) const noexcept;

    /// The front-end took some of it back; zeroes are there now. Known to who handles bus errors
    /// (sluice/base/bus_error.hpp).
    bool is_gone() const noexcept;

    std::size_t regions() const noexcept { return mapped_.size(); }

  private:
    struct Mapped {
        MemoryRegion region;
        SharedMemory memory;
    };
    std::vector<Mapped> mapped_;
};

} // namespace sluice::inline v1::vhost_user
