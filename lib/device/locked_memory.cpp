// SPDX-License-Identifier: BSD-3-Clause
#include "locked_memory.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <limits>

namespace sluice::inline v1::device {

namespace {

std::uint64_t locked_bytes() {
    std::ifstream status("/proc/self/status");
    std::string line;
    std::uint64_t kib = 0;
    while (std::getline(status, line))
        if (std::sscanf(line.c_str(), "VmLck: %" SCNu64, &kib) == 1)
            return kib * 1024;
    return 0;
}

} // namespace

LockedMemory LockedMemory::of_this_process() {
    LockedMemory facts{locked_bytes(), std::numeric_limits<std::uint64_t>::max()};
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        facts.limit = limit.rlim_cur;
    return facts;
}

Error map_error(int code, Iova iova, std::uint64_t size, const LockedMemory& locked) {
    char object[160];
    if (code == ENOMEM && locked.limit < locked.locked + size) {
        static_cast<void>(std::snprintf(
            object, sizeof object,
            "IOVA %#" PRIx64 ": locked %" PRIu64 " KiB, needed %" PRIu64 " KiB, limit %" PRIu64 " KiB",
            iova.value, locked.locked / 1024, (locked.locked + size) / 1024, locked.limit / 1024));
        return Error(ENOMEM,
                     "cannot lock memory for DMA, RLIMIT_MEMLOCK is too low: raise it with ulimit -l or "
                     "the service's LimitMEMLOCK=, or grant CAP_IPC_LOCK",
                     object);
    }
    static_cast<void>(
        std::snprintf(object, sizeof object, "IOVA %#" PRIx64 " size %#" PRIx64, iova.value, size));
    switch (code) {
    case ENOSPC:
        return Error(code,
                     "cannot map memory for DMA, the space's entries are used up: map fewer, larger "
                     "pieces, or larger hugepages",
                     object);
    case EFAULT:
        return Error(code, "cannot map memory for DMA, it is not there or not ordinary memory", object);
    case ENOMEM:
        return Error(code, "cannot map memory for DMA, the kernel has no memory left for it", object);
    case EEXIST:
        return Error(code, "cannot map over an existing mapping: unmap it first", object);
    case ENODEV:
        return Error(code, "cannot map memory for DMA, no device is attached any more", object);
    default:
        return Error(code, "cannot map memory for DMA, the IOMMU driver refused it", object);
    }
}

} // namespace sluice::inline v1::device
