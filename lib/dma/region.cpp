// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/dma/region.hpp>

#include <rte_errno.h>
#include <rte_memzone.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

namespace sluice::inline v1::dma {

namespace {

const rte_memzone* reserve(std::size_t size, int socket, std::size_t alignment) {
    static std::atomic<std::uint64_t> next{0};
    char name[RTE_MEMZONE_NAMESIZE];
    static_cast<void>(
        std::snprintf(name, sizeof name, "sluice-%llu", static_cast<unsigned long long>(next.fetch_add(1))));
    return rte_memzone_reserve_aligned(name, size, socket, RTE_MEMZONE_IOVA_CONTIG,
                                       static_cast<unsigned>(alignment));
}

} // namespace

Result<DmaRegion> DmaRegion::allocate(const EalMemory& memory, std::size_t size,
                                      const RegionOptions& options) {
    if (size == 0 || !std::has_single_bit(options.alignment) ||
        options.alignment > std::numeric_limits<unsigned>::max())
        return fail(EINVAL, "cannot allocate DMA memory of no size, or aligned to no power of two");
    const int socket = options.numa_node < 0 ? SOCKET_ID_ANY : options.numa_node;
    const rte_memzone* zone = reserve(size, socket, options.alignment);
    if (zone == nullptr && socket != SOCKET_ID_ANY)
        zone = reserve(size, SOCKET_ID_ANY, options.alignment);
    if (zone == nullptr)
        return fail(rte_errno != 0 ? rte_errno : ENOMEM,
                    "cannot allocate DMA memory from EAL: reserve more hugepages, or give EAL more with -m",
                    std::to_string(size) + " bytes");
    std::memset(zone->addr, 0, size);
    return DmaRegion(memory, zone, {static_cast<std::byte*>(zone->addr), size},
                     Iova{zone->iova + memory.iova_offset()});
}

DmaRegion::DmaRegion(DmaRegion&& other) noexcept
    : eal_(std::move(other.eal_))
    , zone_(std::exchange(other.zone_, nullptr))
    , memory_(std::exchange(other.memory_, {}))
    , iova_(other.iova_) {}

DmaRegion& DmaRegion::operator=(DmaRegion&& other) noexcept {
    if (this != &other) {
        release();
        eal_ = std::move(other.eal_);
        zone_ = std::exchange(other.zone_, nullptr);
        memory_ = std::exchange(other.memory_, {});
        iova_ = other.iova_;
    }
    return *this;
}

DmaRegion::~DmaRegion() {
    release();
}

void DmaRegion::release() noexcept {
    if (zone_ != nullptr)
        rte_memzone_free(std::exchange(zone_, nullptr));
}

} // namespace sluice::inline v1::dma
