// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/log.hpp>

#include <atomic>

namespace sluice::inline v1 {

namespace {
std::atomic<LogSink> current_sink{nullptr};
}

void set_log_sink(LogSink sink) noexcept {
    current_sink.store(sink, std::memory_order_release);
}

void log(LogLevel level, std::string_view line) {
    if (LogSink sink = current_sink.load(std::memory_order_acquire); sink != nullptr)
        sink(level, line);
}

} // namespace sluice::inline v1
