// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The soft NIC's registers and control queue. Sections are those of the virtio specification 1.2.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include <sluice/model/datapath.hpp>
#include <sluice/model/model_device.hpp>
#include <sluice/model/registers.hpp>
#include <sluice/model/soft_nic.hpp>

namespace sluice::inline v1::model {

/// Where the structures of §4.1.4 are: a page each, in one BAR.
inline constexpr std::uint32_t isr_at = 0x1000;
inline constexpr std::uint32_t config_at = 0x2000;
inline constexpr std::uint32_t notify_at = 0x3000;

/// §5.1.6.5. Commands are short: longer ones are refused.
class ControlQueue {
  public:
    void start(const RingMemory& memory, bool packed);
    void stop() noexcept;
    void move(const RingMemory& memory) noexcept;
    bool running() const noexcept;
    bool broken() const noexcept;

    /// Serves what waits, a ring full at most. `set_pairs` is asked for a number of queue pairs. True when
    /// the driver is to be told.
    bool serve(Memory& memory, std::uint64_t features, ReceiveFilter& filter,
               const std::function<bool(unsigned)>& set_pairs) noexcept;

  private:
    std::variant<SplitRing, PackedRing> ring_;
    Buffers buffers_;
};

class SoftNic final : public ModelDevice {
  public:
    static Result<std::unique_ptr<device::Device>> create(NicOptions options);
    ~SoftNic() override;

    Result<> read(device::Region region, std::uint64_t offset, std::span<std::byte> bytes) override;
    Result<> write(device::Region region, std::uint64_t offset, std::span<const std::byte> bytes) override;
    std::size_t poll() noexcept override;
    std::vector<device::Statistic> statistics() const override;

    static constexpr std::uint16_t max_queue_size = 1024;

  private:
    /// What the driver writes of a queue before it turns it on.
    struct Queue {
        std::uint16_t size = 0;
        std::uint16_t vector = 0xffff;
        bool enabled = false;
        std::uint64_t desc = 0;
        std::uint64_t driver = 0;
        std::uint64_t device = 0;
    };

    SoftNic(const NicOptions& options, std::unique_ptr<Backend> backend,
            std::shared_ptr<device::AddressSpace> space);

    Result<> build_device();
    std::unique_lock<std::mutex> take_over() noexcept;
    unsigned control_index() const noexcept { return 2 * datapath_.pairs(); }
    /// Of a driver that knows of one pair alone. §5.1.2.
    unsigned control_seen() const noexcept {
        return (accepted_ & feature::mq) != 0 || (accepted_ & feature::ctrl_vq) == 0 ? control_index() : 2;
    }
    bool live() const noexcept;
    bool packed() const noexcept { return (accepted_ & feature::ring_packed) != 0; }

    void clear() noexcept;
    void go_live() noexcept;
    void start_queue(unsigned index) noexcept;
    std::optional<RingMemory> find_areas(const Queue& queue) noexcept;
    void follow_memory() noexcept;
    bool features_fit() const noexcept;
    void doorbell(unsigned index) noexcept;
    void needs_reset() noexcept;
    void interrupt(std::uint16_t vector, std::uint8_t cause) noexcept;
    Queue* selected() noexcept { return select_ < queues_.size() ? &queues_[select_] : nullptr; }

    template <std::uint64_t Queue::* Address, bool High>
    std::uint64_t read_address();
    template <std::uint64_t Queue::* Address, bool High>
    void write_address(std::uint64_t value);

    // Common configuration, in its order: §4.1.4.3.
    std::uint64_t device_feature_select() { return offered_select_; }
    void set_device_feature_select(std::uint64_t value) { offered_select_ = value; }
    std::uint64_t device_feature();
    std::uint64_t driver_feature_select() { return accepted_select_; }
    void set_driver_feature_select(std::uint64_t value) { accepted_select_ = value; }
    std::uint64_t driver_feature();
    void set_driver_feature(std::uint64_t value);
    std::uint64_t config_vector() { return config_vector_; }
    void set_config_vector(std::uint64_t value) { config_vector_ = usable_vector(value); }
    std::uint64_t num_queues() { return queues_.size(); }
    std::uint64_t status() { return status_; }
    void set_status(std::uint64_t value);
    std::uint64_t generation() { return 0; }
    std::uint64_t queue_select() { return select_; }
    void set_queue_select(std::uint64_t value) { select_ = static_cast<std::uint16_t>(value); }
    std::uint64_t queue_size() { return selected() != nullptr ? selected()->size : 0; }
    void set_queue_size(std::uint64_t value);
    std::uint64_t queue_vector() { return selected() != nullptr ? selected()->vector : 0xffff; }
    void set_queue_vector(std::uint64_t value);
    std::uint64_t queue_enable() { return selected() != nullptr && selected()->enabled ? 1 : 0; }
    void set_queue_enable(std::uint64_t value);
    std::uint64_t queue_notify_off() { return select_; }
    std::uint16_t usable_vector(std::uint64_t value) const noexcept;

    std::uint64_t isr();
    // Device configuration: §5.1.4.
    std::uint64_t mac();
    std::uint64_t link_status() { return 1; }
    std::uint64_t max_pairs() { return datapath_.pairs(); }
    std::uint64_t speed() { return 10'000; }
    std::uint64_t duplex() { return 1; }

    static const std::vector<RegisterRow<SoftNic>>& common_rows();
    static const std::vector<RegisterRow<SoftNic>>& config_rows();
    std::uint64_t read_register(std::uint64_t offset, unsigned width);
    void write_register(std::uint64_t offset, unsigned width, std::uint64_t value);

    const std::uint64_t offered_;
    const std::array<std::byte, 6> mac_;
    std::unique_ptr<Backend> backend_;
    SpaceMemory memory_;
    Datapath datapath_;
    ControlQueue control_;

    /// Of all that follows, between the thread that controls the device and the one that polls it. The first
    /// comes before the other: it says that it waits.
    std::mutex mutex_;
    std::atomic<unsigned> waiting_{0};
    std::vector<Queue> queues_;
    const bool mapped_doorbells_;
    std::uint64_t accepted_ = 0;
    std::uint64_t offered_select_ = 0;
    std::uint64_t accepted_select_ = 0;
    std::uint64_t space_changes_ = 0;
    std::uint16_t config_vector_ = 0xffff;
    std::uint16_t select_ = 0;
    std::uint8_t status_ = 0;
    std::atomic<std::uint8_t> isr_{0};
};

} // namespace sluice::inline v1::model
