// SPDX-License-Identifier: BSD-3-Clause
#include "fields.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <sluice/config/image.hpp>
#include <sluice/config/space.hpp>

#include "decode.hpp"

namespace sluice::configdiff {

namespace {

using cfgspace::Register;

std::uint32_t gather(std::span<const std::uint8_t> bits, const Register& item) {
    std::uint32_t value = 0;
    for (unsigned index = 0; index < item.width; ++index)
        value |= std::uint32_t{bits[item.offset + index]} << (8 * index);
    return value;
}

std::string owner_text(const config::Space& space, std::uint32_t offset) {
    const std::uint8_t owner = space.owners()[offset];
    if (owner == config::owner_none)
        return "no visible capability's";
    return cfgspace::capability_name(owner, offset >= config::conventional_size) + ", unnamed";
}

} // namespace

std::vector<std::string> field_lines(std::span<const std::uint8_t> bits, std::span<const std::uint8_t> image,
                                     config::Policy policy) {
    config::Image hardware(static_cast<std::uint32_t>(image.size()));
    std::ranges::copy(image, hardware.bytes().begin());
    config::Facts facts;
    config::Effects effects;
    if (!facts.scan(hardware))
        return {"config space that cannot be walked"};
    auto space = config::Space::create(hardware, effects, facts, policy);
    if (!space)
        return {"config space that the engine refuses"};
    std::vector<std::string> lines;
    std::vector<bool> named(bits.size());
    for (const Register& item : cfgspace::decode(*space, hardware)) {
        const std::uint32_t mask = gather(bits, item);
        for (unsigned index = 0; index < item.width; ++index)
            named[item.offset + index] = true;
        if (mask != 0)
            lines.push_back(
                fmt::format("{:03x}  {}  {:0{}x}", item.offset, item.path(), mask, 2 * item.width));
    }
    for (std::uint32_t offset = 0; offset < bits.size(); ++offset) {
        if (bits[offset] == 0 || named[offset])
            continue;
        // A sample has gaps: bytes run on as long as their owner does.
        const std::string owner = owner_text(*space, offset);
        std::uint32_t last = offset;
        unsigned bytes = 0;
        unsigned set = 0;
        for (std::uint32_t at = offset; at < bits.size() && !named[at] && owner_text(*space, at) == owner;
             ++at) {
            if (bits[at] == 0)
                continue;
            last = at;
            ++bytes;
            set += static_cast<unsigned>(std::popcount(bits[at]));
        }
        lines.push_back(
            fmt::format("{:03x} to {:03x}  {}: {} bits in {} bytes", offset, last, owner, set, bytes));
        offset = last;
    }
    return lines;
}

config::Policy running_policy() {
    utsname system{};
    ::uname(&system);
    return std::string_view(system.release).starts_with("6.1.") ? config::Policy::kernel_6_1
                                                                : config::Policy::kernel_6_12;
}

} // namespace sluice::configdiff
