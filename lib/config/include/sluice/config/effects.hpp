// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a write to configuration space does beside changing bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <sluice/base/error.hpp>
#include <sluice/config/diagnostic.hpp>

namespace sluice::inline v1::config {

/// Who carries an effect out.
enum class Disposition : std::uint8_t {
    done,       ///< the transport has done it, or it happens inside the write that the Space makes anyway
    pass_write, ///< the Space writes the register, once: whoever is below the Backend does the effect
    unsupported ///< nobody can; the Space notes it and the write otherwise succeeds
};

/// Device power states in the operating system's numbering. PCI Power Management 1.2 §2.
enum class PowerState : std::uint8_t { d0, d1, d2, d3hot, d3cold };

/// Which register asked for a function reset.
enum class ResetKind : std::uint8_t { express, advanced_features };

/// How the user receives interrupts now, as set through the transport and not through config space.
enum class IrqType : std::uint8_t { none, intx, msi, msix };

/// Effects of one function: what a transport implements beside its Backend.
///
/// Every function has a default, and the defaults suit a transport below which another mediator sits (the
/// kernel's vfio-pci, a vfio-user server): what has a register is passed as one write, the rest happens
/// inside that write. An Error is recorded as a diagnostic; as on hardware, the user's write still succeeds.
/// One thread at a time; may be called from inside any Space::write().
class Effects {
  public:
    virtual ~Effects() = default;

    /// Function-level reset: a one was written to Initiate Function Level Reset (Express) or Initiate FLR
    /// (Advanced Features) of a function that has it. `pass_write`: that bit is written once.
    virtual Result<Disposition> reset(ResetKind) { return Disposition::pass_write; }

    /// Power state asked for through PMCSR (d0 to d3hot). `pass_write`: PMCSR is written with the state bits.
    virtual Result<Disposition> set_power(PowerState) { return Disposition::pass_write; }

    /// The state that the function is in, where the transport tracks it; otherwise the Space reads PMCSR.
    virtual std::optional<PowerState> power() const { return std::nullopt; }

    /// COMMAND's interrupt-disable bit. `pass_write`: COMMAND is written if the bit differs there.
    virtual Result<Disposition> set_intx_disabled(bool) { return Disposition::pass_write; }

    /// Maximum read request in bytes, already raised to the payload size in force. `pass_write`: the field is
    /// written as the user wrote it.
    virtual Result<Disposition> set_read_request(unsigned) { return Disposition::pass_write; }

    /// Reads four bytes of vital product data at a byte address; missing ones stay zero.
    virtual Result<Disposition> vpd_read(std::uint16_t, std::span<std::uint8_t, 4>) {
        return Disposition::pass_write;
    }

    /// Writes four bytes of vital product data. `done` only if all four were taken.
    virtual Result<Disposition> vpd_write(std::uint16_t, std::span<const std::uint8_t, 4>) {
        return Disposition::pass_write;
    }

    /// Memory decoding is about to end (MEMORY cleared, D3hot, reset): take user mappings of BARs away.
    virtual void zap() {}

    /// The BARs lost their contents. `bars` are BAR0..5 and the ROM as read when the Space was made.
    /// `pass_write`: the Space writes them.
    virtual Result<Disposition> restore_bars(std::span<const std::uint32_t, 7>) { return Disposition::done; }

    /// A finding, at the moment it is made. Space::diagnostics() keeps them too.
    virtual void report(const Diagnostic&) {}
};

} // namespace sluice::inline v1::config
