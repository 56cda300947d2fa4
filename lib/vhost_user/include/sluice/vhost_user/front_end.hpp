// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The front-end's half of a conversation: requests, and their answers.
#pragma once

#include <cstdint>
#include <span>

#include <sluice/base/error.hpp>
#include <sluice/vhost_user/channel.hpp>

namespace sluice::inline v1::vhost_user {

/// Speaks to a back-end. Every call waits for an answer where there is one, five seconds at most (ETIMEDOUT),
/// and after any error but EREMOTEIO (the back-end refuses) the connection is of no use. Not thread-safe.
class FrontEnd {
  public:
    explicit FrontEnd(UniqueFd socket) noexcept
        : channel_(std::move(socket)) {}

    int fd() const noexcept { return channel_.fd(); }

    /// Features of virtio, and bit 30.
    Result<std::uint64_t> features();
    /// Agrees on those of `wanted` that the back-end has; what they are. Refusals show from here on.
    Result<std::uint64_t> negotiate_protocol(std::uint64_t wanted);
    bool has(std::uint64_t protocol_feature) const noexcept { return (protocol_ & protocol_feature) != 0; }

    /// Queue pairs that the back-end has. With protocol::mq.
    Result<std::uint64_t> queue_pairs();

    Result<> set_owner();
    Result<> set_features(std::uint64_t features);
    /// A descriptor for each region.
    Result<> set_memory(std::span<const MemoryRegion> regions, std::span<const int> fds);

    /// SET_VRING_NUM, SET_VRING_BASE and SET_VRING_ENABLE.
    Result<> set_ring(Request what, std::uint32_t index, std::uint32_t value);
    Result<> set_ring_addresses(const RingAddresses& addresses);
    /// SET_VRING_KICK and SET_VRING_CALL; −1: none.
    Result<> set_ring_fd(Request what, std::uint32_t index, int fd);
    /// Stops the ring; where it stood.
    Result<std::uint32_t> stop_ring(std::uint32_t index);

    /// With protocol::status.
    Result<> set_status(std::uint8_t status);

    /// True when the back-end has closed the connection, or sends what nobody asked for. Never blocks.
    bool closed() noexcept;

  private:
    Result<> tell(Request request, std::span<const std::byte> body, std::span<const int> fds = {});
    Result<Message> ask(Request request, std::span<const std::byte> body);
    Result<Message> answer(Request request);
    Result<std::uint64_t> ask_word(Request request);

    Channel channel_;
    std::uint64_t protocol_ = 0;
};

} // namespace sluice::inline v1::vhost_user
