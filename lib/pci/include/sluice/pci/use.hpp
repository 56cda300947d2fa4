// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Who uses a function right now: what a change of its driver would cut off.
#pragma once

#include <string>
#include <vector>

#include <sluice/pci/sysfs.hpp>

namespace sluice::inline v1::pci {

enum class UseKind {
    route,  ///< an interface of it carries a route
    ssh,    ///< the caller's own ssh connection runs over it
    bond,   ///< part of a bond
    bridge, ///< part of a bridge
    vlan,   ///< a VLAN stands on it
    upper,  ///< another interface stands on it: team, macvlan, …
    disk,   ///< a block device of it is mounted, swapped to, or part of another
    held,   ///< a process has its group or device open
};

/// One use, and a text for a person such as "eth1 carries the default route".
struct Use {
    UseKind kind;
    std::string text;
};

/// A process that holds a function's VFIO or Sluice node.
struct Holder {
    int pid = 0;
    std::string name; ///< of the command
    std::string node; ///< such as /dev/vfio/7
};

/// Every use of `function` that can be seen. `ssh_connection` is caller_ssh()'s answer.
std::vector<Use> uses(const Sysfs& sysfs, const Function& function, const std::string& ssh_connection);

/// True when an interface of the function carries a route, link-local ones aside.
bool carries_route(const Sysfs& sysfs, const Function& function);

/// Processes other than this one that have the function's group or device open. Root sees all of them;
/// others see their own.
std::vector<Holder> holders(const Sysfs& sysfs, const Function& function);

/// Nodes by which userspace opens the function, whether they exist or not; described paths ("/dev/…").
std::vector<std::string> device_nodes(const Sysfs& sysfs, const Function& function);

/// SSH_CONNECTION of this process or of the nearest ancestor that has one (sudo drops it); else empty.
std::string caller_ssh(const Roots& roots);

} // namespace sluice::inline v1::pci
