// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A driver's memory as a device sees it: addresses that come from the other side become pointers here, or do
/// not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>

#include <sluice/device/address_space.hpp>

namespace sluice::inline v1::model {

/// Translates addresses, bounded by the mapping that holds them. Keeps the last mappings that it met; whoever
/// ends a mapping calls forget() first, or has begin() do it. One thread at a time.
class Memory {
  public:
    virtual ~Memory() = default;

    /// The bytes from `address` on that one mapping holds, `size` at most, and none where nothing is mapped
    /// or not for this access. A buffer that goes on in the next mapping is asked for again from there.
    std::span<std::byte> translate(std::uint64_t address, std::size_t size, bool write) noexcept {
        for (const Window& window : windows_) {
            const std::uint64_t offset = address - window.first;
            if (offset < window.size && (write ? window.writable : window.readable)) [[likely]]
                return {window.data + offset,
                        size < window.size - offset ? size : static_cast<std::size_t>(window.size - offset)};
        }
        return translate_other(address, size, write);
    }

    /// All of [address, address + size) as one piece of this process's memory, null if it is none.
    std::byte* contiguous(std::uint64_t address, std::size_t size, bool write) noexcept;

    void forget() noexcept { windows_ = {}; }

    /// Around each bounded piece of work: mappings stay as they are in between.
    virtual void begin() noexcept {}
    virtual void end() noexcept {}

  protected:
    struct Window {
        std::uint64_t first = 0;
        std::uint64_t size = 0; ///< 0: nothing
        std::byte* data = nullptr;
        bool readable = false;
        bool writable = false;
    };

    Memory() = default;
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    /// The mapping that holds `address`.
    virtual Window find(std::uint64_t address) noexcept = 0;

  private:
    std::span<std::byte> translate_other(std::uint64_t address, std::size_t size, bool write) noexcept;

    std::array<Window, 4> windows_{};
    std::size_t oldest_ = 0;
};

/// Holds a Memory's mappings for one piece of work.
class MemoryGuard {
  public:
    explicit MemoryGuard(Memory& memory) noexcept
        : memory_(memory) {
        memory_.begin();
    }
    MemoryGuard(const MemoryGuard&) = delete;
    MemoryGuard& operator=(const MemoryGuard&) = delete;
    ~MemoryGuard() { memory_.end(); }

  private:
    Memory& memory_;
};

/// The memory that an address space maps.
class SpaceMemory final : public Memory {
  public:
    explicit SpaceMemory(std::shared_ptr<device::AddressSpace> space) noexcept
        : space_(std::move(space)) {}

    void begin() noexcept override;
    void end() noexcept override { hold_ = {}; }

  private:
    Window find(std::uint64_t address) noexcept override;

    std::shared_ptr<device::AddressSpace> space_;
    std::shared_lock<std::shared_mutex> hold_;
    std::uint64_t changes_ = 0;
};

} // namespace sluice::inline v1::model
