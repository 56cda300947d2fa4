// SPDX-License-Identifier: BSD-3-Clause
#include "decode.hpp"

#include <fmt/format.h>

namespace sluice::cfgspace {

namespace {

constexpr std::uint8_t msi_id = 0x05;
constexpr unsigned standard_steps = 48;
constexpr unsigned extended_steps = 960;

const config::Capability* table_at(config::Space& space, std::uint32_t start) {
    if (start >= config::conventional_size) {
        auto head = space.read32(start);
        return head ? config::find_table(static_cast<std::uint16_t>(*head), true) : nullptr;
    }
    auto id = space.read8(start);
    if (id && *id == msi_id) {
        auto control = space.read16(start + 2);
        const unsigned flags = control ? *control : 0;
        return &config::msi_table((flags & 0x80) != 0, (flags & 0x100) != 0);
    }
    return id ? config::find_table(*id, false) : nullptr;
}

/// Whether the bytes belong to the capability that begins at `start`.
bool lies_inside(const config::Space& space, std::uint32_t start, const config::Row& row) {
    const auto owners = space.owners();
    for (std::uint32_t offset = start; offset < start + row.offset + row.width; ++offset)
        if (offset >= owners.size() || owners[offset] != owners[start])
            return false;
    return true;
}

void add_rows(config::Space& space, config::Backend& raw, const Placed& placed,
              std::vector<Register>& registers) {
    for (const config::Row& row : placed.table->rows) {
        if (!lies_inside(space, placed.start, row))
            continue;
        const auto offset = static_cast<std::uint16_t>(placed.start + row.offset);
        auto hardware = raw.read(offset, row.width);
        std::uint8_t bytes[4] = {};
        auto seen = space.read(offset, std::as_writable_bytes(std::span(bytes, row.width)));
        if (!hardware || !seen)
            continue;
        Register item{placed.table->name, placed.start, row.field, offset, row.width, *hardware, 0, 0, 0};
        for (unsigned index = 0; index < row.width; ++index) {
            const config::BitAccess access = space.access(offset + index);
            item.mediated |= std::uint32_t{bytes[index]} << (8 * index);
            item.virt |= std::uint32_t{access.virt} << (8 * index);
            item.write |= std::uint32_t{access.write} << (8 * index);
        }
        registers.push_back(item);
    }
}

} // namespace

std::string Register::path() const {
    return start == 0 ? std::string(name) : fmt::format("{}/{}", capability, name);
}

std::vector<Placed> capabilities(config::Space& space) {
    std::vector<Placed> found = {{&config::header_table, 0}};
    const auto add = [&](std::uint32_t start) {
        const config::Capability* table = table_at(space, start);
        if (table != nullptr && table->visible && space.owners()[start] == (table->id & 0xff))
            found.push_back({table, static_cast<std::uint16_t>(start)});
    };
    constexpr std::uint32_t status = 0x06;
    constexpr std::uint32_t pointer = 0x34;
    auto flags = space.read16(status);
    auto next = space.read8(pointer);
    if (flags && (*flags & 0x10) != 0)
        for (unsigned step = 0; next && *next >= 0x40 && step < standard_steps; ++step) {
            const std::uint32_t start = *next & ~3U;
            add(start);
            next = space.read8(start + 1);
        }
    if (!space.extended_capabilities())
        return found;
    std::uint32_t start = config::conventional_size;
    for (unsigned step = 0; start >= config::conventional_size && step < extended_steps; ++step) {
        auto head = space.read32(start);
        if (!head)
            break;
        add(start);
        start = *head >> 20 & 0xffc;
    }
    return found;
}

std::vector<Register> decode(config::Space& space, config::Backend& raw) {
    std::vector<Register> registers;
    for (const Placed& placed : capabilities(space))
        add_rows(space, raw, placed, registers);
    return registers;
}

std::string capability_name(std::uint16_t id, bool extended) {
    const config::Capability* table = config::find_table(id, extended);
    return table != nullptr ? std::string(table->name)
                            : fmt::format("capability {:0{}x}", id, extended ? 4 : 2);
}

} // namespace sluice::cfgspace
