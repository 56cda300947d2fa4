// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/net/mbuf.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include <rte_cpuflags.h>

namespace sluice::inline v1::net {
namespace {

struct Pieces {
    std::uint64_t offset = 0; ///< IOVA less pointer
    unsigned count = 0;
    bool same = true;
    bool bad = false;
};

void look(rte_mempool*, void* opaque, rte_mempool_memhdr* memory, unsigned) {
    auto& pieces = *static_cast<Pieces*>(opaque);
    const std::uint64_t offset = memory->iova - reinterpret_cast<std::uintptr_t>(memory->addr);
    pieces.bad = pieces.bad || memory->iova == RTE_BAD_IOVA;
    pieces.same = pieces.same && (pieces.count == 0 || offset == pieces.offset);
    pieces.offset = offset;
    ++pieces.count;
}

} // namespace

namespace {

std::atomic<bool> avx2_allowed{true};

} // namespace

void allow_avx2(bool on) noexcept {
    avx2_allowed.store(on);
}

bool use_avx2() noexcept {
#if defined(__x86_64__)
    return avx2_allowed.load() && rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0;
#else
    return false;
#endif
}

Result<PoolAddressing> pool_addressing(rte_mempool* pool, std::uint64_t iova_offset) {
    Pieces pieces;
    rte_mempool_mem_iter(pool, look, &pieces);
    if (pieces.count == 0 || pieces.bad)
        return fail(EINVAL, "a pool's memory has no IOVA: devices cannot reach its mbufs", pool->name);
    PoolAddressing addressing;
    addressing.iova_offset = iova_offset;
    addressing.room = static_cast<std::uint16_t>(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
    if (pieces.same)
        addressing.from_mbuf = pieces.offset + iova_offset + sizeof(rte_mbuf) + rte_pktmbuf_priv_size(pool) +
                               RTE_PKTMBUF_HEADROOM;
    return addressing;
}

void CacheDeleter::operator()(rte_mempool_cache* cache) const noexcept {
    rte_mempool_cache_flush(cache, pool);
    rte_mempool_cache_free(cache);
}

Result<OwnCache> make_cache(rte_mempool* pool, int numa_node) {
    rte_mempool_cache* cache = rte_mempool_cache_create(64, numa_node < 0 ? SOCKET_ID_ANY : numa_node);
    if (cache == nullptr)
        return fail(ENOMEM, "no memory for a queue's cache of mbufs", pool->name);
    return OwnCache(cache, CacheDeleter{pool});
}

void fill_cache(rte_mempool* pool, rte_mempool_cache& cache, std::uint32_t want) noexcept {
    const auto take = [&](std::uint32_t count) {
        if (rte_mempool_generic_get(pool, cache.objs + cache.len, count, nullptr) != 0)
            return false;
        cache.len += count;
        return true;
    };
    if (cache.len >= want || take(want - cache.len + cache.size / 2))
        return;
    // Nearly empty: what is needed, then what is there.
    for (std::uint32_t step = want - cache.len; step != 0 && cache.len < want;) {
        step = std::min(step, want - cache.len);
        if (!take(step))
            step /= 2;
    }
}

} // namespace sluice::inline v1::net
