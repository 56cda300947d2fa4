// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Where the library's messages go. The library prints nothing on its own.
#pragma once

#include <string_view>

namespace sluice::inline v1 {

enum class LogLevel { debug, info, warning, error };

/// Receives one line without a line end. May be called from any thread that calls the library.
using LogSink = void (*)(LogLevel level, std::string_view line);

/// Sends every later message to `sink`; null (the default) drops them. May be called at any time from
/// any thread.
void set_log_sink(LogSink sink) noexcept;

/// Hands `line` to the sink, if there is one.
void log(LogLevel level, std::string_view line);

} // namespace sluice::inline v1
