// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What a Space found remarkable about a device.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::inline v1::config {

enum class DiagnosticKind : std::uint8_t {
    hidden,            ///< a capability with no table: `id` at `offset`
    hidden_extended,   ///< the same in the extended list
    overlap,           ///< `offset` belonged to `previous` and now belongs to `id`
    overlap_extended,  ///< the same in the extended list
    overrun,           ///< `id` at `offset` claims more bytes than there are; it was cut
    cut,               ///< `id` at `offset` runs into bytes of another capability; it was cut
    bad_pointer,       ///< the list points at `offset`, where no capability can be; it ends there
    loop,              ///< the list points at `offset` again; it ends there
    bogus_vf_pin,      ///< a virtual function reports interrupt pin `id`
    bars_restored,     ///< the BARs were found changed and were written back
    effect_failed,     ///< a side effect of a write at `offset` failed with errno `id`
    effect_unsupported ///< a side effect of a write at `offset` is not supported by the transport
};

/// One finding. `id` and `previous` are capability ids unless the kind says otherwise.
struct Diagnostic {
    DiagnosticKind kind;
    std::uint16_t offset = 0;
    std::uint16_t id = 0;
    std::uint16_t previous = 0;

    /// One line for a person.
    std::string text() const;

    friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

} // namespace sluice::inline v1::config
