// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The kernel's pools of hugepages.
#pragma once

#include <cstdint>
#include <vector>

#include <sluice/pci/bind.hpp>

namespace sluice::inline v1::pci {

/// Pages of one size on one NUMA node.
struct HugepagePool {
    int node = -1;               ///< −1 on a system that lists no nodes
    std::uint64_t page_size = 0; ///< bytes
    std::uint64_t reserved = 0;  ///< pages
    std::uint64_t free = 0;      ///< pages, of those reserved

    std::uint64_t reserved_bytes() const noexcept { return reserved * page_size; }
    std::uint64_t free_bytes() const noexcept { return free * page_size; }
};

/// All pools, by node and page size.
std::vector<HugepagePool> hugepage_pools(const Sysfs& sysfs);

/// Makes the pool of `pool`'s node and page size hold `bytes`, rounded up to whole pages; fewer than before
/// is allowed, and pages in use stay. The pool afterwards: where memory is fragmented it holds less than
/// was asked for. Fails with the write's errno.
Result<HugepagePool> reserve_hugepages(const Sysfs& sysfs, const HugepagePool& pool, std::uint64_t bytes,
                                       SysfsWriter& writer = kernel_writer());

} // namespace sluice::inline v1::pci
