// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Memory that EAL does not own, made reachable for devices.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>
#include <sluice/device/address_space.hpp>

namespace sluice::inline v1::dma {

/// Memory of the caller's, mapped in one space until this ends. Move-only. The caller keeps the memory alive,
/// and gives it to no device afterwards.
class Attachment {
  public:
    Attachment(Attachment&& other) noexcept;
    Attachment& operator=(Attachment&& other) noexcept;
    ~Attachment();

    std::span<std::byte> span() const noexcept { return memory_; }

    /// Where a device finds byte `offset`.
    Iova iova(std::size_t offset = 0) const noexcept { return iova_ + offset; }

    /// What byte `offset` is for EAL: the buf_iova of an external mbuf (rte_pktmbuf_attach_extbuf), to which
    /// drivers add the space's iova_offset().
    std::uint64_t eal_iova(std::size_t offset = 0) const noexcept {
        return iova_.value - space_->iova_offset() + offset;
    }

  private:
    friend Result<Attachment> attach(std::shared_ptr<device::AddressSpace>, std::span<std::byte>,
                                     device::DmaAccess);
    Attachment(std::shared_ptr<device::AddressSpace> space, std::span<std::byte> memory, Iova iova,
               bool registered) noexcept
        : space_(std::move(space))
        , memory_(memory)
        , iova_(iova)
        , registered_(registered) {}
    void release() noexcept;

    std::shared_ptr<device::AddressSpace> space_;
    std::span<std::byte> memory_;
    Iova iova_;
    bool registered_;
};

/// Maps `memory` into `space`, and tells EAL of it (rte_extmem_register), so that mempools can be made in it
/// and rte_mem_virt2iova() knows it. The IOVA is the one that EAL knows already, or the memory's own address,
/// or, where the IOMMU is too narrow for that, a free one. EINVAL: not whole pages. EEXIST: attached already,
/// or EAL's own memory: EalMemory maps that. Others as AddressSpace::map. EAL must be initialised.
Result<Attachment> attach(std::shared_ptr<device::AddressSpace> space, std::span<std::byte> memory,
                          device::DmaAccess access = device::DmaAccess::read_write);

} // namespace sluice::inline v1::dma
