// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Enumeration of PCI functions and IOMMU groups. No device is opened.
#pragma once

#include <string>
#include <vector>

#include <sluice/pci/function.hpp>

namespace sluice::inline v1::pci {

/// Where the kernel's file systems are. The defaults are the running system's; tests give a made-up tree.
struct Roots {
    std::string sys = "/sys";
    std::string proc = "/proc";
    std::string dev = "/dev";
    std::string modules; ///< the running kernel's module folder; empty: /lib/modules/RELEASE
    std::string prefix;  ///< put before other absolute paths, such as mount points

    /// All of them under one folder: DIR/sys, DIR/proc, DIR/dev, DIR/lib/modules.
    static Roots under(const std::string& dir);

    /// The module folder, with the default resolved.
    std::string modules_dir() const;
    /// Where the absolute path `path` of the described system is found here.
    std::string resolve(const std::string& path) const;
};

/// One IOMMU group.
struct Group {
    unsigned number = 0;
    std::vector<Address> members;    ///< PCI functions, in bus order
    std::vector<std::string> others; ///< names of members that are no PCI functions
    std::string type;                ///< the default domain's, such as "DMA-FQ"; empty when not told
    std::vector<std::string> direct; ///< reserved regions that firmware maps one to one, "START-END"
};

/// Reads PCI functions below one root. Holds no state but the paths: any thread may call it.
class Sysfs {
  public:
    Sysfs() = default;
    explicit Sysfs(Roots roots)
        : roots_(std::move(roots)) {}

    const Roots& roots() const noexcept { return roots_; }

    /// Every function, in bus order. ENOENT when this system shows no PCI bus. A function that vanishes
    /// meanwhile is left out.
    Result<std::vector<Function>> scan() const;

    /// One function. ENODEV when it is not there.
    Result<Function> find(const Address& address) const;

    /// Every IOMMU group by number; empty when there is no IOMMU.
    std::vector<Group> groups() const;

    /// One group. ENOENT when there is none of this number.
    Result<Group> group(unsigned number) const;

    /// True when a PCI driver of this name is registered: its module is loaded or built in.
    bool has_driver(std::string_view driver) const;

    /// The folder of a function: SYS/bus/pci/devices/BDF.
    std::string device_path(const Address& address) const;
    /// The folder of a driver: SYS/bus/pci/drivers/NAME.
    std::string driver_path(std::string_view driver) const;

  private:
    Roots roots_;
};

} // namespace sluice::inline v1::pci
