// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/bind.hpp>

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <sluice/base/unique_fd.hpp>

#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

class FileWriter final : public SysfsWriter {
  public:
    Result<> write(const std::string& path, std::string_view text) override {
        auto fd = open_file(path, O_WRONLY | O_TRUNC);
        if (!fd)
            return propagate(std::move(fd));
        if (::write(fd->get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            return fail_errno("the kernel refused a write", path);
        return {};
    }
};

// As the object of an Error: which function, and which driver it was about.
std::string about(const Address& address, std::string_view driver) {
    std::string text = address.to_string();
    if (!driver.empty())
        text.append(", driver ").append(driver);
    return text;
}

std::string noiommu_switch(const Sysfs& sysfs, std::string_view driver) {
    const char* module = driver == driver_sluice ? "sluice_pci" : "vfio";
    return sysfs.roots().sys + "/module/" + module + "/parameters/enable_unsafe_noiommu_mode";
}

bool needs_group(std::string_view driver) {
    return driver == driver_sluice || driver == driver_vfio;
}

} // namespace

// What a function had before it was changed.
struct Binder::Before {
    Address address;
    std::string driver;
    std::string driver_override;
};

SysfsWriter& kernel_writer() noexcept {
    static FileWriter writer;
    return writer;
}

bool noiommu_allowed(const Sysfs& sysfs, std::string_view driver) {
    std::string value = files::read_line(noiommu_switch(sysfs, driver));
    return value == "Y" || value == "1";
}

Result<> allow_noiommu(const Sysfs& sysfs, std::string_view driver, SysfsWriter& writer) {
    std::string path = noiommu_switch(sysfs, driver);
    if (!files::exists(path))
        return fail(ENOENT, "this kernel offers no mode without an IOMMU, or the module is not loaded", path);
    return writer.write(path, "1");
}

Result<> Binder::check(const Change& change) const {
    auto function = sysfs_.find(change.address);
    if (!function)
        return propagate(std::move(function));
    std::string driver = canonical_driver(change.driver);
    if (driver.empty() || driver == function->driver)
        return {};
    if (!sysfs_.has_driver(driver))
        return fail(ENOENT, "this driver is not loaded; load its module with modprobe first",
                    about(change.address, driver));
    if (!is_userspace_driver(driver))
        return {};
    if (function->header_type.value_or(0) != 0)
        return fail(EOPNOTSUPP, "a bridge cannot be handed to userspace; name the device behind it",
                    about(change.address, driver));
    if (needs_group(driver) && !function->group && !noiommu_allowed(sysfs_, driver))
        return fail(EOPNOTSUPP,
                    "it is in no IOMMU group: turn the IOMMU on (firmware: VT-d or AMD-Vi; kernel: "
                    "intel_iommu=on), or accept --noiommu-mode",
                    about(change.address, driver));
    if (!function->virtual_functions.empty())
        return fail(EBUSY, "it has live virtual functions; write 0 to its sriov_numvfs first",
                    about(change.address, driver));
    return {};
}

std::string Binder::driver_now(const Address& address) const {
    return files::link_name(sysfs_.device_path(address) + "/driver");
}

// Linux, Documentation/ABI/testing/sysfs-bus-pci: a line end alone clears the override.
Result<> Binder::set_override(const Address& address, const std::string& driver) {
    return writer_->write(sysfs_.device_path(address) + "/driver_override", driver.empty() ? "\n" : driver);
}

Result<> Binder::detach(const Address& address, const std::string& driver) {
    return writer_->write(sysfs_.driver_path(driver) + "/unbind", address.to_string());
}

Result<> Binder::attach(const Address& address, const std::string& driver,
                        const std::string& override_while) {
    if (auto set = set_override(address, override_while); !set)
        return set;
    auto bound = writer_->write(sysfs_.driver_path(driver) + "/bind", address.to_string());
    if (driver_now(address) == driver)
        return {};
    if (!bound)
        return bound;
    return fail(ENODEV, "the kernel took the request and bound nothing", about(address, driver));
}

Result<> Binder::put_back(const Before& before) {
    std::string now = driver_now(before.address);
    Result<> result;
    if (now != before.driver) {
        if (!now.empty())
            result = detach(before.address, now);
        // Named by the override it matches even where another override stood before.
        if (result && !before.driver.empty())
            result = attach(before.address, before.driver, before.driver);
    }
    auto cleared = set_override(before.address, before.driver_override);
    return result ? cleared : result;
}

// The override is written first: who may not write at all has then changed nothing.
Result<> Binder::change(const Function& now, const std::string& driver) {
    const Before before{now.address, now.driver, now.driver_override};
    if (auto set = set_override(now.address, is_userspace_driver(driver) ? driver : std::string()); !set)
        return fail(set.error().code(), "cannot write its driver_override; root may",
                    about(now.address, driver));
    Result<> result;
    if (!now.driver.empty())
        result = detach(now.address, now.driver);
    if (result && !driver.empty())
        result = attach(now.address, driver, is_userspace_driver(driver) ? driver : std::string());
    if (result && driver_now(now.address) != driver)
        result = fail(EBUSY, "its driver did not let go", about(now.address, now.driver));
    if (result)
        result = set_override(now.address, {});
    if (result)
        return result;

    int code = result.error().code();
    if (!put_back(before))
        return fail(code, "binding failed, and so did the way back; see the kernel log (dmesg)",
                    about(now.address, driver));
    return fail(code,
                driver.empty() ? "unbinding failed; its driver stays as it was"
                : code == ENODEV
                    ? "this driver does not take the device; its driver stays as it was"
                    : "the driver refused the device, see the kernel log (dmesg); its driver is as before",
                about(now.address, driver.empty() ? now.driver : driver));
}

Result<> Binder::apply(std::span<const Change> changes) {
    for (const auto& one : changes) {
        if (auto checked = check(one); !checked)
            return checked;
    }
    std::vector<Before> done;
    for (const auto& one : changes) {
        auto now = sysfs_.find(one.address);
        Result<> result;
        if (now) {
            std::string driver = canonical_driver(one.driver);
            if (driver == now->driver)
                continue;
            result = change(*now, driver);
        } else {
            result = fail(now.error().code(), now.error().text(), now.error().object());
        }
        if (result) {
            done.push_back({now->address, now->driver, now->driver_override});
            continue;
        }
        for (auto before = done.rbegin(); before != done.rend(); ++before) {
            if (!put_back(*before))
                return fail(result.error().code(), "could not be put back after another device failed",
                            before->address.to_string());
        }
        return result;
    }
    return {};
}

Result<> Binder::bind(const Address& address, std::string_view driver) {
    const Change one{address, std::string(driver)};
    return apply({&one, 1});
}

Result<> Binder::unbind(const Address& address) {
    return bind(address, {});
}

} // namespace sluice::inline v1::pci
