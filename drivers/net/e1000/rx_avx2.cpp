// SPDX-License-Identifier: BSD-3-Clause
// The receive loop for CPUs with AVX2; chosen at queue start.
#include <immintrin.h>

#include "rx.hpp"

namespace sluice::inline v1::e1000 {
namespace {

[[gnu::target("avx2")]] inline __m256i load(const void* at) noexcept {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}
[[gnu::target("avx2")]] inline void store(void* at, __m256i value) noexcept {
    _mm256_storeu_si256(static_cast<__m256i*>(at), value);
}
[[gnu::target("avx2")]] inline void store(void* at, __m128i value) noexcept {
    _mm_storeu_si128(static_cast<__m128i*>(at), value);
}
[[gnu::target("avx2")]] inline __m256i all(std::uint64_t value) noexcept {
    return _mm256_set1_epi64x(static_cast<long long>(value));
}

} // namespace

[[gnu::target("avx2")]] void RxQueue::groups_avx2(Cursor& cursor) noexcept {
    const std::uint32_t count = cursor.whole_groups(size_);
    Descriptor* descriptor = descriptors_ + cursor.slot;
    Descriptor* const end = descriptor + count;
    rte_mbuf** slot = mbufs_ + cursor.slot;
    rte_mbuf** packet = cursor.packets + cursor.done;
    void** fresh = cursor.fresh;

    const __m256i one = all(1);
    const __m256i expected = all(rx_done_whole);
    const __m256i mask = all(fail_mask_);
    const __m256i from_mbuf = all(from_mbuf_);
    const __m256i length_bits = all(RxWord::Length::mask);
    const __m256i zero = _mm256_setzero_si256();
    // data_off, refcnt, nb_segs, port; no flags.
    const __m128i rearm = _mm_set_epi64x(0, static_cast<long long>(rearm_));
    // The word is the upper half of a descriptor: its length becomes pkt_len and data_len; all else is 0.
    const __m256i fields = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, -1, -1, -1, 8, 9, -1, -1, 8, 9, -1, -1, -1, -1, -1, -1));
    __m256i bytes = zero;

    for (; descriptor != end; descriptor += 4, slot += 4, packet += 4) {
        __m256i d01 = load(descriptor);
        __m256i d23 = load(descriptor + 2);
        asm volatile("" : "+x"(d01), "+x"(d23)); // read once
        const __m256i words = _mm256_unpackhi_epi64(d01, d23);
        if (_mm256_testz_si256(_mm256_xor_si256(_mm256_sub_epi64(words, one), expected), mask) == 0)
            break;
        std::byte* const m0 = reinterpret_cast<std::byte*>(slot[0]);
        std::byte* const m1 = reinterpret_cast<std::byte*>(slot[1]);
        std::byte* const m2 = reinterpret_cast<std::byte*>(slot[2]);
        std::byte* const m3 = reinterpret_cast<std::byte*>(slot[3]);
        store(packet, load(slot));
        fresh -= 4;
        const __m256i next = load(fresh);
        store(slot, next);
        const __m256i address = _mm256_add_epi64(next, from_mbuf);
        const __m256i even = _mm256_unpacklo_epi64(address, zero);
        const __m256i uneven = _mm256_unpackhi_epi64(address, zero);
        store(descriptor, _mm256_permute2x128_si256(even, uneven, 0x20));
        store(descriptor + 2, _mm256_permute2x128_si256(even, uneven, 0x31));

        constexpr std::size_t rearm_at = offsetof(rte_mbuf, rearm_data);
        constexpr std::size_t fields_at = offsetof(rte_mbuf, packet_type);
        static_assert(offsetof(rte_mbuf, ol_flags) == rearm_at + 8);
        const __m256i f01 = _mm256_shuffle_epi8(d01, fields);
        const __m256i f23 = _mm256_shuffle_epi8(d23, fields);
        store(m0 + rearm_at, rearm);
        store(m1 + rearm_at, rearm);
        store(m2 + rearm_at, rearm);
        store(m3 + rearm_at, rearm);
        store(m0 + fields_at, _mm256_castsi256_si128(f01));
        store(m1 + fields_at, _mm256_extracti128_si256(f01, 1));
        store(m2 + fields_at, _mm256_castsi256_si128(f23));
        store(m3 + fields_at, _mm256_extracti128_si256(f23, 1));
        bytes = _mm256_add_epi64(bytes, _mm256_and_si256(words, length_bits));
    }
    const __m128i pair = _mm_add_epi64(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    const auto sum = static_cast<std::uint64_t>(_mm_extract_epi64(pair, 0) + _mm_extract_epi64(pair, 1));
    cursor.moved(static_cast<std::uint32_t>(slot - mbufs_) - cursor.slot, size_, fresh, sum);
}

} // namespace sluice::inline v1::e1000
