// SPDX-License-Identifier: BSD-3-Clause
#include "hugepages.hpp"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include <sluice/pci/hugepages.hpp>

#include "report.hpp"

namespace sluice::devbind {

namespace {

using Pools = std::vector<pci::HugepagePool>;

// The smallest pages of the node, or none.
Pools::iterator pool_on(Pools& pools, const HugepageWish& wish, int usual_node) {
    if (wish.node)
        return std::ranges::find(pools, *wish.node, &pci::HugepagePool::node);
    auto usual = std::ranges::find(pools, usual_node, &pci::HugepagePool::node);
    return usual != pools.end() ? usual : pools.begin();
}

int judge(const pci::HugepagePool& pool, const HugepageWish& wish, std::ostream& err) {
    std::uint64_t mib = pool.reserved_bytes() >> 20;
    if (pool.reserved_bytes() < wish.bytes) {
        err << fmt::format(
            "sluice-devbind: --hugepages: {} of {} MiB could be reserved, memory is fragmented or full; "
            "reserve them when the system starts (kernel's command line: hugepages={})\n",
            mib, wish.bytes >> 20, wish.bytes / pool.page_size);
        return exit_refused;
    }
    if (pool.reserved_bytes() >= wish.bytes + pool.page_size)
        err << fmt::format("Notice: {} MiB stay reserved: they are in use\n", mib);
    return exit_done;
}

} // namespace

int hugepages(const Options& options, Context& context, int usual_node) {
    const HugepageWish& wish = *options.hugepages;
    Pools pools = pci::hugepage_pools(context.sysfs);
    auto pool = pool_on(pools, wish, usual_node);
    if (pool == pools.end()) {
        context.err << (wish.node ? fmt::format("sluice-devbind: --hugepages: no NUMA node {} has any\n",
                                                *wish.node)
                                  : "sluice-devbind: --hugepages: this kernel has none\n");
        return exit_wrong;
    }
    int code = exit_done;
    if (!wish.show && options.dry_run) {
        context.out << fmt::format("would reserve {} MiB on node {}\n", wish.bytes >> 20, pool->node);
    } else if (!wish.show) {
        auto reserved = pci::reserve_hugepages(context.sysfs, *pool, wish.bytes, context.writer);
        if (!reserved) {
            context.err << "sluice-devbind: " << reserved.error().message() << '\n';
            return exit_wrong;
        }
        *pool = *reserved;
        code = judge(*pool, wish, context.err);
    }
    if (!options.json)
        context.out << hugepages_text(pools);
    return code;
}

} // namespace sluice::devbind
