// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/hugepages.hpp>

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

std::string node_folder(const Sysfs& sysfs, int node) {
    const std::string& sys = sysfs.roots().sys;
    return node < 0 ? sys + "/kernel/mm/hugepages"
                    : fmt::format("{}/devices/system/node/node{}/hugepages", sys, node);
}

std::string pool_folder(const Sysfs& sysfs, const HugepagePool& pool) {
    return fmt::format("{}/hugepages-{}kB", node_folder(sysfs, pool.node), pool.page_size / 1024);
}

HugepagePool read_pool(const Sysfs& sysfs, HugepagePool pool) {
    std::string folder = pool_folder(sysfs, pool);
    pool.reserved = files::read_number(folder + "/nr_hugepages").value_or(0);
    pool.free = files::read_number(folder + "/free_hugepages").value_or(0);
    return pool;
}

void add_pools(const Sysfs& sysfs, int node, std::vector<HugepagePool>& pools) {
    constexpr std::string_view key = "hugepages-";
    for (const auto& name : files::list(node_folder(sysfs, node))) {
        if (!name.starts_with(key) || !name.ends_with("kB"))
            continue;
        auto size = files::parse_number(name.substr(key.size(), name.size() - key.size() - 2));
        if (size)
            pools.push_back(read_pool(sysfs, {node, *size * 1024}));
    }
}

} // namespace

std::vector<HugepagePool> hugepage_pools(const Sysfs& sysfs) {
    constexpr std::string_view key = "node";
    std::vector<HugepagePool> pools;
    for (const auto& name : files::list(sysfs.roots().sys + "/devices/system/node")) {
        auto number = name.starts_with(key) ? files::parse_number(name.substr(key.size())) : std::nullopt;
        if (number)
            add_pools(sysfs, static_cast<int>(*number), pools);
    }
    if (pools.empty())
        add_pools(sysfs, -1, pools);
    std::ranges::sort(pools, {}, [](const auto& pool) { return std::tuple(pool.node, pool.page_size); });
    return pools;
}

Result<HugepagePool> reserve_hugepages(const Sysfs& sysfs, const HugepagePool& pool, std::uint64_t bytes,
                                       SysfsWriter& writer) {
    std::uint64_t pages = bytes / pool.page_size + (bytes % pool.page_size != 0 ? 1 : 0);
    auto written = writer.write(pool_folder(sysfs, pool) + "/nr_hugepages", std::to_string(pages));
    if (!written)
        return propagate(std::move(written));
    return read_pool(sysfs, pool);
}

} // namespace sluice::inline v1::pci
