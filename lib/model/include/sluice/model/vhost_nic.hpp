// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A soft NIC's rings behind a vhost-user socket: the driver is in another process, and shares its memory.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/event_fd.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/device.hpp>
#include <sluice/model/datapath.hpp>
#include <sluice/model/soft_nic.hpp>
#include <sluice/vhost_user/back_end.hpp>
#include <sluice/vhost_user/socket.hpp>

namespace sluice::inline v1::model {

struct VhostCounters {
    std::uint64_t clients = 0;  ///< front-ends that were taken on
    std::uint64_t busy = 0;     ///< connections closed because another front-end is there
    std::uint64_t messages = 0; ///< that front-ends sent
    std::uint64_t refused = 0;  ///< of these, not obeyed
    std::uint64_t dropped = 0;  ///< front-ends whose connection this side ended
};

/// Who makes the socket. A client connects, and again when the front-end has gone, until somebody listens.
enum class VhostRole { server, client };

/// Serves one front-end after the other, at a path that one of the two listens at. pump() and poll() may be
/// called by two threads, each by one at a time; they lock each other out.
class VhostNic final : private vhost_user::Rings {
  public:
    /// Errors as make_backend() and vhost_user::Listener::create().
    static Result<std::unique_ptr<VhostNic>> create(NicOptions options, std::string path,
                                                    VhostRole role = VhostRole::server);
    ~VhostNic();

    /// Readable when pump() has something to do.
    int events_fd() const noexcept { return epoll_.get(); }

    /// Accepts a front-end, or serves what it said; never blocks for long. A front-end that goes, or breaks
    /// the protocol, is dropped, and the next one may come; so is one that takes back memory, where the
    /// program handles bus errors (sluice/base/bus_error.hpp).
    void pump() noexcept;

    /// Moves up to a burst of frames in each direction of each pair. How many moved.
    std::size_t poll() noexcept;

    /// For the thread that pumps.
    VhostCounters counters() const noexcept;

    bool connected() const noexcept { return connected_.load(std::memory_order_relaxed); }
    /// Any thread.
    std::vector<device::Statistic> statistics() const;

  private:
    /// What descriptors mean.
    class TableMemory final : public Memory {
      public:
        void set(const vhost_user::MemoryTable* table) noexcept {
            table_ = table;
            forget();
        }

      private:
        Window find(std::uint64_t address) noexcept override;
        const vhost_user::MemoryTable* table_ = nullptr;
    };

    VhostNic(const NicOptions& options, std::unique_ptr<Backend> backend, std::string path, UniqueFd epoll,
             EventFd wake);
    Result<> open(VhostRole role);
    Result<std::optional<UniqueFd>> next_peer();
    bool watch(int fd) noexcept;
    void drop(bool ours) noexcept;
    void accept() noexcept;
    void run() noexcept;

    std::uint64_t features() const noexcept override { return offered_; }
    std::span<const std::byte> config() const noexcept override { return config_; }
    unsigned pairs() const noexcept override { return datapath_.pairs(); }
    void set_features(std::uint64_t features) noexcept override;
    void start(unsigned index, const vhost_user::RingSetup& ring,
               const vhost_user::MemoryTable& memory) noexcept override;
    std::uint32_t stop(unsigned index) noexcept override;
    void set_call(unsigned index, int call) noexcept override;

    const std::uint64_t offered_;
    std::array<std::byte, 10> config_{};
    std::unique_ptr<Backend> backend_;
    std::vector<int> calls_; ///< borrowed from the front-end's rings
    Datapath datapath_;
    TableMemory memory_;
    UniqueFd epoll_;
    EventFd wake_; ///< memory is gone
    const std::string path_;
    std::optional<vhost_user::Listener> listener_; ///< a server's
    UniqueFd timer_;                               ///< a client's, for the next try
    std::atomic<bool> connected_{false};

    VhostCounters counted_; ///< of the front-ends that have gone
    std::mutex mutex_;
    std::atomic<bool> wanted_{false}; ///< pump() waits for the lock
    std::optional<vhost_user::BackEnd> front_;
};

} // namespace sluice::inline v1::model
