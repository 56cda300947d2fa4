// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A made-up sysfs, proc and dev tree in a temporary folder, for tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sluice/pci/sysfs.hpp>

namespace sluice::test {

/// What a made-up function shows. The defaults are an 82574 with no driver and no IOMMU group.
struct FakeFunction {
    std::string address;
    std::uint16_t vendor = 0x8086;
    std::uint16_t device = 0x10d3;
    std::uint32_t class_code = 0x020000;
    std::string driver = {};
    std::optional<unsigned> group = {};
    std::vector<std::string> interfaces = {};
    int numa_node = -1;
    std::uint8_t header_type = 0;
    std::size_t config_size = 4096;
};

/// Owns the folder and removes it.
/// The address that `text` names; the test ends when it names none.
inline pci::Address at(const char* text) {
    return *pci::Address::parse(text);
}

inline constexpr std::uint64_t mib = 1024 * 1024;

class FakeSysfs {
  public:
    FakeSysfs();
    ~FakeSysfs();
    FakeSysfs(const FakeSysfs&) = delete;
    FakeSysfs& operator=(const FakeSysfs&) = delete;

    const std::string& root() const noexcept { return root_; }
    pci::Sysfs sysfs() const { return pci::Sysfs(pci::Roots::under(root_)); }

    void add(const FakeFunction& function);
    /// A registered PCI driver, with its bind and unbind files; its module stands in SYS/module.
    void add_driver(const std::string& name);
    /// Gives `address` the driver, or none when `driver` is empty.
    void set_driver(const std::string& address, const std::string& driver);
    /// Makes `function` the `index`th virtual function of `owner`; both exist.
    void set_virtual(const std::string& owner, const std::string& function, unsigned index);

    /// Paths are relative to the root. Parent folders are made.
    void write(const std::string& path, const std::string& text) const;
    void link(const std::string& path, const std::string& target) const;
    void folder(const std::string& path) const;
    void remove(const std::string& path) const;
    std::string read(const std::string& path) const;

  private:
    std::string root_;
};

} // namespace sluice::test
