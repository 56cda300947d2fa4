// SPDX-License-Identifier: BSD-3-Clause
#include "fake_sysfs.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

namespace sluice::test {

namespace fs = std::filesystem;

FakeSysfs::FakeSysfs() {
    std::string name = (fs::temp_directory_path() / "sluice-sysfs-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::runtime_error("mkdtemp failed");
    root_ = name;
    folder("sys/bus/pci/devices");
    folder("sys/bus/pci/drivers");
    folder("sys/kernel/iommu_groups");
    folder("sys/class/net");
    folder("sys/module");
    folder("proc");
    folder("dev");
    folder("lib/modules");
}

FakeSysfs::~FakeSysfs() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

void FakeSysfs::add(const FakeFunction& function) {
    std::string real = "sys/devices/pci0000:00/" + function.address;
    folder(real);
    link("sys/bus/pci/devices/" + function.address, root_ + '/' + real);
    write(real + "/vendor", fmt::format("0x{:04x}\n", function.vendor));
    write(real + "/device", fmt::format("0x{:04x}\n", function.device));
    write(real + "/subsystem_vendor", "0x1af4\n");
    write(real + "/subsystem_device", "0x1100\n");
    write(real + "/class", fmt::format("0x{:06x}\n", function.class_code));
    write(real + "/revision", "0x03\n");
    write(real + "/driver_override", "(null)\n");
    write(real + "/numa_node", fmt::format("{}\n", function.numa_node));
    write(real + "/modalias", fmt::format("pci:v{:08X}d{:08X}sv00001AF4sd00001100bc{:02X}sc{:02X}i{:02X}\n",
                                          function.vendor, function.device, function.class_code >> 16,
                                          (function.class_code >> 8) & 0xff, function.class_code & 0xff));
    std::string resources = "0x00000000fe840000 0x00000000fe85ffff 0x0000000000040200\n"
                            "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
                            "0x000000000000e000 0x000000000000e01f 0x0000000000040101\n"
                            "0x0000000600000000 0x0000000600003fff 0x000000000014220c\n";
    for (int line = 4; line < 13; ++line)
        resources += "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
    write(real + "/resource", resources);
    std::string config(function.config_size, '\0');
    config[0x0e] = static_cast<char>(function.header_type);
    write(real + "/config", config);
    for (const auto& name : function.interfaces) {
        folder(real + "/net/" + name);
        link("sys/class/net/" + name, root_ + '/' + real + "/net/" + name);
    }
    if (function.group) {
        std::string group = fmt::format("sys/kernel/iommu_groups/{}", *function.group);
        link(group + "/devices/" + function.address, root_ + '/' + real);
        write(group + "/type", "DMA-FQ\n");
        write(group + "/reserved_regions", "0x00000000fee00000 0x00000000feefffff msi\n");
        link(real + "/iommu_group", root_ + '/' + group);
    }
    set_driver(function.address, function.driver);
}

void FakeSysfs::add_driver(const std::string& name) {
    std::string path = "sys/bus/pci/drivers/" + name;
    if (fs::exists(root_ + '/' + path))
        return;
    folder(path);
    write(path + "/bind", "");
    write(path + "/unbind", "");
    std::string module = name;
    for (char& letter : module)
        letter = letter == '-' ? '_' : letter;
    folder("sys/module/" + module);
}

void FakeSysfs::set_driver(const std::string& address, const std::string& driver) {
    std::string path = "sys/devices/pci0000:00/" + address + "/driver";
    remove(path);
    if (driver.empty())
        return;
    add_driver(driver);
    link(path, root_ + "/sys/bus/pci/drivers/" + driver);
}

void FakeSysfs::set_virtual(const std::string& owner, const std::string& function, unsigned index) {
    std::string base = "sys/devices/pci0000:00/";
    link(base + owner + "/virtfn" + std::to_string(index), "../" + function);
    link(base + function + "/physfn", "../" + owner);
    write(base + owner + "/sriov_totalvfs", "8\n");
    write(base + owner + "/sriov_numvfs", std::to_string(index + 1) + "\n");
}

void FakeSysfs::write(const std::string& path, const std::string& text) const {
    fs::path full = root_ + '/' + path;
    fs::create_directories(full.parent_path());
    std::ofstream file(full, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush())
        throw std::runtime_error("cannot write " + full.string());
}

void FakeSysfs::link(const std::string& path, const std::string& target) const {
    fs::path full = root_ + '/' + path;
    fs::create_directories(full.parent_path());
    fs::remove(full);
    fs::create_symlink(target, full);
}

void FakeSysfs::folder(const std::string& path) const {
    fs::create_directories(root_ + '/' + path);
}

void FakeSysfs::remove(const std::string& path) const {
    fs::remove_all(root_ + '/' + path);
}

std::string FakeSysfs::read(const std::string& path) const {
    std::ifstream file(root_ + '/' + path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace sluice::test
