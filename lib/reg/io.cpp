// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/endian.hpp>
#include <sluice/reg/io.hpp>

namespace sluice::inline v1::reg {
namespace {

template <typename Word>
std::uint64_t load(const std::byte* at) noexcept {
    return to_little(*reinterpret_cast<const volatile Word*>(at));
}

template <typename Word>
void store(std::byte* at, std::uint64_t value) noexcept {
    *reinterpret_cast<volatile Word*>(at) = to_little(static_cast<Word>(value));
}

} // namespace

std::uint64_t MappedIo::read(std::size_t offset, unsigned width) noexcept {
    assert(offset % width == 0 && offset + width <= memory_.size());
    const std::byte* at = memory_.data() + offset;
    switch (width) {
    case 1:
        return load<std::uint8_t>(at);
    case 2:
        return load<std::uint16_t>(at);
    case 4:
        return load<std::uint32_t>(at);
    default:
        return load<std::uint64_t>(at);
    }
}

void MappedIo::write(std::size_t offset, unsigned width, std::uint64_t value) noexcept {
    assert(offset % width == 0 && offset + width <= memory_.size());
    std::byte* at = memory_.data() + offset;
    publish();
    switch (width) {
    case 1:
        return store<std::uint8_t>(at, value);
    case 2:
        return store<std::uint16_t>(at, value);
    case 4:
        return store<std::uint32_t>(at, value);
    default:
        return store<std::uint64_t>(at, value);
    }
}

volatile std::byte* MappedIo::pointer(std::size_t offset, unsigned width) noexcept {
    const bool inside = offset <= memory_.size() && width <= memory_.size() - offset;
    return inside ? memory_.data() + offset : nullptr;
}

} // namespace sluice::inline v1::reg
