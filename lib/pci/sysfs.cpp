// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/sysfs.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <sluice/base/unique_fd.hpp>

#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

template <typename T>
T number(const std::string& path) {
    return static_cast<T>(files::read_number(path).value_or(0));
}

std::vector<Address> addresses(const std::vector<std::string>& names,
                               std::vector<std::string>* others = nullptr) {
    std::vector<Address> found;
    for (const auto& name : names) {
        auto address = Address::parse(name);
        if (address)
            found.push_back(*address);
        else if (others != nullptr)
            others->push_back(name);
    }
    std::ranges::sort(found);
    return found;
}

void read_resources(const std::string& path, Function& function) {
    auto text = files::read(path + "/resource");
    if (!text)
        return;
    std::size_t index = 0;
    for (auto line : files::lines(*text)) {
        auto fields = files::words(line);
        if (index == function.resources.size() || fields.size() != 3)
            return;
        function.resources[index++] = {files::parse_number(fields[0]).value_or(0),
                                       files::parse_number(fields[1]).value_or(0),
                                       files::parse_number(fields[2]).value_or(0)};
    }
}

void read_config(const std::string& path, Function& function) {
    auto fd = open_file(path + "/config", O_RDONLY);
    if (!fd)
        return;
    struct stat info;
    if (::fstat(fd->get(), &info) == 0)
        function.config_size = static_cast<std::size_t>(info.st_size);
    std::uint8_t type = 0; // PCI 3.0 §6.1, offset 0Eh
    if (::pread(fd->get(), &type, 1, 0x0e) == 1)
        function.header_type = static_cast<std::uint8_t>(type & 0x7f);
}

void read_sriov(const std::string& path, Function& function) {
    if (auto owner = Address::parse(files::link_name(path + "/physfn")))
        function.physical_function = *owner;
    function.total_vfs = number<unsigned>(path + "/sriov_totalvfs");
    for (unsigned index = 0;; ++index) {
        auto address = Address::parse(files::link_name(path + "/virtfn" + std::to_string(index)));
        if (!address)
            return;
        function.virtual_functions.push_back(*address);
    }
}

// Interfaces stand below the function itself, or one bus further down (virtio, and others alike).
std::vector<std::string> read_interfaces(const std::string& path) {
    std::vector<std::string> names = files::list(path + "/net");
    for (const auto& child : files::list(path)) {
        std::string inside = files::below(path, child);
        if (child == "net" || !files::is_folder(inside) || Address::parse(child))
            continue;
        for (auto& name : files::list(inside + "/net"))
            names.push_back(std::move(name));
    }
    std::ranges::sort(names);
    return names;
}

void read_group(const std::string& path, Function& function) {
    std::string name = files::link_name(path + "/iommu_group");
    if (auto value = files::parse_number(name)) {
        function.group = static_cast<unsigned>(*value);
        function.group_members = addresses(files::list(path + "/iommu_group/devices"));
    }
}

} // namespace

Roots Roots::under(const std::string& dir) {
    return {dir + "/sys", dir + "/proc", dir + "/dev", dir + "/lib/modules", dir};
}

std::string Roots::modules_dir() const {
    if (!modules.empty())
        return modules;
    utsname name{};
    ::uname(&name);
    return std::string("/lib/modules/") + name.release;
}

std::string Roots::resolve(const std::string& path) const {
    if (path == "/dev" || path.starts_with("/dev/"))
        return dev + path.substr(4);
    return prefix + path;
}

std::string Sysfs::device_path(const Address& address) const {
    return roots_.sys + "/bus/pci/devices/" + address.to_string();
}

std::string Sysfs::driver_path(std::string_view driver) const {
    return roots_.sys + "/bus/pci/drivers/" + canonical_driver(driver);
}

bool Sysfs::has_driver(std::string_view driver) const {
    return !driver.empty() && driver.find('/') == std::string_view::npos &&
           files::exists(driver_path(driver));
}

Result<std::vector<Function>> Sysfs::scan() const {
    std::string path = roots_.sys + "/bus/pci/devices";
    if (!files::exists(path))
        return fail(ENOENT, "no PCI bus here: is sysfs mounted, and has this system one?", path);
    std::vector<Function> functions;
    for (const auto& address : addresses(files::list(path))) {
        if (auto function = find(address))
            functions.push_back(std::move(*function));
    }
    return functions;
}

Result<Function> Sysfs::find(const Address& address) const {
    std::string path = device_path(address);
    auto vendor = files::read_number(path + "/vendor");
    if (!vendor)
        return fail(ENODEV, "no such PCI function; `sluice-devbind --status` lists them",
                    address.to_string());

    Function function;
    function.address = address;
    function.vendor = static_cast<std::uint16_t>(*vendor);
    function.device = number<std::uint16_t>(path + "/device");
    function.subsystem_vendor = number<std::uint16_t>(path + "/subsystem_vendor");
    function.subsystem_device = number<std::uint16_t>(path + "/subsystem_device");
    function.class_code = number<std::uint32_t>(path + "/class");
    function.revision = number<std::uint8_t>(path + "/revision");
    function.driver = files::link_name(path + "/driver");
    function.driver_override = files::read_line(path + "/driver_override");
    if (function.driver_override == "(null)")
        function.driver_override.clear();
    function.modalias = files::read_line(path + "/modalias");
    auto node = files::read_number(path + "/numa_node");
    function.numa_node = node ? static_cast<int>(*node) : -1;
    function.interfaces = read_interfaces(path);
    function.sluice = files::link_name(path + "/sluice");
    read_group(path, function);
    read_resources(path, function);
    read_config(path, function);
    read_sriov(path, function);
    return function;
}

std::vector<Group> Sysfs::groups() const {
    std::vector<Group> found;
    for (const auto& name : files::list(roots_.sys + "/kernel/iommu_groups")) {
        if (auto value = files::parse_number(name)) {
            if (auto one = group(static_cast<unsigned>(*value)))
                found.push_back(std::move(*one));
        }
    }
    std::ranges::sort(found, {}, &Group::number);
    return found;
}

Result<Group> Sysfs::group(unsigned number) const {
    std::string path = roots_.sys + "/kernel/iommu_groups/" + std::to_string(number);
    if (!files::exists(path))
        return fail(ENOENT, "no such IOMMU group", std::to_string(number));
    Group group;
    group.number = number;
    group.members = addresses(files::list(path + "/devices"), &group.others);
    group.type = files::read_line(path + "/type");
    std::string regions = files::read(path + "/reserved_regions").value_or("");
    for (auto line : files::lines(regions)) {
        auto fields = files::words(line);
        if (fields.size() == 3 && fields[2] == "direct")
            group.direct.push_back(std::string(fields[0]) + '-' + std::string(fields[1]));
    }
    return group;
}

} // namespace sluice::inline v1::pci
