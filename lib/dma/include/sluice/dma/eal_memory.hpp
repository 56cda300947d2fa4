// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// EAL's memory in an address space.
#pragma once

#include <cstdint>
#include <memory>

#include <sluice/base/error.hpp>
#include <sluice/device/address_space.hpp>

namespace sluice::inline v1::dma {

/// Holds all memory of EAL mapped in one address space, at EAL's own IOVA plus the space's iova_offset(),
/// including memory that EAL adds later. However many hold it for a space, the memory is mapped once; it is
/// unmapped with the last holder. EAL must be initialised, and stay so meanwhile.
/// Copyable; each copy is a holder. Threading: any thread.
class EalMemory {
  public:
    /// EINVAL: EAL's IOVAs do not fit the IOMMU, or EAL has none (run it with --iova-mode=va). ENOMEM:
    /// RLIMIT_MEMLOCK; the error says limit and need. Others as AddressSpace::map.
    static Result<EalMemory> subscribe(const std::shared_ptr<device::AddressSpace>& space);

    const std::shared_ptr<device::AddressSpace>& space() const noexcept;

    /// What to add to rte_mbuf_iova_get(), rte_mem_virt2iova() or a memzone's iova to get what the device
    /// uses.
    std::uint64_t iova_offset() const noexcept;

    /// Pieces of memory that EAL added later and that could not be mapped; a log line told why. A device that
    /// is given such memory takes a DMA fault.
    std::uint64_t failures() const noexcept;

    /// False with --no-huge and --legacy-mem, where EAL tells no changes: what it had at first is mapped.
    bool follows_changes() const noexcept;

  private:
    class Subscriber;
    explicit EalMemory(std::shared_ptr<Subscriber> subscriber) noexcept
        : subscriber_(std::move(subscriber)) {}

    std::shared_ptr<Subscriber> subscriber_;
};

} // namespace sluice::inline v1::dma
