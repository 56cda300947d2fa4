// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/diagnostic.hpp>

#include <cstdarg>
#include <cstdio>

namespace sluice::inline v1::config {

namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
    char line[160];
    std::va_list arguments;
    va_start(arguments, pattern);
    static_cast<void>(std::vsnprintf(line, sizeof line, pattern, arguments));
    va_end(arguments);
    return line;
}

} // namespace

std::string Diagnostic::text() const {
    switch (kind) {
    case DiagnosticKind::hidden:
        return format("capability %02x at %02x has no table: hidden", id, offset);
    case DiagnosticKind::hidden_extended:
        return format("extended capability %04x at %03x has no table: hidden", id, offset);
    case DiagnosticKind::overlap:
    case DiagnosticKind::overlap_extended:
        return format("byte %03x of capability %02x now belongs to capability %02x", offset, previous, id);
    case DiagnosticKind::overrun:
        return format("capability %02x at %03x claims bytes past the end: cut", id, offset);
    case DiagnosticKind::cut:
        return format("capability %02x at %03x runs into another capability: cut", id, offset);
    case DiagnosticKind::bad_pointer:
        return format("the list points at %03x, where no capability can be: it ends there", offset);
    case DiagnosticKind::loop:
        return format("the list points at %03x a second time: it ends there", offset);
    case DiagnosticKind::bogus_vf_pin:
        return format("a virtual function reports interrupt pin %u: taken as none", id);
    case DiagnosticKind::bars_restored:
        return "the BARs had changed behind the mediator: restored";
    case DiagnosticKind::effect_failed:
        return format("the effect of the write at %03x failed (errno %u)", offset, id);
    case DiagnosticKind::effect_unsupported:
        return format("the transport does not support the effect of the write at %03x", offset);
    }
    return {};
}

} // namespace sluice::inline v1::config
