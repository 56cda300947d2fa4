// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A small model of the 82574L and the 82540EM: registers by call, legacy descriptors, one queue each way.
/// It moves frames when it is told to, and can be made to lie.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <sluice/device/inproc.hpp>

namespace e1000_test {

using namespace sluice;

inline constexpr std::uint16_t id_82574 = 0x10d3;
inline constexpr std::uint16_t id_82540 = 0x100e;

/// One piece of a frame that was sent: where the device read it.
struct Fragment {
    const std::byte* at;
    std::size_t size;
};
struct SentFrame {
    std::vector<std::byte> bytes;
    std::vector<Fragment> fragments;
};

class NicModel {
  public:
    /// `device` gets the Device; the model lives as long as it.
    static NicModel& create(std::uint16_t device_id, std::unique_ptr<device::Device>& device);

    /// Stores a frame in the ring, as many descriptors as it takes. The address that it was written to, null
    /// when no descriptor was there (counted as missed).
    std::byte* receive(std::span<const std::byte> frame, std::uint8_t status = 0, std::uint8_t errors = 0,
                       std::uint16_t vlan = 0);

    /// Takes at most `limit` frames from the transmit ring.
    std::vector<SentFrame> transmit(std::size_t limit = SIZE_MAX);

    std::uint32_t reg(std::uint32_t offset) const { return regs_[offset / 4]; }
    void set_reg(std::uint32_t offset, std::uint32_t value) { regs_[offset / 4] = value; }

    /// The link changes, with its interrupt.
    void set_link(bool up);
    /// Every read gives ones from here on.
    void unplug() { gone_ = true; }
    bool gone() const { return gone_; }

    /// Writes any word into the descriptor that is next, or `ahead` of it, and moves on if `advance`.
    void write_rx_word(std::uint64_t word, std::uint32_t ahead = 0, bool advance = true);
    void write_tx_word(std::uint64_t word, std::uint32_t slot);
    std::uint64_t rx_address(std::uint32_t slot) const;
    std::uint32_t rx_ring_size() const { return reg(0x2808) / 16; }

    /// Called with a word that is to be written back; may change it.
    std::function<void(std::uint64_t&)> tamper;

    /// A register that always reads as this value.
    std::optional<std::pair<std::uint32_t, std::uint32_t>> stick;

    unsigned rx_doorbells = 0;
    unsigned tx_doorbells = 0;
    unsigned resets = 0;
    unsigned dma_faults = 0; ///< addresses that the space does not hold

    device::inproc::Model& device() { return *device_; }

  private:
    explicit NicModel(bool express)
        : express_(express)
        , regs_(0x20000 / 4) {
        power_on();
    }
    void power_on();
    std::uint64_t read(std::uint64_t offset);
    void write(std::uint64_t offset, std::uint32_t value);
    std::span<std::byte> dma(std::uint64_t iova, std::size_t size);
    std::span<std::byte> descriptor(std::uint32_t base, std::uint32_t slot);
    void raise(std::uint32_t causes);

    const bool express_;
    bool gone_ = false;
    bool link_ = true;
    std::vector<std::uint32_t> regs_;
    std::uint32_t mask_ = 0;
    device::inproc::Model* device_ = nullptr;
};

} // namespace e1000_test
