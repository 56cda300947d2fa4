// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Memory that a driver shares with its device: descriptor rings and control blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>
#include <sluice/dma/eal_memory.hpp>

struct rte_memzone;

namespace sluice::inline v1::dma {

struct RegionOptions {
    std::size_t alignment = 128; ///< of address and IOVA, in bytes: a power of two
    int numa_node = -1;          ///< preferred; −1: any
};

/// Owns one piece of EAL's memory, zeroed, contiguous for the CPU and for the device. It holds the EalMemory
/// that it came with, so that it stays mapped. Move-only; any thread, one at a time.
class DmaRegion {
  public:
    /// EINVAL: size 0, or an alignment that is no power of two. ENOMEM: EAL has no such piece left.
    static Result<DmaRegion> allocate(const EalMemory& memory, std::size_t size,
                                      const RegionOptions& options = {});

    DmaRegion(DmaRegion&& other) noexcept;
    DmaRegion& operator=(DmaRegion&& other) noexcept;
    ~DmaRegion();

    std::byte* data() const noexcept { return memory_.data(); }
    std::size_t size() const noexcept { return memory_.size(); }
    std::span<std::byte> span() const noexcept { return memory_; }

    /// Where the device finds byte `offset`.
    Iova iova(std::size_t offset = 0) const noexcept { return iova_ + offset; }

    /// The region as an array of `T`, from its start.
    template <typename T>
    std::span<T> as() const noexcept {
        return {reinterpret_cast<T*>(memory_.data()), memory_.size() / sizeof(T)};
    }

  private:
    DmaRegion(EalMemory memory, const rte_memzone* zone, std::span<std::byte> bytes, Iova iova) noexcept
        : eal_(std::move(memory))
        , zone_(zone)
        , memory_(bytes)
        , iova_(iova) {}
    void release() noexcept;

    EalMemory eal_;
    const rte_memzone* zone_;
    std::span<std::byte> memory_;
    Iova iova_;
};

} // namespace sluice::inline v1::dma
