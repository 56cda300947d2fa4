// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/open.hpp>

#include <cerrno>
#include <string_view>

#include <sluice/pci/preflight.hpp>

#include "transports.hpp"

namespace sluice::inline v1::device {

namespace {

/// vfio-pci itself, or a variant of it for some devices, whose names end alike.
bool is_vfio(std::string_view driver) {
    return driver.ends_with(pci::driver_vfio) || driver.ends_with("vfio_pci");
}

Result<Transport> transport_of(const pci::Function& function, Transport wanted) {
    const std::string bdf = function.address.to_string();
    const bool vfio = is_vfio(function.driver);
    const bool sluice = function.driver == pci::driver_sluice;
    if (!vfio && !sluice)
        return fail(ENODEV,
                    function.driver.empty()
                        ? "cannot open a device that no driver holds: bind it with sluice-devbind -b "
                          "sluice-pci (or vfio-pci)"
                        : "cannot open a device that another driver holds: bind it with sluice-devbind -b "
                          "sluice-pci (or vfio-pci)",
                    function.driver.empty() ? bdf : bdf + " (" + function.driver + ")");
    const Transport held = vfio ? Transport::vfio : Transport::sluice;
    if (wanted != Transport::any && wanted != held)
        return fail(EINVAL,
                    vfio
                        ? "cannot use transport=sluice, the device is bound to vfio-pci: rebind it, or leave "
                          "the key out"
                        : "cannot use transport=vfio, the device is bound to sluice-pci: rebind it, or leave "
                          "the key out",
                    bdf);
    return held;
}

/// What lib/pci knows to be in the way, in place of what the kernel's errno alone can say.
Error explain(Error error, const pci::Function& function, const pci::Sysfs& sysfs) {
    switch (error.code()) {
    case EACCES:
    case EBUSY:
    case ENODEV:
    case ENOENT:
    case EPERM:
        break;
    default:
        return error;
    }
    const auto reason =
        pci::why_not(sysfs, function.address, function.driver, pci::Environment::of_process(sysfs.roots()));
    return reason ? Error(error.code(), "the device was not opened", *reason) : error;
}

} // namespace

Result<std::unique_ptr<Device>> open(const pci::Address& address, const OpenOptions& options) {
    const pci::Sysfs sysfs;
    auto mark = OpenMark::take(address);
    if (!mark)
        return propagate(std::move(mark));
    auto function = sysfs.find(address);
    if (!function)
        return propagate(std::move(function));
    auto transport = transport_of(*function, options.transport);
    if (!transport)
        return propagate(std::move(transport));
    auto device = *transport == Transport::vfio ? open_vfio(*function, sysfs, std::move(*mark), options)
                                                : open_kmod(*function, sysfs, std::move(*mark), options);
    if (!device)
        return tl::unexpected<Error>(explain(std::move(device).error(), *function, sysfs));
    return device;
}

Result<std::shared_ptr<AddressSpace>> new_space(const pci::Address& address, Transport wanted) {
    const pci::Sysfs sysfs;
    auto function = sysfs.find(address);
    if (!function)
        return propagate(std::move(function));
    auto transport = transport_of(*function, wanted);
    if (!transport)
        return propagate(std::move(transport));
    return *transport == Transport::vfio ? new_vfio_space() : new_kmod_space(*function);
}

} // namespace sluice::inline v1::device
