// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/registers.hpp>

#include <algorithm>
#include <cerrno>

namespace sluice::inline v1::model {

namespace {

constexpr std::uint8_t msix_id = 0x11;
constexpr std::uint8_t msix_writable = 0xc0; ///< enable and function mask

void append32(std::vector<std::uint8_t>& bytes, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

} // namespace

Capability msix_capability(unsigned vectors, unsigned bar, std::uint32_t table, std::uint32_t pending) {
    Capability capability{msix_id, {}, {0, msix_writable}};
    capability.body = {static_cast<std::uint8_t>(vectors - 1), static_cast<std::uint8_t>((vectors - 1) >> 8)};
    append32(capability.body, table | bar);
    append32(capability.body, pending | bar);
    return capability;
}

Result<> add_capabilities(device::inproc::ConfigImage& image, std::span<const Capability> capabilities) {
    // The image puts each in front of the list.
    for (auto capability = capabilities.rbegin(); capability != capabilities.rend(); ++capability)
        if (image.add_capability(capability->id, capability->body, capability->writable) == 0)
            return fail(ENOSPC, "a model's capabilities do not fit into config space");
    return {};
}

} // namespace sluice::inline v1::model
