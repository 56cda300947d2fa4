// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Why a function cannot be used from userspace, and what to do about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/pci/sysfs.hpp>

namespace sluice::inline v1::pci {

enum class Verdict { ok, warning, blocks };

std::string_view to_string(Verdict verdict) noexcept;

/// One row of the answer.
struct Check {
    std::string_view id; ///< one of the names below, for scripts; lives for ever
    Verdict verdict = Verdict::ok;
    std::string cause;  ///< what was found
    std::string advice; ///< what to do; empty when all is well
};

/// What the process is that shall use the function.
struct Environment {
    static constexpr std::uint64_t no_limit = ~std::uint64_t{0};

    unsigned uid = 0;
    std::vector<unsigned> gids;
    std::uint64_t memlock = no_limit; ///< RLIMIT_MEMLOCK, bytes
    bool may_lock = false;            ///< CAP_IPC_LOCK: the limit does not count
    std::uint64_t memory = 0;         ///< bytes that will be mapped for DMA; 0 when not known
    bool hugepages = true;            ///< memory comes from hugepages
    bool hugetlbfs = true;            ///< they are taken from a hugetlbfs mount
    std::vector<int> lcore_nodes;     ///< NUMA nodes of the polling threads; empty when not known

    /// This process as it is now.
    static Environment of_process(const Roots& roots);
};

/// All checks for one function, as far as they can be judged here: address, kind, module, lockdown, driver,
/// iommu, group, reserved, msi, sriov, node, holder, numa, and those of preflight_memory(). `driver` is the
/// kernel driver wanted (sluice-pci or vfio-pci), or empty for either one. What cannot be seen without root
/// is taken for well. Any thread; takes milliseconds.
std::vector<Check> preflight(const Sysfs& sysfs, const Address& address, std::string_view driver,
                             const Environment& environment);

/// The checks that need no function: memlock, hugepages, hugetlbfs. `node` is the NUMA node that the memory
/// should be on, −1 for any.
std::vector<Check> preflight_memory(const Sysfs& sysfs, const Environment& environment, int node = -1);

/// "CAUSE; ADVICE".
std::string to_line(const Check& check);

/// The first row about the device that blocks, as one line "0000:01:00.0: CAUSE; ADVICE", for a program
/// that could not open it; empty when nothing blocks. Says nothing of memory: by then an EAL has taken it.
std::optional<std::string> why_not(const Sysfs& sysfs, const Address& address, std::string_view driver,
                                   const Environment& environment);

/// The first row about memory that blocks, as one line "CAUSE; ADVICE", for a program whose EAL did not
/// start.
std::optional<std::string> why_no_memory(const Sysfs& sysfs, const Environment& environment);

} // namespace sluice::inline v1::pci
