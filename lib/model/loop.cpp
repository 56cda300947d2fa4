// SPDX-License-Identifier: BSD-3-Clause
// What the driver sends comes back on the same queue pair; and two devices on one cable.
#include <cerrno>
#include <map>
#include <mutex>

#include <sluice/model/fifo.hpp>

#include "backends.hpp"

namespace sluice::inline v1::model {

namespace {

constexpr Takes takes_all{.checksum = true, .tcp4 = true, .tcp6 = true};

std::size_t push_all(FrameFifo& fifo, std::span<const Frame> frames) noexcept {
    std::size_t taken = 0;
    while (taken < frames.size() && fifo.push(frames[taken]))
        ++taken;
    return taken;
}

class Loop final : public Backend {
  public:
    explicit Loop(unsigned queues)
        : fifos_(queues) {}

    Takes takes() const noexcept override { return takes_all; }
    std::size_t send(unsigned queue, std::span<const Frame> frames) noexcept override {
        return push_all(fifos_[queue], frames);
    }
    std::span<const Frame> receive(unsigned queue) noexcept override { return fifos_[queue].peek(); }
    void consume(unsigned queue, std::size_t count) noexcept override { fifos_[queue].pop(count); }
    void run(unsigned pairs) noexcept override {
        if (pairs == 0)
            for (FrameFifo& fifo : fifos_)
                fifo.clear();
    }

  private:
    std::vector<FrameFifo> fifos_;
};

/// A cable with two ends.
struct Cable {
    struct End {
        std::atomic<bool> taken{false};
        std::mutex mutex;          ///< of the other end's sender, and of changes
        unsigned pairs = 0;        ///< that its driver runs with
        std::vector<FrameFifo> to; ///< this end, by its own queue pair
    };
    std::array<End, 2> ends;
};

std::shared_ptr<Cable> cable_named(const std::string& name) {
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<Cable>> cables;
    const std::lock_guard lock(mutex);
    std::erase_if(cables, [](const auto& entry) { return entry.second.expired(); });
    auto cable = cables[name].lock();
    if (!cable) {
        cable = std::make_shared<Cable>();
        cables[name] = cable;
    }
    return cable;
}

class Pair final : public Backend {
  public:
    Pair(std::shared_ptr<Cable> cable, std::size_t end, unsigned queues)
        : cable_(std::move(cable))
        , here_(cable_->ends[end])
        , there_(cable_->ends[1 - end]) {
        here_.to = std::vector<FrameFifo>(queues);
    }
    ~Pair() override {
        run(0);
        here_.taken.store(false);
    }

    Takes takes() const noexcept override { return takes_all; }

    std::size_t send(unsigned queue, std::span<const Frame> frames) noexcept override {
        const std::lock_guard lock(there_.mutex);
        if (there_.pairs == 0) {
            unplugged_.add(frames.size());
            return frames.size();
        }
        return push_all(there_.to[queue % there_.pairs], frames);
    }
    std::span<const Frame> receive(unsigned queue) noexcept override { return here_.to[queue].peek(); }
    void consume(unsigned queue, std::size_t count) noexcept override { here_.to[queue].pop(count); }

    void run(unsigned pairs) noexcept override {
        const std::lock_guard lock(here_.mutex);
        here_.pairs = pairs;
        if (pairs == 0)
            for (FrameFifo& fifo : here_.to)
                fifo.clear();
    }

    std::vector<device::Statistic> statistics() const override {
        return {{"pair_unplugged", unplugged_.get()}};
    }

  private:
    std::shared_ptr<Cable> cable_;
    Cable::End& here_;
    Cable::End& there_;
    Count unplugged_;
};

} // namespace

Result<std::unique_ptr<Backend>> make_loop(const BackendSetup& setup) {
    return std::make_unique<Loop>(setup.queues);
}

Result<std::unique_ptr<Backend>> make_pair(const BackendSetup& setup) {
    if (setup.peer.empty())
        return fail(EINVAL, "a pair needs peer=NAME: the two devices with the same name are connected",
                    setup.device);
    auto cable = cable_named(setup.peer);
    for (std::size_t end = 0; end < cable->ends.size(); ++end)
        if (bool free = false; cable->ends[end].taken.compare_exchange_strong(free, true))
            return std::make_unique<Pair>(std::move(cable), end, setup.queues);
    return fail(EBUSY, "two devices are on this cable already: give another peer=NAME", setup.peer);
}

} // namespace sluice::inline v1::model
