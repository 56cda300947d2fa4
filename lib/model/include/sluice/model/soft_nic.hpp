// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The soft NIC: a modern virtio network device on PCI that is a model in this process.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/base/error.hpp>
#include <sluice/device/device.hpp>
#include <sluice/model/backend.hpp>

namespace sluice::inline v1::model {

/// What a soft NIC is to be.
struct NicOptions {
    std::string name = "soft";
    // Initializers let designated ones leave members out without a warning.
    // NOLINTBEGIN(readability-redundant-member-init)
    BackendSetup backend{};
    unsigned queues = 1; ///< queue pairs, at most max_queues
    bool packed = false; ///< packed rings are offered
    bool mergeable = true;
    bool in_order = true; ///< its use is offered
    /// Doorbells are memory that nothing looks at, and wanted, as those of most devices: there is no control
    /// queue then, since that needs one.
    bool mapped_doorbells = false;
    std::optional<std::array<std::byte, 6>> mac{}; ///< none: one of its own, locally administered
    std::shared_ptr<device::AddressSpace> space{}; ///< null: one of its own, whose IOVAs are not EAL's
    // NOLINTEND(readability-redundant-member-init)

    static constexpr unsigned max_queues = 64;

    /// The keys of a URI `soft:virtio?…`.
    static constexpr std::array<std::string_view, 11> keys = {
        "backend", "peer", "rx", "tx", "ifname", "rate", "size", "queues", "packed", "mrg", "mac"};

    /// From the values of these keys; `get` gives nothing for a key that is not there. EINVAL says which
    /// value is wrong.
    static Result<NicOptions>
    parse(const std::function<std::optional<std::string_view>(std::string_view key)>& get);
};

/// Makes a soft NIC. It moves in Device::poll() alone, which one thread calls beside the one that controls
/// it. Its statistics: frames by direction, what was dropped and why, and the back-end's own. A driver that
/// lies makes it ask for a reset (virtio 1.2 §2.1.2). Errors as make_backend().
Result<std::unique_ptr<device::Device>> make_soft_nic(NicOptions options);

} // namespace sluice::inline v1::model
