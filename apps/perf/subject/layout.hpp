// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Which memory is what, so that who counts lines can count them by kind.
#pragma once

#include <cstdio>

struct rte_mempool;

namespace sluice::perf::subject {

/// Writes lines `range KIND FIRST SIZE STRIDE COUNT` (hexadecimal but COUNT): COUNT pieces of SIZE bytes,
/// STRIDE apart. The first range that holds an address says what it is. Kinds: mbuf0, mbuf1 (an mbuf's two
/// lines), payload, pool (its cache, ring and elements' headers), descriptor, device, stack, image (the
/// program's own and its libraries'); what is in none of them is the drivers' own.
void print_layout(std::FILE* out, rte_mempool* pool);

/// Has the counting plugin watch the words that each operation on the pool writes: the calling lcore's
/// cache's length, and the ring's two tails.
void watch_pool(rte_mempool* pool) noexcept;

} // namespace sluice::perf::subject
