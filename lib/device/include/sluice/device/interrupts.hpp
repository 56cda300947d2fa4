// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A device's interrupts, delivered by eventfds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::device {

/// Kinds of interrupt. The numbers are those of kernel VFIO and of sluice_pci.
enum class Irq : std::uint8_t {
    intx = 0,
    msi,
    msix,
    error,   ///< the device reported an uncorrectable error
    request, ///< close the device, please: it is being unbound or unplugged
};

inline constexpr std::size_t irq_count = 5;

/// "INTx", "MSI", "MSI-X", "error", "request".
const char* name(Irq irq) noexcept;

struct IrqInfo {
    std::uint32_t count = 0; ///< vectors that the device has; 0 when there are none of this kind
    bool maskable = false;   ///< takes mask() and unmask()
    bool automasked = false; ///< masks itself when it fires; unmask() to get the next
    bool can_add = false;    ///< set() may add vectors while others are live
};

/// The interrupts of one Device, which owns it. Not thread-safe: one thread controls them at a time; the
/// eventfds may be waited on by any. INTx, MSI and MSI-X exclude each other.
/// Eventfds stay the caller's; a descriptor may be closed once it was taken away (−1) or its kind is off.
class Interrupts {
  public:
    virtual ~Interrupts() = default;

    virtual IrqInfo info(Irq irq) const noexcept = 0;

    /// Turns `irq` on with eventfds.size() vectors, the first being vector 0; −1 keeps a vector with no
    /// eventfd. INTx, error and request take exactly one; INTx is unmasked afterwards.
    /// EINVAL: none or too many vectors, no such kind. EBUSY: it is on already, or another of INTx, MSI and
    /// MSI-X is. ENOSPC: the host has fewer vectors left.
    virtual Result<> enable(Irq irq, std::span<const int> eventfds) = 0;

    /// Replaces the eventfds of vectors `first`… of a kind that is on, −1 takes one away. Vectors beyond
    /// those that are on are added live where info().can_add says so, and are EINVAL elsewhere.
    virtual Result<> set(Irq irq, std::uint32_t first, std::span<const int> eventfds) = 0;

    /// Turns `irq` off. Not an error when it is off.
    virtual Result<> disable(Irq irq) = 0;

    /// Stops and restarts delivery of INTx. EINVAL when INTx is not on.
    virtual Result<> mask_intx() = 0;
    virtual Result<> unmask_intx() = 0;

    /// Signals vector `vector` as if the device had: for tests of the path to the eventfd.
    /// EINVAL when that vector is not on.
    virtual Result<> trigger(Irq irq, std::uint32_t vector) = 0;

  protected:
    Interrupts() = default;
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
};

} // namespace sluice::inline v1::device
