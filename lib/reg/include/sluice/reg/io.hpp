// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// How the control path reaches registers, whatever lies behind them: a mapped BAR, a region that is
/// read and written by calls, or a model.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sluice::inline v1::reg {

/// A window of registers. Offsets and widths are in bytes; values are the host's integers, the window
/// converts to the device's little-endian order. An access that the device does not answer reads as
/// all ones. Threading: as the device behind it; the provided windows have no state of their own.
class Io {
  public:
    virtual ~Io() = default;

    virtual std::size_t size() const noexcept = 0;

    /// Reads `width` (1, 2, 4 or 8) bytes at `offset`, which is a multiple of `width`.
    virtual std::uint64_t read(std::size_t offset, unsigned width) noexcept = 0;
    virtual void write(std::size_t offset, unsigned width, std::uint64_t value) noexcept = 0;

    /// Where `width` bytes at `offset` are mapped, or null when they can be reached by calls alone.
    virtual volatile std::byte* pointer(std::size_t offset, unsigned width) noexcept = 0;
};

/// Makes earlier writes to memory visible to the device before any later register write.
inline void publish() noexcept {
#if defined(__aarch64__)
    asm volatile("dmb oshst" ::: "memory");
#else
    asm volatile("" ::: "memory"); // x86 keeps stores in order, also to uncached memory
#endif
}

/// Registers in mapped memory: a BAR, or a model's page.
class MappedIo final : public Io {
  public:
    MappedIo() noexcept = default;
    explicit MappedIo(std::span<std::byte> memory) noexcept
        : memory_(memory) {}

    std::size_t size() const noexcept override { return memory_.size(); }
    std::uint64_t read(std::size_t offset, unsigned width) noexcept override;
    void write(std::size_t offset, unsigned width, std::uint64_t value) noexcept override;
    volatile std::byte* pointer(std::size_t offset, unsigned width) noexcept override;

  private:
    std::span<std::byte> memory_;
};

} // namespace sluice::inline v1::reg
