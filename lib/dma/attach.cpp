// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/dma/attach.hpp>

#include <rte_errno.h>
#include <rte_memory.h>

#include <cerrno>
#include <utility>
#include <vector>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::dma {

namespace {

constexpr std::uint64_t page = 4096;

/// Tells EAL of memory that is mapped at `eal_iova`. False if EAL knew it already, or would not take it.
bool register_with_eal(std::span<std::byte> memory, std::uint64_t eal_iova) {
    std::vector<rte_iova_t> iovas(memory.size() / page);
    for (std::size_t i = 0; i < iovas.size(); ++i)
        iovas[i] = eal_iova + i * page;
    if (rte_extmem_register(memory.data(), memory.size(), iovas.data(), static_cast<unsigned>(iovas.size()),
                            page) == 0)
        return true;
    if (rte_errno != EEXIST)
        log(LogLevel::warning, Error(rte_errno, "cannot register memory with EAL").message());
    return false;
}

} // namespace

Result<Attachment> attach(std::shared_ptr<device::AddressSpace> space, std::span<std::byte> memory,
                          device::DmaAccess access) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    if (memory.empty() || ((address | memory.size()) & (page - 1)) != 0)
        return fail(EINVAL, "cannot attach memory that is not whole pages");
    const rte_memseg_list* list = rte_mem_virt2memseg_list(memory.data());
    if (list != nullptr && list->external == 0)
        return fail(EEXIST, "cannot attach memory that is EAL's own: it is mapped already");
    const rte_memseg* segment = list != nullptr ? rte_mem_virt2memseg(memory.data(), list) : nullptr;
    const bool known = segment != nullptr && segment->iova != RTE_BAD_IOVA;

    const std::uint64_t within = segment != nullptr ? address - segment->addr_64 : 0;
    Iova iova{(known ? segment->iova + within : address) + space->iova_offset()};
    auto mapped = space->map(iova, memory, access);
    if (!mapped && mapped.error().code() == EINVAL && !known) {
        const auto free = space->find_free(memory.size());
        if (!free)
            return propagate(std::move(mapped));
        iova = *free;
        mapped = space->map(iova, memory, access);
    }
    if (!mapped)
        return propagate(std::move(mapped));
    const bool registered = list == nullptr && register_with_eal(memory, iova.value - space->iova_offset());
    return Attachment(std::move(space), memory, iova, registered);
}

Attachment::Attachment(Attachment&& other) noexcept
    : space_(std::move(other.space_))
    , memory_(std::exchange(other.memory_, {}))
    , iova_(other.iova_)
    , registered_(std::exchange(other.registered_, false)) {}

Attachment& Attachment::operator=(Attachment&& other) noexcept {
    if (this != &other) {
        release();
        space_ = std::move(other.space_);
        memory_ = std::exchange(other.memory_, {});
        iova_ = other.iova_;
        registered_ = std::exchange(other.registered_, false);
    }
    return *this;
}

Attachment::~Attachment() {
    release();
}

void Attachment::release() noexcept {
    if (!space_)
        return;
    if (registered_)
        rte_extmem_unregister(memory_.data(), memory_.size());
    auto done = space_->unmap(iova_, memory_.size());
    if (!done)
        log(LogLevel::warning, done.error().message());
    space_.reset();
}

} // namespace sluice::inline v1::dma
