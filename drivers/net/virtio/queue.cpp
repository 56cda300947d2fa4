// SPDX-License-Identifier: BSD-3-Clause
#include "queue.hpp"

#include <sluice/base/log.hpp>

namespace sluice::inline v1::virtio {

void Queue::break_queue(const char* what) noexcept {
    counters_.broken.add(1);
    broken_ = true;
    record_->broken = true;
    record_->burst = net::idle_burst;
    record_->reclaim = net::idle_reclaim;
    alarm_.signal();
    // A device that breaks its queue after every reset must not fill the log.
    const auto now = std::chrono::steady_clock::now();
    if (said_ != decltype(said_){} && now - said_ < std::chrono::seconds(1))
        return;
    said_ = now;
    log(LogLevel::error, name_ + ": the queue is broken, " + what + "; reset the port to go on");
}

} // namespace sluice::inline v1::virtio
