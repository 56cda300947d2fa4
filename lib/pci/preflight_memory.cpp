// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>

#include <sluice/pci/hugepages.hpp>
#include <sluice/pci/preflight.hpp>

#include "access.hpp"
#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = kib * 1024;

// Below this no useful pool of buffers can be mapped.
constexpr std::uint64_t least_memory = 64 * mib;

std::string amount(std::uint64_t bytes) {
    return bytes % mib == 0 ? fmt::format("{} MiB", bytes / mib) : fmt::format("{} KiB", bytes / kib);
}

struct NodePages {
    int node = -1; ///< −1 on a system that lists no nodes
    std::uint64_t reserved = 0;
    std::uint64_t free = 0;
};

// Of all page sizes together.
std::vector<NodePages> pages_by_node(const Sysfs& sysfs) {
    std::vector<NodePages> found;
    for (const auto& pool : hugepage_pools(sysfs)) {
        if (found.empty() || found.back().node != pool.node)
            found.push_back({pool.node});
        found.back().reserved += pool.reserved_bytes();
        found.back().free += pool.free_bytes();
    }
    if (found.empty())
        found.emplace_back();
    return found;
}

std::string reserve_command(int node, std::uint64_t bytes) {
    std::uint64_t wanted = (std::max(bytes, least_memory) + mib - 1) / mib;
    return fmt::format("reserve some as root: sluice-devbind --hugepages {}M{}, or go without by --no-huge",
                       wanted, node < 0 ? "" : fmt::format("@{}", node));
}

Check check_memlock(const Environment& environment) {
    constexpr std::string_view id = "memlock";
    if (environment.may_lock || environment.memlock == Environment::no_limit)
        return {id, Verdict::ok, "the memory that may be locked has no limit here", {}};
    std::uint64_t needed = environment.memory != 0 ? environment.memory : least_memory;
    if (environment.memlock >= needed)
        return {id, Verdict::ok, fmt::format("{} may be locked", amount(environment.memlock)), {}};
    std::string cause = fmt::format("at most {} may be locked in memory, and {} {} to be mapped for DMA",
                                    amount(environment.memlock),
                                    environment.memory != 0 ? amount(needed) : "more than that", "has");
    return {id, environment.memory != 0 ? Verdict::blocks : Verdict::warning, std::move(cause),
            "raise the limit: ulimit -l in a root shell, LimitMEMLOCK= in the unit, or memlock in "
            "/etc/security/limits.d"};
}

Check check_hugepages(const Sysfs& sysfs, const Environment& environment, int node) {
    constexpr std::string_view id = "hugepages";
    auto nodes = pages_by_node(sysfs);
    NodePages all;
    const NodePages* near = nullptr;
    for (const auto& one : nodes) {
        all.reserved += one.reserved;
        all.free += one.free;
        if (one.node == node)
            near = &one;
    }
    int wanted_node = near != nullptr ? node : nodes.front().node;
    if (all.reserved == 0)
        return {id, Verdict::blocks, "no hugepages are reserved",
                reserve_command(wanted_node, environment.memory)};
    std::uint64_t least = std::max<std::uint64_t>(environment.memory, 1);
    if (all.free < least)
        return {id, Verdict::blocks,
                fmt::format("{} of {} in hugepages are free{}", amount(all.free), amount(all.reserved),
                            environment.memory != 0
                                ? fmt::format(", {} are wanted", amount(environment.memory))
                                : ""),
                "end what holds them, remove files left in the hugetlbfs mount, or reserve more"};
    if (near != nullptr && near->free < least)
        return {id, Verdict::warning,
                fmt::format("node {} of the device has {} in free hugepages, other nodes have {}", node,
                            amount(near->free), amount(all.free - near->free)),
                reserve_command(node, environment.memory)};
    return {id,
            Verdict::ok,
            fmt::format("{} of {} in hugepages are free", amount(all.free), amount(all.reserved)),
            {}};
}

Check check_hugetlbfs(const Sysfs& sysfs, const Environment& environment) {
    constexpr std::string_view id = "hugetlbfs";
    std::string mounts = files::read(sysfs.roots().proc + "/mounts").value_or("");
    std::string refused;
    std::string refused_access;
    for (auto line : files::lines(mounts)) {
        auto fields = files::words(line);
        if (fields.size() < 4 || fields[2] != "hugetlbfs")
            continue;
        std::string point(fields[1]);
        std::string here = sysfs.roots().resolve(point);
        if (may_use(here, environment))
            return {id, Verdict::ok, "hugetlbfs is mounted at " + point, {}};
        refused = point;
        refused_access = describe_access(here);
    }
    std::string mine = fmt::format("mount -t hugetlbfs -o uid={},mode=0700 nodev /mnt/huge-{}",
                                   environment.uid, environment.uid);
    if (refused.empty())
        return {id, Verdict::blocks, "no hugetlbfs is mounted",
                fmt::format("as root: mkdir -p /mnt/huge-{} && {}; or start with --in-memory",
                            environment.uid, mine)};
    return {id, Verdict::blocks, fmt::format("{} is not ours to write ({})", refused, refused_access),
            fmt::format("as root: mkdir -p /mnt/huge-{} && {}; or start with --in-memory", environment.uid,
                        mine)};
}

} // namespace

std::vector<Check> preflight_memory(const Sysfs& sysfs, const Environment& environment, int node) {
    std::vector<Check> checks;
    checks.push_back(check_memlock(environment));
    if (environment.hugepages) {
        checks.push_back(check_hugepages(sysfs, environment, node));
        if (environment.hugetlbfs)
            checks.push_back(check_hugetlbfs(sysfs, environment));
    }
    return checks;
}

} // namespace sluice::inline v1::pci
