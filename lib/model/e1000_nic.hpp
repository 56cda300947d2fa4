// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The rings of Intel's 82574L and 82540EM, with as many registers as a driver needs to start. Sections are
/// those of the 82574 datasheet, [8254x] those of the PCI/PCI-X Family Software Developer's Manual.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include <sluice/model/memory.hpp>
#include <sluice/model/model_device.hpp>

namespace sluice::inline v1::model {

/// Legacy descriptors, one queue each way, looped: a sent frame is received. No interrupt is ever raised.
class E1000Nic final : public ModelDevice {
  public:
    static constexpr std::uint16_t id_82574 = 0x10d3;
    static constexpr std::uint16_t id_82540 = 0x100e;

    static Result<std::unique_ptr<device::Device>> create(std::uint16_t device_id);

    std::size_t poll() noexcept override;
    std::vector<device::Statistic> statistics() const override;

  private:
    /// One ring while it is looked at: where it is, and its head.
    struct Ring {
        std::byte* descriptors = nullptr;
        std::uint32_t size = 0;
        std::uint32_t head = 0;
        std::uint32_t tail = 0;

        std::byte* slot(std::uint32_t ahead) const noexcept {
            return descriptors + std::size_t{16} * ((head + ahead) % size);
        }
        std::uint32_t waiting() const noexcept { return (tail + size - head) % size; }
    };

    E1000Nic(device::Identity identity, std::shared_ptr<device::AddressSpace> space, bool express);

    Result<> build_device();
    void power_on() noexcept;
    std::uint64_t read_register(std::uint64_t offset) noexcept;
    void write_register(std::uint64_t offset, std::uint32_t value) noexcept;
    std::uint32_t load(std::uint32_t offset) const noexcept;
    void store(std::uint32_t offset, std::uint32_t value) noexcept;

    Ring ring_at(std::uint32_t base, bool enabled) noexcept;
    std::uint32_t frame_slots(const Ring& sent, std::uint32_t& bytes) const noexcept;
    bool copy(const Ring& sent, std::uint32_t slots, const Ring& received, std::uint32_t parts) noexcept;

    const bool express_;
    SpaceMemory memory_;
    std::mutex mutex_;
    std::uint32_t buffer_ = 2048; ///< bytes of a receive buffer
    std::atomic<std::uint64_t> moved_{0};
};

} // namespace sluice::inline v1::model
