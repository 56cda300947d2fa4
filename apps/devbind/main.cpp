// SPDX-License-Identifier: BSD-3-Clause
// sluice-devbind: status, binding and IOMMU groups of PCI devices.
#include <iostream>

#include <sluice/pci/use.hpp>

#include "devbind.hpp"

int main(int argc, char** argv) {
    using namespace sluice;
    auto parsed = devbind::parse_options(std::vector<std::string>(argv + 1, argv + argc));
    if (parsed.stop) {
        (parsed.code == devbind::exit_done ? std::cout : std::cerr) << parsed.text;
        return parsed.code;
    }
    pci::Roots roots = parsed.options.root.empty() ? pci::Roots{} : pci::Roots::under(parsed.options.root);
    std::string ssh = pci::caller_ssh(roots);
    devbind::Context context{pci::Sysfs(std::move(roots)), pci::kernel_writer(), std::move(ssh), std::cout,
                             std::cerr};
    return devbind::run(parsed.options, context);
}
