// SPDX-License-Identifier: BSD-3-Clause
#include "claims.hpp"

#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace sluice::devbind {

std::string claimed_by(const pci::Roots& roots, const pci::Address& address, const std::string& driver) {
    const std::string bdf = address.to_string();
    const std::string of_driverctl = "/etc/driverctl.d/" + bdf;
    std::string claimed;
    if (std::ifstream(roots.resolve(of_driverctl)) >> claimed && claimed != driver)
        return fmt::format("driverctl gives it to {} ({})", claimed, of_driverctl);

    constexpr const char* of_dpdk = "/etc/dpdk/interfaces";
    std::ifstream file(roots.resolve(of_dpdk));
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string bus;
        std::string id;
        if (words >> bus >> id >> claimed && bus == "pci" && id == bdf && claimed != driver)
            return fmt::format("dpdk.service gives it to {} ({})", claimed, of_dpdk);
    }
    return {};
}

} // namespace sluice::devbind
