// SPDX-License-Identifier: BSD-3-Clause
// The transmit loop for CPUs with AVX2; chosen at queue start.
#include <immintrin.h>

#include "tx.hpp"

namespace sluice::inline v1::e1000 {
namespace {

[[gnu::target("avx2")]] inline __m256i load(const void* at) noexcept {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}
[[gnu::target("avx2")]] inline void store(void* at, __m256i value) noexcept {
    _mm256_storeu_si256(static_cast<__m256i*>(at), value);
}
[[gnu::target("avx2")]] inline __m256i all(std::uint64_t value) noexcept {
    return _mm256_set1_epi64x(static_cast<long long>(value));
}

// The two halves of an mbuf's first line that are looked at, as four words of 64 bits each.
static_assert(offsetof(rte_mbuf, buf_iova) == 8 && offsetof(rte_mbuf, rearm_data) == 16 &&
              offsetof(rte_mbuf, ol_flags) == 24);
static_assert(offsetof(rte_mbuf, data_len) == 40 && offsetof(rte_mbuf, pool) == 56);

} // namespace

[[gnu::target("avx2")]] std::uint32_t TxQueue::groups_avx2(rte_mbuf* const* from, std::uint32_t count,
                                                           std::uint32_t start, const rte_mempool* pool,
                                                           std::uint64_t& bytes) noexcept {
    Descriptor* descriptor = descriptors_ + start;
    rte_mbuf** slot = mbufs_ + start;
    rte_mbuf* const* const end = from + (count & ~3u);

    const __m256i offset = all(iova_offset_);
    const __m256i expected_pool = all(reinterpret_cast<std::uintptr_t>(pool));
    const __m256i plain = all(tx_plain_rearm);
    const __m256i plain_bits = all(tx_plain_mask);
    const __m256i foreign = all(tx_foreign_buffer);
    const __m256i low16 = all(0xffff);
    const __m256i shortest = all(tx_shortest_frame);
    const __m256i long_bits = all(~(tx_inline_lengths - 1));
    const __m256i command = all(tx_whole_frame);
    __m256i sum = _mm256_setzero_si256();

    for (; from != end; from += 4, descriptor += 4, slot += 4) {
        const auto* const m0 = reinterpret_cast<const std::byte*>(from[0]);
        const auto* const m1 = reinterpret_cast<const std::byte*>(from[1]);
        const auto* const m2 = reinterpret_cast<const std::byte*>(from[2]);
        const auto* const m3 = reinterpret_cast<const std::byte*>(from[3]);
        const __m256i a0 = load(m0), a1 = load(m1), a2 = load(m2), a3 = load(m3);
        const __m256i b0 = load(m0 + 32), b1 = load(m1 + 32), b2 = load(m2 + 32), b3 = load(m3 + 32);
        const __m256i high_a01 = _mm256_unpackhi_epi64(a0, a1); // iova iova flags flags
        const __m256i high_a23 = _mm256_unpackhi_epi64(a2, a3);
        const __m256i low_a01 = _mm256_unpacklo_epi64(a0, a1); // addr addr rearm rearm
        const __m256i low_a23 = _mm256_unpacklo_epi64(a2, a3);
        const __m256i high_b01 = _mm256_unpackhi_epi64(b0, b1); // length length pool pool
        const __m256i high_b23 = _mm256_unpackhi_epi64(b2, b3);
        const __m256i rearm = _mm256_permute2x128_si256(low_a01, low_a23, 0x31);
        const __m256i flags = _mm256_permute2x128_si256(high_a01, high_a23, 0x31);
        const __m256i pools = _mm256_permute2x128_si256(high_b01, high_b23, 0x31);
        const __m256i iova = _mm256_permute2x128_si256(high_a01, high_a23, 0x20);
        const __m256i length = _mm256_and_si256(_mm256_permute2x128_si256(high_b01, high_b23, 0x20), low16);

        const __m256i unusual =
            _mm256_or_si256(_mm256_or_si256(_mm256_and_si256(_mm256_xor_si256(rearm, plain), plain_bits),
                                            _mm256_and_si256(flags, foreign)),
                            _mm256_or_si256(_mm256_xor_si256(pools, expected_pool),
                                            _mm256_and_si256(_mm256_sub_epi64(length, shortest), long_bits)));
        if (_mm256_testz_si256(unusual, unusual) == 0)
            break;

        const __m256i address =
            _mm256_add_epi64(_mm256_add_epi64(iova, offset), _mm256_and_si256(rearm, low16));
        const __m256i word = _mm256_or_si256(length, command);
        const __m256i even = _mm256_unpacklo_epi64(address, word);
        const __m256i uneven = _mm256_unpackhi_epi64(address, word);
        store(descriptor, _mm256_permute2x128_si256(even, uneven, 0x20));
        store(descriptor + 2, _mm256_permute2x128_si256(even, uneven, 0x31));
        store(slot, load(from));
        sum = _mm256_add_epi64(sum, length);
    }
    const __m128i pair = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    bytes += static_cast<std::uint64_t>(_mm_extract_epi64(pair, 0) + _mm_extract_epi64(pair, 1));
    return static_cast<std::uint32_t>(slot - mbufs_) - start;
}

} // namespace sluice::inline v1::e1000
