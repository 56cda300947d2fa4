// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A virtio network device for tests: registers and split rings by the specification, moved only when a test
/// says so, and able to lie.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <sluice/device/inproc.hpp>

#include "desc.hpp"
#include "features.hpp"

namespace virtio_test {

using namespace sluice;
using virtio::Feature;

using Bytes = std::vector<std::byte>;

struct ModelOptions {
    virtio::Features features;
    std::uint16_t queue_size = 256;
    std::uint16_t pairs = 1;
    std::uint16_t mtu = 9000;
    std::uint32_t vectors = 8;
    bool mapped_doorbells = false; ///< doorbells are memory, and ring nothing

    /// Everything that a test device can do, mergeable buffers included.
    static ModelOptions full();
    /// The same with `feature`.
    ModelOptions with(Feature feature) const;
    /// The same without `feature`.
    ModelOptions without(Feature feature) const;
};

/// One chain of descriptors that the driver made available.
struct Chain {
    struct Part {
        std::span<std::byte> memory;
        bool device_writes = false;
    };
    std::uint16_t id = 0;
    std::vector<Part> parts;

    /// All that the device may read, end to end.
    Bytes bytes() const;
};

/// A frame as the device saw it.
struct SentFrame {
    virtio::NetHeader header;
    Bytes bytes;
    const std::byte* data = nullptr; ///< where the first byte was read
    std::size_t descriptors = 0;
    std::uint16_t id = 0;
};

struct Command {
    std::uint8_t cls = 0;
    std::uint8_t command = 0;
    Bytes data;
};

class NetModel {
  public:
    /// The model lives as long as the device.
    static NetModel& create(const ModelOptions& options, std::unique_ptr<device::Device>& device);

    // What the driver did.
    std::uint8_t status() const noexcept { return status_; }
    bool running() const noexcept { return (status_ & 4) != 0; }
    virtio::Features accepted() const noexcept { return virtio::Features(accepted_); }
    unsigned doorbells(unsigned queue) const { return queues_[queue].doorbells; }
    bool enabled(unsigned queue) const { return queues_[queue].enable != 0; }
    std::uint16_t size_of(unsigned queue) const { return queues_[queue].size; }
    std::uint16_t vector_of(unsigned queue) const { return queues_[queue].vector; }
    /// Published and not taken yet.
    unsigned available(unsigned queue) const;
    const std::vector<Command>& commands() const noexcept { return commands_; }
    /// Register writes, as (offset in the common structure, value).
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& writes() const noexcept { return writes_; }

    // Device side of the rings.
    std::optional<Chain> take(unsigned queue);
    void use(unsigned queue, std::uint32_t id, std::uint32_t length);
    /// In order: one answer for the `frames` buffers from slot `first` to `last`, with the last one's length;
    /// the elements that the others would have had stay as they are. §2.7.9.
    void use_batch(unsigned queue, std::uint16_t first, std::uint16_t last, std::uint16_t frames,
                   std::uint32_t length = 0);
    /// Of a packed ring: marks so many descriptors as used, and changes nothing else in them.
    void add_to_used_index(unsigned queue, std::uint16_t by);
    void want_doorbells(unsigned queue, bool wanted);
    /// Fires the queue's vector if the driver wants interrupts. True if it did.
    bool interrupt(unsigned queue);

    /// Receives `frame` on pair `pair`, in as many buffers as it needs. False: too few were available.
    bool deliver(std::span<const std::byte> frame, unsigned pair = 0);
    /// Takes all frames that pair `pair` sends, and completes them if asked.
    std::vector<SentFrame> sent(unsigned pair = 0, bool complete = true);

    // How it behaves.
    void set_link(bool up);
    void offer(virtio::Features features) { options_.features = features; }
    void answer_commands(std::optional<std::uint8_t> answer) { answer_ = answer; }
    void refuse_features(bool refuse) { refuse_features_ = refuse; }
    void finish_resets(bool finish) { finish_resets_ = finish; }
    void be_gone() { gone_ = true; }
    /// From the `reads`th register read on, every read gives all ones.
    void be_gone_after(unsigned reads) { reads_left_ = reads; }
    device::inproc::Model& device() noexcept { return *device_; }
    const std::shared_ptr<device::AddressSpace>& space() { return device_->space(); }

  private:
    struct QueueState {
        std::uint16_t size = 0;
        std::uint16_t vector = 0xffff;
        std::uint16_t enable = 0;
        std::uint64_t desc = 0;
        std::uint64_t driver = 0;
        std::uint64_t device = 0;
        std::uint16_t taken = 0;
        std::uint16_t used = 0;
        unsigned doorbells = 0;
        std::vector<std::uint16_t> spans; ///< descriptors of a packed ring's buffers, by their ids
    };

    explicit NetModel(const ModelOptions& options);
    void reset();
    std::uint64_t read(std::uint64_t offset, unsigned width);
    void write(std::uint64_t offset, unsigned width, std::uint64_t value);
    std::uint64_t read_common(std::uint64_t offset);
    void write_common(std::uint64_t offset, std::uint64_t value);
    void ring(std::uint16_t queue);
    bool packed() const;
    virtio::PackedDesc packed_desc(const QueueState& queue, std::uint16_t position) const;
    bool is_available(const QueueState& queue, std::uint16_t position) const;
    std::optional<Chain> take_split(QueueState& state);
    std::optional<Chain> take_packed(QueueState& state);
    void write_used(unsigned queue, std::uint16_t id, std::uint32_t length);
    void serve_commands();
    unsigned control_queue() const;
    void add_capability(device::inproc::ConfigImage& image, std::uint8_t type, std::uint8_t bar,
                        std::uint32_t offset, std::uint32_t length, bool notify = false);
    std::span<std::byte> memory(std::uint64_t iova, std::size_t size) const;

    ModelOptions options_;
    device::inproc::Model* device_ = nullptr;
    std::array<std::byte, 64> net_config_{};
    std::vector<QueueState> queues_;
    std::uint8_t status_ = 0;
    std::uint32_t offered_select_ = 0;
    std::uint32_t accepted_select_ = 0;
    std::uint64_t accepted_ = 0;
    std::uint16_t queue_select_ = 0;
    std::uint16_t config_vector_ = 0xffff;
    std::uint8_t generation_ = 0;
    std::optional<std::uint8_t> answer_ = std::uint8_t{0};
    bool refuse_features_ = false;
    bool finish_resets_ = true;
    bool gone_ = false;
    std::optional<unsigned> reads_left_;
    std::vector<Command> commands_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> writes_;
};

} // namespace virtio_test
