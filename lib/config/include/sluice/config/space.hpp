// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Mediated configuration space: every access of a driver or of a guest goes through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/config/backend.hpp>
#include <sluice/config/diagnostic.hpp>
#include <sluice/config/effects.hpp>
#include <sluice/config/facts.hpp>
#include <sluice/config/policy.hpp>

namespace sluice::inline v1::config {

/// Owner of a byte that belongs to no visible capability, and of one that lives in the shadow alone.
inline constexpr std::uint8_t owner_none = 0xff;
inline constexpr std::uint8_t owner_virtual = 0xfe;

/// Where a bit may be: one byte of each mask per byte of configuration space.
struct BitAccess {
    std::uint8_t virt = 0;  ///< one: the bit lives in the shadow
    std::uint8_t write = 0; ///< one: the user may change it
};

/// Configuration space of one function as its user sees it.
///
/// Each byte belongs to a capability; a read merges shadow and hardware by the capability's `virt` mask, a
/// write is limited by its `write` mask, and some writes have effects (config::Effects). The Space is total:
/// any image, offset, width and order gives a defined answer. Multi-byte values are little-endian, as on the
/// bus. One thread at a time. The Backend and Effects are borrowed and must outlive it.
class Space {
  public:
    /// Reads the function's capabilities and builds shadow and masks. Fails if the backend fails and, under
    /// the kernel policies, where vfio-pci refuses the device (EFAULT for a misaligned capability).
    static Result<Space> create(Backend& backend, Effects& effects, const Facts& facts,
                                Policy policy = Policy::strict);

    struct State;

    Space(Space&&) noexcept;
    Space& operator=(Space&&) noexcept;
    ~Space();

    /// 256 or 4096.
    std::uint32_t size() const noexcept;
    Policy policy() const noexcept;
    RuleSet rules() const noexcept;

    /// Reads `data.size()` bytes from `offset`, split at dword boundaries and at owners. EFAULT, with nothing
    /// done, if they do not all lie inside; the backend's errno if an access fails.
    Result<void> read(std::uint32_t offset, std::span<std::byte> data);

    /// Writes bytes; what the masks do not let through is dropped silently, as hardware does. On an error the
    /// pieces before it have been written.
    Result<void> write(std::uint32_t offset, std::span<const std::byte> data);

    Result<std::uint8_t> read8(std::uint32_t offset);
    Result<std::uint16_t> read16(std::uint32_t offset);
    Result<std::uint32_t> read32(std::uint32_t offset);
    Result<void> write8(std::uint32_t offset, std::uint8_t value);
    Result<void> write16(std::uint32_t offset, std::uint16_t value);
    Result<void> write32(std::uint32_t offset, std::uint32_t value);

    /// Offset of the first capability with `id` behind `after` in the list that the user sees (0: from its
    /// start), or 0. PCI Local Bus 3.0 §6.7.
    std::uint32_t find_capability(std::uint8_t id, std::uint32_t after = 0);

    /// The same for extended capabilities. PCI Express Base §7.6.3.
    std::uint32_t find_extended_capability(std::uint16_t id, std::uint32_t after = 0);

    /// Conveniences of drivers, all through COMMAND and the masks. PCI Local Bus 3.0 §6.2.2.
    Result<void> set_bus_master(bool on);
    Result<void> set_memory_decoding(bool on);
    Result<void> set_intx_disabled(bool on);

    /// Asks for a function reset through Express or Advanced Features; ENOTSUP if the function has neither.
    Result<void> request_reset();

    /// True if the user may reach memory BARs now: power above D3hot and COMMAND.MEMORY set.
    bool memory_enabled() const noexcept;
    PowerState power() const noexcept;
    bool extended_capabilities() const noexcept;

    /// Interrupts that the user enabled by other means than config space. MSI's enable bit and its
    /// multiple-message field follow it.
    void set_irq_type(IrqType type) noexcept;
    /// Vectors allocated for MSI (1 to 32): caps the multiple-message field at the next power of two.
    void set_msi_vectors(unsigned count) noexcept;

    /// Capability id that owns each byte: 0 the header, owner_none, owner_virtual, or the id (low byte of an
    /// extended one).
    std::span<const std::uint8_t> owners() const noexcept;

    /// The masks in force at `offset`. For bytes that are passed raw, `virt` 0 and `write` ff.
    BitAccess access(std::uint32_t offset) const noexcept;

    /// The shadow, `size()` bytes; bytes that no visible capability owns are meaningless.
    std::span<const std::uint8_t> shadow() const noexcept;

    /// BAR0..5 and the ROM as read from hardware when the Space was made.
    std::span<const std::uint32_t, 7> saved_bars() const noexcept;

    /// What was remarkable, oldest first; at most 256 are kept.
    std::span<const Diagnostic> diagnostics() const noexcept;

    /// The bits of each byte that this Space may ever carry from a user's write to hardware: the mask handed
    /// to the module, which clears more. `size()` bytes.
    std::vector<std::uint8_t> compile_floor_mask() const;

    /// Makes bytes belong to `owner` by force; owner_virtual also takes their present hardware values into
    /// the shadow. For device-specific registers that only the caller knows.
    Result<void> assign(std::uint32_t offset, std::uint32_t length, std::uint8_t owner);

    /// The rest of what a Space keeps, for tools and tests.
    struct Status {
        bool intx_disabled; ///< the virtual interrupt-disable bit as last acted on
        bool bars_dirty;    ///< BARs were written and not read since
        IrqType irq_type;
        unsigned msi_limit; ///< log2 of MSI's vectors
    };
    Status status() const noexcept;

  private:
    explicit Space(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

} // namespace sluice::inline v1::config
