// SPDX-License-Identifier: BSD-3-Clause
#include "categories.hpp"

#include <algorithm>
#include <cstdint>

namespace sluice::devbind {

namespace {

constexpr Category rows[] = {
    {"net", "Network"},       {"baseband", "Baseband"},  {"crypto", "Crypto"},
    {"dma", "DMA"},           {"event", "Eventdev"},     {"mempool", "Mempool"},
    {"compress", "Compress"}, {"misc", "Misc (rawdev)"}, {"regex", "Regex"},
};

constexpr std::uint16_t any = 0;

struct Member {
    std::string_view category;
    std::uint8_t base_class;
    std::uint16_t vendor;
    std::uint16_t device;
};

// Whole classes, and the single devices that DPDK's drivers serve outside of them.
constexpr Member members[] = {
    {"net", 0x02, any, any},           {"net", 0x05, 0x1af4, 0x1110},     {"net", 0x08, 0x177d, 0xa049},
    {"net", 0x08, 0x177d, 0xa0dd},     {"net", 0x12, 0x8086, 0x0b30},     {"baseband", 0x12, any, any},
    {"crypto", 0x0b, any, any},        {"crypto", 0x10, any, any},        {"dma", 0x08, 0x19e5, 0xa122},
    {"dma", 0x08, 0x8086, 0x0b00},     {"dma", 0x08, 0x8086, 0x0b25},     {"dma", 0x08, 0x8086, 0x2021},
    {"dma", 0x08, 0x8086, 0x6f20},     {"dma", 0x08, 0x8086, 0x6f21},     {"dma", 0x08, 0x8086, 0x6f22},
    {"dma", 0x08, 0x8086, 0x6f23},     {"dma", 0x08, 0x8086, 0x6f24},     {"dma", 0x08, 0x8086, 0x6f25},
    {"dma", 0x08, 0x8086, 0x6f26},     {"dma", 0x08, 0x8086, 0x6f27},     {"dma", 0x08, 0x8086, 0x6f2e},
    {"dma", 0x08, 0x8086, 0x6f2f},     {"event", 0x08, 0x177d, 0xa04b},   {"event", 0x08, 0x177d, 0xa04d},
    {"event", 0x08, 0x177d, 0xa0f9},   {"event", 0x08, 0x177d, 0xa0fa},   {"event", 0x0b, 0x8086, 0x270b},
    {"event", 0x0b, 0x8086, 0x2710},   {"event", 0x0b, 0x8086, 0x2714},   {"mempool", 0x08, 0x177d, 0xa053},
    {"mempool", 0x08, 0x177d, 0xa0fb}, {"mempool", 0x08, 0x177d, 0xa0fc}, {"compress", 0x12, 0x177d, 0xa037},
    {"misc", 0x01, 0x1af4, 0x1001},    {"misc", 0x01, 0x1af4, 0x1042},    {"misc", 0x06, 0x8086, 0x201c},
    {"misc", 0x06, 0x8086, 0x347e},    {"misc", 0x08, 0x177d, 0xa059},    {"misc", 0x08, 0x177d, 0xa060},
    {"misc", 0x08, 0x177d, 0xa089},    {"misc", 0x08, 0x177d, 0xa0f0},    {"misc", 0x08, 0x177d, 0xa0f1},
    {"regex", 0x08, 0x177d, 0xa0f4},
};

} // namespace

std::span<const Category> categories() noexcept {
    return rows;
}

bool is_in(const pci::Function& function, std::string_view option) noexcept {
    return std::ranges::any_of(members, [&](const Member& row) {
        return row.category == option && row.base_class == function.base_class() &&
               (row.vendor == any || (row.vendor == function.vendor && row.device == function.device));
    });
}

std::string_view category_of(const pci::Function& function) noexcept {
    for (const auto& category : rows) {
        if (is_in(function, category.option))
            return category.option;
    }
    return {};
}

} // namespace sluice::devbind
