// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The vhost-user transport: a back-end in another process, behind a socket. QEMU's docs/interop/vhost-user.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/event_fd.hpp>
#include <sluice/base/watch.hpp>
#include <sluice/vhost_user/front_end.hpp>
#include <sluice/vhost_user/socket.hpp>

#include "transport.hpp"
#include "vhost_irqs.hpp"
#include "vhost_space.hpp"

namespace sluice::inline v1::virtio {

struct VhostOptions {
    std::string path;
    bool server = false;
    bool packed = true;
    std::uint16_t queues = 0; ///< pairs at most; 0: what the back-end has
};

/// The port's half of the conversation. When the back-end goes, the rings stand still and the link is down;
/// when one is there again, the port is to be reset, and is told so by the error interrupt.
class VhostTransport final : public Transport {
  public:
    /// Connects, or listens and waits for the back-end. `interrupts` outlives it.
    static Result<std::unique_ptr<VhostTransport>>
    create(VhostOptions options, std::shared_ptr<VhostSpace> space, VhostInterrupts& interrupts);
    ~VhostTransport() override;

    Result<> reset() override;
    Result<Features> negotiate(Features wanted) override;
    Features offered() const noexcept override { return offered_; }
    std::uint16_t queues() const noexcept override { return static_cast<std::uint16_t>(2 * pairs_); }
    std::uint16_t max_queue_size(std::uint16_t queue) override;
    Result<QueueDoorbell> set_queue(std::uint16_t queue, const QueueSetup& setup) override;
    Result<> set_config_vector(std::uint16_t) override { return {}; }
    Result<> run() override;
    Health health() noexcept override;
    reg::Io& config() noexcept override { return nothing_; }
    std::uint8_t config_generation() noexcept override { return 0; }
    void isolate() noexcept override;
    Result<std::uint16_t> queue_pairs(Features features) override;
    int events_fd() const noexcept override { return watch_->fd(); }
    void service() noexcept override;
    Result<> recover() override;

  private:
    /// A window of nothing: reads give ones.
    struct NoConfig final : reg::Io {
        std::size_t size() const noexcept override { return 64; }
        std::uint64_t read(std::size_t, unsigned) noexcept override { return ~std::uint64_t{0}; }
        void write(std::size_t, unsigned, std::uint64_t) noexcept override {}
        volatile std::byte* pointer(std::size_t, unsigned) noexcept override { return nullptr; }
    };
    /// A doorbell that is an eventfd.
    struct Kick final : reg::Io {
        explicit Kick(EventFd made) noexcept
            : event(std::move(made)) {}
        std::size_t size() const noexcept override { return sizeof(std::uint16_t); }
        std::uint64_t read(std::size_t, unsigned) noexcept override { return 0; }
        void write(std::size_t, unsigned, std::uint64_t) noexcept override { event.signal(); }
        volatile std::byte* pointer(std::size_t, unsigned) noexcept override { return nullptr; }
        EventFd event;
    };
    struct Ring {
        std::uint16_t index = 0;
        std::uint16_t size = 0;
        std::uint16_t vector = 0;
        vhost_user::RingAddresses addresses;
        std::unique_ptr<Kick> kick;
        bool started = false;
    };

    VhostTransport(VhostOptions options, std::shared_ptr<VhostSpace> space,
                   VhostInterrupts& interrupts) noexcept
        : options_(std::move(options))
        , space_(std::move(space))
        , interrupts_(interrupts) {}

    Result<> open();
    Result<> take_connection();
    Result<> greet(vhost_user::FrontEnd& front);
    void look_for_back_end() noexcept;
    void lose() noexcept;
    void retry(bool on) noexcept;
    Result<> share_memory();
    Result<> start(Ring& ring);
    Result<std::uint64_t> user_address(Iova iova) const;

    const VhostOptions options_;
    const std::shared_ptr<VhostSpace> space_;
    VhostInterrupts& interrupts_;
    std::optional<Watch> watch_; ///< from open() on
    std::optional<vhost_user::Listener> listener_;
    NoConfig nothing_;
    Features offered_;
    bool packed_ = false;
    std::uint64_t accepted_ = 0;
    std::uint16_t pairs_ = 1;
    std::vector<Ring> rings_;
    bool lost_ = false; ///< the link went down, and is not up again
    UniqueFd arrived_;  ///< a connection that no reset has taken yet

    std::mutex mutex_; ///< of the connection: EAL's memory may change in any thread
    std::unique_ptr<vhost_user::FrontEnd> front_;
    bool running_ = false;
};

} // namespace sluice::inline v1::virtio
