// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/region_io.hpp>

#include <cassert>
#include <cerrno>
#include <utility>

#include <sluice/base/endian.hpp>

namespace sluice::inline v1::device {

RegionIo::RegionIo(Device& device, Region region) noexcept
    : device_(device)
    , region_(region)
    , size_(device.region(region).size) {}

Result<std::unique_ptr<RegionIo>> RegionIo::create(Device& device, Region region) {
    if (!device.region(region).present())
        return fail(EINVAL, "cannot reach registers in a region that the device does not have",
                    device.name() + " " + name(region));
    std::unique_ptr<RegionIo> made(new RegionIo(device, region));
    if (auto ok = made->map_again(); !ok)
        return propagate(std::move(ok));
    return made;
}

Result<> RegionIo::map_again() {
    std::vector<Piece> pieces;
    for (const Area& area : device_.region(region_).mappable) {
        auto mapping = device_.map(region_, area.offset, area.size);
        if (!mapping)
            return propagate(std::move(mapping));
        const reg::MappedIo io(mapping->span());
        pieces.push_back({area.offset, std::move(*mapping), io});
    }
    pieces_ = std::move(pieces);
    return {};
}

/// None of a device that is not there: what its server left in the memory is no answer.
RegionIo::Piece* RegionIo::holding(std::size_t offset, unsigned width) noexcept {
    if (device_.presence() != Presence::here)
        return nullptr;
    for (Piece& piece : pieces_)
        if (offset >= piece.offset && offset - piece.offset + width <= piece.mapping.size())
            return &piece;
    return nullptr;
}

std::uint64_t RegionIo::read(std::size_t offset, unsigned width) noexcept {
    if (Piece* piece = holding(offset, width))
        return piece->io.read(offset - piece->offset, width);
    le64 value = 0;
    if (!device_.read(region_, offset, {reinterpret_cast<std::byte*>(&value), width}))
        return width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width)) - 1;
    return value;
}

void RegionIo::write(std::size_t offset, unsigned width, std::uint64_t value) noexcept {
    if (Piece* piece = holding(offset, width))
        return piece->io.write(offset - piece->offset, width, value);
    const le64 little = value;
    static_cast<void>(device_.write(region_, offset, {reinterpret_cast<const std::byte*>(&little), width}));
}

volatile std::byte* RegionIo::pointer(std::size_t offset, unsigned width) noexcept {
    Piece* piece = holding(offset, width);
    return piece != nullptr ? piece->io.pointer(offset - piece->offset, width) : nullptr;
}

} // namespace sluice::inline v1::device
