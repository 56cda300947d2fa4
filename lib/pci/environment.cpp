// SPDX-License-Identifier: BSD-3-Clause
#include <charconv>

#include <sys/resource.h>
#include <unistd.h>

#include <sluice/pci/preflight.hpp>

#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

constexpr unsigned cap_ipc_lock = 14; // linux/capability.h

bool has_capability(const std::string& proc, unsigned number) {
    constexpr std::string_view key = "CapEff:";
    std::string text = files::read(proc + "/self/status").value_or("");
    for (auto line : files::lines(text)) {
        if (!line.starts_with(key))
            continue;
        auto set = files::parse_number("0x" + std::string(files::trim(line.substr(key.size()))));
        return set && ((*set >> number) & 1) != 0;
    }
    return false;
}

} // namespace

Environment Environment::of_process(const Roots& roots) {
    Environment environment;
    environment.uid = ::geteuid();
    environment.gids.push_back(::getegid());
    if (int count = ::getgroups(0, nullptr); count > 0) {
        std::vector<gid_t> groups(static_cast<std::size_t>(count));
        if (::getgroups(count, groups.data()) == count)
            environment.gids.insert(environment.gids.end(), groups.begin(), groups.end());
    }
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        environment.memlock = limit.rlim_cur;
    environment.may_lock = has_capability(roots.proc, cap_ipc_lock);
    return environment;
}

} // namespace sluice::inline v1::pci
