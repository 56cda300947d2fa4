// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// One open device, by vfio-pci's own file or through the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/config/policy.hpp>
#include <sluice/config/recorder.hpp>
#include <sluice/device/device.hpp>

namespace sluice::configdiff {

/// Who answers.
enum class Route : std::uint8_t {
    kernel, ///< vfio-pci alone
    engine, ///< the engine over sluice_pci
    twice,  ///< the engine over vfio-pci
};

const char* name(Route route) noexcept;
std::optional<Route> parse_route(const std::string& text) noexcept;

/// Errors are errno values, positive; 0 is success.
class Subject {
  public:
    virtual ~Subject() = default;
    virtual int read(std::uint32_t offset, unsigned width, std::uint32_t& value) = 0;
    virtual int write(std::uint32_t offset, unsigned width, std::uint32_t value) = 0;
    /// Turns a kind of interrupt on with so many vectors, or off with 0.
    virtual int interrupts(device::Irq irq, unsigned vectors) = 0;
    /// Bits that sluice_pci lets writes carry to hardware, as its ioctl tells; empty on the other routes.
    virtual std::vector<std::uint8_t> floor() { return {}; }
    /// Access to a BAR, for what an access to config space does to the device.
    virtual int bar(unsigned index, std::uint64_t offset, std::uint8_t& byte, bool write) = 0;
};

/// Opens the function, which the route's driver must hold. `observer` sees what the engine does below itself.
Result<std::unique_ptr<Subject>> open_subject(Route route, const std::string& bdf, config::Policy policy,
                                              config::Observer* observer = nullptr);

/// The function's hardware as the kernel's file has it, past every mediator: 256 or 4096 bytes.
Result<std::vector<std::uint8_t>> hardware(const std::string& bdf);

/// Writes bytes behind the header that a reset of the function leaves as somebody wrote them, past every
/// mediator, until hardware is as `wanted`. True if anything was to be written.
Result<bool> put_back(const std::string& bdf, const std::vector<std::uint8_t>& wanted);

} // namespace sluice::configdiff
