// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A driver's side of virtqueues for tests, by virtio 1.2 §2.7 and §2.8, that can lie.
#pragma once

#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <sluice/model/memory.hpp>
#include <sluice/model/ring.hpp>

namespace model_test {

using namespace sluice;
using Bytes = std::vector<std::byte>;

/// Memory of a driver, in two windows whose border lies in its middle; addresses are no pointers.
class Block final : public model::Memory {
  public:
    static constexpr std::uint64_t base = 0x4000'0000'0000;
    static constexpr std::size_t size = std::size_t{1} << 20;

    Block();

    std::byte* at(std::uint64_t address) { return bytes_.data() + (address - base); }
    /// `bytes` more, on a page of their own; their address.
    std::uint64_t take(std::size_t bytes);
    std::span<std::byte> span() { return bytes_; }

    bool gone = false; ///< nothing is mapped

  private:
    Window find(std::uint64_t address) noexcept override;

    std::span<std::byte> bytes_;
    std::vector<std::byte> owner_;
    std::size_t taken_ = 0;
};

struct Part {
    std::uint64_t address;
    std::uint32_t size;
    bool device_writes = false;
};

struct UsedChain {
    std::uint16_t id;
    std::uint32_t length;
    friend bool operator==(const UsedChain&, const UsedChain&) = default;
};

/// Addresses of a queue's areas.
struct Areas {
    std::uint64_t desc;
    std::uint64_t driver;
    std::uint64_t device;
};

/// What both kinds of ring have.
class RingDriver {
  public:
    void want_interrupts(bool wanted);
    bool doorbells_wanted();
    model::RingMemory memory();
    const Areas& areas() const { return areas_; }
    std::uint16_t size() const { return size_; }

  protected:
    RingDriver(Block& block, std::uint16_t size, bool packed);

    Block& block_;
    const Areas areas_;
    const std::uint16_t size_;
    const std::uint64_t flags_;      ///< where they are in the areas of the driver and of the device
    std::deque<std::uint16_t> free_; ///< indices of a split ring, ids of a packed one
};

class SplitDriver : public RingDriver {
  public:
    using Ring = model::SplitRing;
    static constexpr bool packed = false;

    SplitDriver(Block& block, std::uint16_t size);
    /// Publishes a chain; its id.
    std::uint16_t post(std::span<const Part> parts);
    std::optional<UsedChain> used();

    model::SplitDesc& desc(std::uint16_t index);
    void set_avail(std::uint16_t entry, std::uint16_t id);
    void set_idx(std::uint16_t idx);

  private:
    std::uint16_t avail_ = 0;
    std::uint16_t next_used_ = 0;
    std::vector<std::vector<std::uint16_t>> chains_;
};

class PackedDriver : public RingDriver {
  public:
    using Ring = model::PackedRing;
    static constexpr bool packed = true;

    PackedDriver(Block& block, std::uint16_t size);
    std::uint16_t post(std::span<const Part> parts);
    std::optional<UsedChain> used();

    model::PackedDesc& desc(std::uint16_t index);

  private:
    std::uint16_t next_ = 0;
    bool wrap_ = true;
    std::uint16_t used_ = 0;
    bool used_wrap_ = true;
    std::vector<std::uint16_t> lengths_;
};

} // namespace model_test
