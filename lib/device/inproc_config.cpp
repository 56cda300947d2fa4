// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cerrno>

#include <sluice/device/inproc.hpp>

namespace sluice::inline v1::device::inproc {

namespace {

constexpr std::uint32_t command = 0x04;
constexpr std::uint32_t status = 0x06;
constexpr std::uint32_t capability_pointer = 0x34;
constexpr std::uint8_t capability_list = 0x10;
constexpr std::uint16_t command_writable = 0x0547; // IO, MEMORY, MASTER, parity, SERR, INTx disable

} // namespace

ConfigImage::ConfigImage(const Identity& identity, std::uint32_t size)
    : bytes_(size)
    , writable_(size) {
    const auto put16 = [this](std::uint32_t at, std::uint16_t value) {
        bytes_[at] = static_cast<std::uint8_t>(value);
        bytes_[at + 1] = static_cast<std::uint8_t>(value >> 8);
    };
    put16(0x00, identity.vendor);
    put16(0x02, identity.device);
    bytes_[0x08] = identity.revision;
    bytes_[0x09] = static_cast<std::uint8_t>(identity.class_code);
    put16(0x0a, static_cast<std::uint16_t>(identity.class_code >> 8));
    put16(0x2c, identity.subsystem_vendor);
    put16(0x2e, identity.subsystem_device);
    writable_[command] = command_writable & 0xff;
    writable_[command + 1] = command_writable >> 8;
}

std::uint32_t ConfigImage::add_capability(std::uint8_t id, std::span<const std::uint8_t> body,
                                          std::span<const std::uint8_t> writable) {
    const std::uint32_t at = free_;
    const auto length = static_cast<std::uint32_t>((2 + body.size() + 3) & ~std::size_t{3});
    if (length > config::conventional_size - at)
        return 0;
    bytes_[at] = id;
    bytes_[at + 1] = bytes_[capability_pointer];
    std::ranges::copy(body, bytes_.begin() + at + 2);
    std::ranges::copy(writable.first(std::min(writable.size(), body.size())), writable_.begin() + at + 2);
    bytes_[capability_pointer] = static_cast<std::uint8_t>(at);
    bytes_[status] |= capability_list;
    free_ += length;
    return at;
}

Result<std::uint32_t> ConfigImage::read(std::uint32_t offset, unsigned width) {
    if (offset > size() || width > size() - offset)
        return fail(EFAULT, "cannot read config bytes past the end");
    std::uint32_t value = 0;
    for (unsigned i = 0; i < width; ++i)
        value |= static_cast<std::uint32_t>(bytes_[offset + i]) << (8 * i);
    return value;
}

Result<void> ConfigImage::write(std::uint32_t offset, unsigned width, std::uint32_t value) {
    if (offset > size() || width > size() - offset)
        return fail(EFAULT, "cannot write config bytes past the end");
    for (unsigned i = 0; i < width; ++i) {
        const auto byte = static_cast<std::uint8_t>(value >> (8 * i));
        const std::uint8_t mask = writable_[offset + i];
        bytes_[offset + i] = static_cast<std::uint8_t>((bytes_[offset + i] & ~mask) | (byte & mask));
    }
    return {};
}

} // namespace sluice::inline v1::device::inproc
