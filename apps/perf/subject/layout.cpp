// SPDX-License-Identifier: BSD-3-Clause
#include "layout.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include "measured.hpp"

namespace sluice::perf::subject {

namespace {

void print(std::FILE* out, const char* kind, std::uint64_t first, std::uint64_t size,
           std::uint64_t stride = 0, std::uint64_t count = 1) {
    std::fprintf(out, "range %s %lx %lx %lx %lu\n", kind, first, size, stride, count);
}

std::uint64_t address(const void* at) {
    return reinterpret_cast<std::uintptr_t>(at);
}

/// Mbufs that stand one distance apart.
struct Run {
    std::uint64_t first = 0;
    std::uint64_t stride = 0;
    std::uint64_t count = 0;
};

std::vector<Run> runs_of(rte_mempool* pool) {
    std::vector<std::uint64_t> at;
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool*, void* list, void* object, unsigned) {
            static_cast<std::vector<std::uint64_t>*>(list)->push_back(address(object));
        },
        &at);
    std::ranges::sort(at);
    std::vector<Run> runs;
    for (const std::uint64_t each : at) {
        if (!runs.empty()) {
            Run& run = runs.back();
            const std::uint64_t distance = each - (run.first + run.stride * (run.count - 1));
            if (run.count == 1 || distance == run.stride) {
                run.stride = distance;
                ++run.count;
                continue;
            }
        }
        runs.push_back({each, 0, 1});
    }
    return runs;
}

void print_zone(const rte_memzone* zone, void* out) {
    const std::string_view name = zone->name;
    const auto has = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
    const bool pool = name.starts_with("MP_") || name.starts_with("RG_");
    if (pool || has("sluice-") || has("vq") || has("_ring"))
        print(static_cast<std::FILE*>(out), pool ? "pool" : "descriptor", zone->addr_64, zone->len);
}

/// The device's doorbells, the stack, and what the program and its libraries brought.
void print_maps(std::FILE* out) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &first, &end) != 2)
            continue;
        const bool device = line.find("memfd:sluice-region") != std::string::npos ||
                            line.find("/dev/sluice") != std::string::npos ||
                            line.find("vfio") != std::string::npos;
        const bool file = line.find(" /") != std::string::npos && line.find("/memfd:") == std::string::npos &&
                          line.find("hugepages") == std::string::npos;
        if (device)
            print(out, "device", first, end - first);
        else if (line.find("[stack]") != std::string::npos)
            print(out, "stack", first, end - first);
        else if (file)
            print(out, "image", first, end - first);
    }
    // Emulators do not name it.
    const std::uint64_t here = address(&maps) & ~std::uint64_t{0xffff};
    print(out, "stack", here - 0x10000, 0x30000);
}

} // namespace

void print_layout(std::FILE* out, rte_mempool* pool) {
    constexpr std::uint64_t line = 64;
    const std::uint64_t priv = rte_pktmbuf_priv_size(pool);
    for (const Run& run : runs_of(pool)) {
        print(out, "mbuf0", run.first, line, run.stride, run.count);
        print(out, "mbuf1", run.first + line, line, run.stride, run.count);
        print(out, "payload", run.first + 2 * line + priv, rte_pktmbuf_data_room_size(pool), run.stride,
              run.count);
        const std::uint64_t header = pool->header_size;
        print(out, "pool", run.first - header, header, run.stride, run.count);
    }
    print(out, "pool", address(pool), sizeof *pool);
    if (pool->pool_data != nullptr) {
        const auto* ring = static_cast<const rte_ring*>(pool->pool_data);
        print(out, "pool", address(ring), static_cast<std::uint64_t>(rte_ring_get_memsize(ring->size)));
    }
    rte_memzone_walk(print_zone, out);
    print_maps(out);
}

void watch_pool(rte_mempool* pool) noexcept {
    const auto watch = [](const volatile void* at) {
        const auto* word = static_cast<const volatile std::uint32_t*>(at);
        mark<mark_watch>();
        static_cast<void>(*word);
        mark<mark_watch | mark_end>();
    };
    if (const rte_mempool_cache* cache = rte_mempool_default_cache(pool, rte_lcore_id()); cache != nullptr)
        watch(&cache->len);
    if (pool->pool_data != nullptr) {
        const auto* ring = static_cast<const rte_ring*>(pool->pool_data);
        watch(&ring->prod.tail);
        watch(&ring->cons.tail);
    }
}

} // namespace sluice::perf::subject
