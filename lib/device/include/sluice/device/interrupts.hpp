// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A device's interrupts, delivered by eventfds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::config {
class Space;
}

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
    bool maskable = false;   ///< takes mask_intx() and unmask_intx()
    bool automasked = false; ///< masks itself when it fires; unmask to get the next
    bool can_add = false;    ///< set() may add vectors while others are live
};

/// The interrupts of one Device, which owns it. Not thread-safe: one thread controls them at a time; the
/// eventfds may be waited on by any. INTx, MSI and MSI-X exclude each other.
/// Eventfds stay the caller's; a descriptor may be closed once it was taken away (−1) or its kind is off.
class Interrupts {
  public:
    virtual ~Interrupts() = default;

    const IrqInfo& info(Irq irq) const noexcept { return infos_[static_cast<std::size_t>(irq)]; }

    /// Vectors that are on.
    std::uint32_t active(Irq irq) const noexcept { return active_[static_cast<std::size_t>(irq)]; }

    /// Turns `irq` on with eventfds.size() vectors, the first being vector 0; −1 keeps a vector with no
    /// eventfd. INTx, error and request take exactly one, not −1; INTx is unmasked afterwards.
    /// EINVAL: none or too many vectors, no such kind. EBUSY: it is on already, or another of INTx, MSI and
    /// MSI-X is. ENOSPC: the host has fewer vectors left.
    Result<> enable(Irq irq, std::span<const int> eventfds);

    /// Replaces the eventfds of vectors `first`… of a kind that is on, −1 takes one away. Vectors beyond
    /// those that are on are added live where info().can_add says so, and are EINVAL elsewhere.
    Result<> set(Irq irq, std::uint32_t first, std::span<const int> eventfds);

    /// Turns `irq` off. Not an error when it is off.
    Result<> disable(Irq irq);

    /// Stops and restarts delivery of INTx. EINVAL when INTx is not on.
    Result<> mask_intx();
    Result<> unmask_intx();

    /// Signals vector `vector` as if the device had: for tests of the path to the eventfd.
    /// EINVAL when that vector is not on.
    Result<> trigger(Irq irq, std::uint32_t vector);

  protected:
    using Infos = std::array<IrqInfo, irq_count>;

    /// `device` names the device in errors.
    Interrupts(std::string device, const Infos& infos) noexcept
        : device_(std::move(device))
        , infos_(infos) {}
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    /// Keeps `space` told which kind is on; null ends that.
    void follow(config::Space* space) noexcept {
        config_ = space;
        tell_config();
    }

    /// What the public functions promise, after their arguments were checked. do_set of vectors from `first`
    /// when `irq` is off turns it on.
    virtual Result<> do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) = 0;
    virtual Result<> do_disable(Irq irq) = 0;
    virtual Result<> do_mask_intx(bool masked) = 0;
    virtual Result<> do_trigger(Irq irq, std::uint32_t vector) = 0;

  private:
    std::string object(Irq irq) const;
    void tell_config() noexcept;

    const std::string device_;
    const Infos infos_;
    std::array<std::uint32_t, irq_count> active_{};
    config::Space* config_ = nullptr;
};

} // namespace sluice::inline v1::device
