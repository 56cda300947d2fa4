// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/use.hpp>

#include <algorithm>
#include <cstdlib>
#include <set>

#include <unistd.h>

#include "files.hpp"
#include "routes.hpp"

namespace sluice::inline v1::pci {

namespace {

constexpr int deepest_ancestor = 64;
constexpr int deepest_folder = 10;

std::string net_path(const Sysfs& sysfs, const std::string& interface) {
    return sysfs.roots().sys + "/class/net/" + interface;
}

std::string device_type(const Sysfs& sysfs, const std::string& interface) {
    constexpr std::string_view key = "DEVTYPE=";
    std::string text = files::read(net_path(sysfs, interface) + "/uevent").value_or("");
    for (auto line : files::lines(text)) {
        if (line.starts_with(key))
            return std::string(line.substr(key.size()));
    }
    return {};
}

// The kernel keeps a link upper_NAME for each interface that stands on this one, a master included.
std::vector<std::string> uppers(const Sysfs& sysfs, const std::string& interface) {
    constexpr std::string_view key = "upper_";
    std::vector<std::string> names;
    for (const auto& entry : files::list(net_path(sysfs, interface))) {
        if (entry.starts_with(key))
            names.push_back(entry.substr(key.size()));
    }
    std::string master = files::link_name(net_path(sysfs, interface) + "/master");
    if (!master.empty() && std::ranges::find(names, master) == names.end())
        names.push_back(master);
    return names;
}

bool stands_on(const Sysfs& sysfs, const std::string& interface, const std::string& wanted,
               std::set<std::string>& seen) {
    if (interface == wanted)
        return true;
    if (!seen.insert(interface).second)
        return false;
    return std::ranges::any_of(uppers(sysfs, interface),
                               [&](const auto& upper) { return stands_on(sysfs, upper, wanted, seen); });
}

Use upper_use(const Sysfs& sysfs, const std::string& interface, const std::string& upper) {
    std::string type = device_type(sysfs, upper);
    if (type == "bond")
        return {UseKind::bond, interface + " is part of the bond " + upper};
    if (type == "bridge")
        return {UseKind::bridge, interface + " is part of the bridge " + upper};
    if (type == "vlan")
        return {UseKind::vlan, interface + " carries the VLAN " + upper};
    return {UseKind::upper, interface + " carries the interface " + upper};
}

// "CLIENT PORT SERVER PORT"; a link-local client names its interface after a percent sign.
std::string ssh_interface(const std::vector<Route>& routes, const std::string& connection) {
    std::string client = connection.substr(0, connection.find(' '));
    if (auto scope = client.find('%'); scope != std::string::npos)
        return client.substr(scope + 1);
    auto address = parse_ip(client);
    return address ? interface_to(routes, *address) : std::string();
}

void find_disks(const std::string& path, int depth, std::vector<std::string>& disks) {
    if (depth > deepest_folder)
        return;
    for (const auto& name : files::list(path)) {
        std::string inside = files::below(path, name);
        if (!files::is_folder(inside) || Address::parse(name))
            continue;
        bool block = path.ends_with("/block") || files::exists(inside + "/partition") ||
                     files::link_name(inside + "/subsystem") == "block";
        if (block)
            disks.push_back(name);
        find_disks(inside, depth + 1, disks);
    }
}

void add_disk_uses(const Sysfs& sysfs, const Function& function, std::vector<Use>& found) {
    std::vector<std::string> disks;
    find_disks(sysfs.device_path(function.address), 0, disks);
    const auto& roots = sysfs.roots();
    std::string mounts = files::read(roots.proc + "/mounts").value_or("");
    std::string swaps = files::read(roots.proc + "/swaps").value_or("");
    const std::string blocks = roots.sys + "/class/block";
    for (const auto& disk : disks) {
        std::string node = "/dev/" + disk;
        for (auto line : files::lines(mounts)) {
            auto fields = files::words(line);
            if (fields.size() > 1 && fields[0] == node)
                found.push_back({UseKind::disk, disk + " is mounted at " + std::string(fields[1])});
        }
        for (auto line : files::lines(swaps)) {
            auto fields = files::words(line);
            if (!fields.empty() && fields[0] == node)
                found.push_back({UseKind::disk, disk + " is swapped to"});
        }
        for (const auto& holder : files::list(files::below(files::below(blocks, disk), "holders")))
            found.push_back({UseKind::disk, std::string(disk).append(" is part of ").append(holder)});
    }
}

std::string ssh_in(const std::string& environment) {
    constexpr std::string_view key = "SSH_CONNECTION=";
    for (std::size_t at = 0; at < environment.size();) {
        std::size_t end = std::min(environment.find('\0', at), environment.size());
        if (environment.compare(at, key.size(), key) == 0)
            return environment.substr(at + key.size(), end - at - key.size());
        at = end + 1;
    }
    return {};
}

std::string parent_of(const std::string& proc, const std::string& pid) {
    constexpr std::string_view key = "PPid:";
    std::string text = files::read(proc + '/' + pid + "/status").value_or("");
    for (auto line : files::lines(text)) {
        if (line.starts_with(key))
            return std::string(files::trim(line.substr(key.size())));
    }
    return {};
}

} // namespace

bool carries_route(const Sysfs& sysfs, const Function& function) {
    auto routes = read_routes(sysfs.roots().proc);
    return std::ranges::any_of(routes, [&](const auto& route) {
        return !route.is_automatic() &&
               std::ranges::find(function.interfaces, route.interface) != function.interfaces.end();
    });
}

std::vector<std::string> device_nodes(const Sysfs& sysfs, const Function& function) {
    std::vector<std::string> nodes;
    if (!function.sluice.empty())
        nodes.push_back("/dev/sluice/" + function.sluice);
    if (function.group) {
        nodes.push_back("/dev/vfio/" + std::to_string(*function.group));
        nodes.push_back("/dev/vfio/noiommu-" + std::to_string(*function.group));
    }
    for (const auto& name : files::list(sysfs.device_path(function.address) + "/vfio-dev"))
        nodes.push_back("/dev/vfio/devices/" + name);
    for (const auto& name : files::list(sysfs.device_path(function.address) + "/uio"))
        nodes.push_back("/dev/" + name);
    return nodes;
}

std::vector<Holder> holders(const Sysfs& sysfs, const Function& function) {
    std::vector<Holder> found;
    auto nodes = device_nodes(sysfs, function);
    const std::string& proc = sysfs.roots().proc;
    for (const auto& name : files::list(proc)) {
        auto pid = files::parse_number(name);
        if (!pid || static_cast<int>(*pid) == ::getpid())
            continue;
        std::string process = files::below(proc, name);
        std::string folder = process + "/fd";
        for (const auto& fd : files::list(folder)) {
            std::string target = files::link_target(files::below(folder, fd));
            if (std::ranges::find(nodes, target) == nodes.end())
                continue;
            found.push_back({static_cast<int>(*pid), files::read_line(process + "/comm"), target});
            break;
        }
    }
    std::ranges::sort(found, {}, &Holder::pid);
    return found;
}

std::string caller_ssh(const Roots& roots) {
    if (const char* own = std::getenv("SSH_CONNECTION"); own != nullptr && *own != '\0')
        return own;
    std::string pid = std::to_string(::getpid());
    for (int depth = 0; depth < deepest_ancestor; ++depth) {
        pid = parent_of(roots.proc, pid);
        if (pid.empty() || pid == "0")
            break;
        std::string text = ssh_in(files::read(roots.proc + '/' + pid + "/environ").value_or(""));
        if (!text.empty())
            return text;
    }
    return {};
}

std::vector<Use> uses(const Sysfs& sysfs, const Function& function, const std::string& ssh_connection) {
    std::vector<Use> found;
    auto routes = read_routes(sysfs.roots().proc);
    std::string ssh = ssh_connection.empty() ? std::string() : ssh_interface(routes, ssh_connection);
    for (const auto& interface : function.interfaces) {
        std::set<std::string> seen;
        if (!ssh.empty() && stands_on(sysfs, interface, ssh, seen))
            found.push_back({UseKind::ssh, interface + " carries this ssh connection (from " +
                                               ssh_connection.substr(0, ssh_connection.find(' ')) + ')'});
        for (const auto& route : routes) {
            if (route.interface == interface && !route.is_automatic())
                found.push_back({UseKind::route, interface + " carries " + route.describe()});
        }
        for (const auto& upper : uppers(sysfs, interface))
            found.push_back(upper_use(sysfs, interface, upper));
    }
    add_disk_uses(sysfs, function, found);
    if (is_userspace_driver(function.driver)) {
        for (const auto& holder : holders(sysfs, function))
            found.push_back({UseKind::held, holder.node + " is open in " + holder.name + " (pid " +
                                                std::to_string(holder.pid) + ')'});
    }
    return found;
}

} // namespace sluice::inline v1::pci
