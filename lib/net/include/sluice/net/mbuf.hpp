// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What drivers share about mbufs: addresses by arithmetic, and the pool's cache used in place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <sluice/base/error.hpp>
#include <sluice/base/iova.hpp>

namespace sluice::inline v1::net {

/// Whether queues that start now use AVX2: the CPU has it, and nobody forbade it.
bool use_avx2() noexcept;
/// Allows (the default) or forbids AVX2 to queues that start later, to compare or to test. Any thread.
void allow_avx2(bool on) noexcept;

/// How a device finds the buffers of one pool.
struct PoolAddressing {
    /// From an mbuf's address to the IOVA of its first data byte (after the headroom), the same for every
    /// mbuf of the pool. Nothing when the pool's memory lies in pieces: then each mbuf's own buf_iova plus
    /// `iova_offset` is used.
    std::optional<std::uint64_t> from_mbuf;
    std::uint64_t iova_offset = 0;
    std::uint16_t room = 0; ///< bytes behind the headroom
};

/// Looks at all memory of `pool`. `iova_offset` is dma::EalMemory's. EINVAL when the pool has no IOVA.
Result<PoolAddressing> pool_addressing(rte_mempool* pool, std::uint64_t iova_offset);

struct CacheDeleter {
    rte_mempool* pool = nullptr;
    void operator()(rte_mempool_cache* cache) const noexcept;
};
/// A cache of one queue, for threads that EAL gives none. Its mbufs go back to the pool with it.
using OwnCache = std::unique_ptr<rte_mempool_cache, CacheDeleter>;
Result<OwnCache> make_cache(rte_mempool* pool, int numa_node);

/// Brings `cache` to `want` mbufs and more, as far as the pool has them. Not for the hot path.
void fill_cache(rte_mempool* pool, rte_mempool_cache& cache, std::uint32_t want) noexcept;

/// The calling lcore's cache of `pool`, or `own` for a thread without one.
inline rte_mempool_cache& cache_of(rte_mempool* pool, const OwnCache& own) noexcept {
    rte_mempool_cache* cache = rte_mempool_default_cache(pool, rte_lcore_id());
    return cache != nullptr ? *cache : *own;
}

} // namespace sluice::inline v1::net
