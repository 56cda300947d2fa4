// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The physical device that the program was pointed at, and what its tests know of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/event_fd.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/device/open.hpp>
#include <sluice/device/region_io.hpp>
#include <sluice/pci/sysfs.hpp>

namespace sluice::conformance {

inline constexpr std::uint64_t page = 4096;

/// A kind of device that has tests of its own.
struct Kind {
    std::uint16_t vendor;
    std::uint16_t device;
    const char* suites;  ///< pattern of the test suites for this kind alone
    unsigned bar;        ///< a memory BAR with registers
    std::uint64_t still; ///< a 32-bit register in it whose value stays, and is neither 0 nor all ones
};

/// The device's address, as given to the program.
const pci::Address& address();

/// A second device of the same transport; only in tests of the suite DevicePair.
const pci::Address& other();

/// What the device is. Unknown devices are refused when the program starts.
const Kind& kind();

/// The function as sysfs has it.
pci::Function function();

/// The bytes of its config space as sysfs gives them, past any mediation.
std::vector<std::uint8_t> raw_config();

/// Opens the device, or fails the test.
std::unique_ptr<device::Device> open_device(const device::OpenOptions& options = {});

/// Waits until `event` was signalled, two seconds at most.
bool arrives(const EventFd& event);

/// Nothing arrives, and nothing had.
bool silent(const EventFd& event);

/// Calls `ready` until it is true, `limit` at most.
template <typename Ready>
bool becomes(Ready ready, std::chrono::milliseconds limit = std::chrono::milliseconds(3000)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!ready())
        if (std::chrono::steady_clock::now() > end)
            return false;
    return true;
}

/// A fixture with the device open, memory decoding and bus mastering on.
class OpenDevice : public ::testing::Test {
  protected:
    void SetUp() override;

    device::Device& dev() { return *device_; }
    reg::Io& registers() { return *registers_; }

    std::unique_ptr<device::Device> device_;
    std::unique_ptr<device::RegionIo> registers_;
};

/// errno of a Result, 0 when it succeeded.
template <typename T>
int code(const Result<T>& result) {
    return result ? 0 : result.error().code();
}

} // namespace sluice::conformance
