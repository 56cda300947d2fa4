// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/region_io.hpp>

#include <cassert>
#include <cerrno>
#include <utility>

#include <sluice/base/endian.hpp>

namespace sluice::inline v1::device {

RegionIo::RegionIo(Device& device, Region region, std::vector<Piece> pieces) noexcept
    : device_(device)
    , region_(region)
    , size_(device.region(region).size)
    , pieces_(std::move(pieces)) {}

Result<std::unique_ptr<RegionIo>> RegionIo::create(Device& device, Region region) {
    const RegionInfo& info = device.region(region);
    if (!info.present())
        return fail(EINVAL, "cannot reach registers in a region that the device does not have",
                    device.name() + " " + name(region));
    std::vector<Piece> pieces;
    for (const Area& area : info.mappable) {
        auto mapping = device.map(region, area.offset, area.size);
        if (!mapping)
            return propagate(std::move(mapping));
        const reg::MappedIo io(mapping->span());
        pieces.push_back({area.offset, std::move(*mapping), io});
    }
    return std::unique_ptr<RegionIo>(new RegionIo(device, region, std::move(pieces)));
}

RegionIo::Piece* RegionIo::holding(std::size_t offset, unsigned width) noexcept {
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
