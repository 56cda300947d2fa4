// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Gives functions to kernel drivers and takes them away, through `driver_override`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <sluice/pci/sysfs.hpp>

namespace sluice::inline v1::pci {

/// The one way by which this library changes anything: text written to a sysfs file. Tests put their own
/// kernel behind it.
class SysfsWriter {
  public:
    virtual ~SysfsWriter() = default;
    /// Fails with write's errno and the path. May block as long as the kernel does (a driver's unbind).
    virtual Result<> write(const std::string& path, std::string_view text) = 0;
};

/// Writes to the files themselves. Has no state.
SysfsWriter& kernel_writer() noexcept;

/// One function and the driver that it shall have; an empty driver means none.
struct Change {
    Address address;
    std::string driver;
};

/// Binds and unbinds. Leaves no `driver_override` behind: what is bound stays so until it is unbound or
/// the system restarts. Whoever uses the function is not asked (uses() tells); one thread at a time.
class Binder {
  public:
    explicit Binder(Sysfs sysfs, SysfsWriter& writer = kernel_writer())
        : sysfs_(std::move(sysfs))
        , writer_(&writer) {}

    /// Says why `change` cannot work, without changing anything. ENODEV: no such function. ENOENT: no such
    /// driver is loaded. EOPNOTSUPP: no IOMMU group, or no ordinary function. EBUSY: it has live VFs.
    Result<> check(const Change& change) const;

    /// Checks all changes, then makes them in order. When one fails, those before it are undone, last
    /// first. A function that already is as wanted is left alone.
    Result<> apply(std::span<const Change> changes);

    Result<> bind(const Address& address, std::string_view driver);
    Result<> unbind(const Address& address);

  private:
    struct Before;

    Result<> change(const Function& now, const std::string& driver);
    Result<> attach(const Address& address, const std::string& driver, const std::string& override_while);
    Result<> detach(const Address& address, const std::string& driver);
    Result<> set_override(const Address& address, const std::string& driver);
    Result<> put_back(const Before& before);
    std::string driver_now(const Address& address) const;

    Sysfs sysfs_;
    SysfsWriter* writer_;
};

/// True when the kernel lets `driver` (sluice-pci or vfio-pci) hold functions with no IOMMU group.
bool noiommu_allowed(const Sysfs& sysfs, std::string_view driver);

/// Lets it, until the module is unloaded. ENOENT: the module is not loaded or was built without.
/// Without an IOMMU a device can write to any memory of the system.
Result<> allow_noiommu(const Sysfs& sysfs, std::string_view driver, SysfsWriter& writer = kernel_writer());

} // namespace sluice::inline v1::pci
