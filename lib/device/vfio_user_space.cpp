// SPDX-License-Identifier: BSD-3-Clause
#include "vfio_user_space.hpp"

#include <cerrno>

namespace sluice::inline v1::device {

using vfio_user::bytes_of;
using vfio_user::Command;

namespace {

constexpr std::uint64_t granule = 4096;
constexpr unsigned iova_bits = 48;

} // namespace

Result<SpaceInfo> VfioUserSpace::info() const {
    SpaceInfo facts;
    facts.ranges = {{Iova{0}, Iova{(std::uint64_t{1} << iova_bits) - 1}}};
    facts.page_sizes = granule;
    facts.entry_limit = link_->limits().max_dma_maps;
    facts.entries = entries();
    facts.address_bits = iova_bits;
    return facts;
}

Result<> VfioUserSpace::do_map(Iova iova, std::span<std::byte> memory, DmaAccess access) {
    return do_map_file(iova, memory, access, {});
}

Result<> VfioUserSpace::do_map_file(Iova iova, std::span<std::byte> memory, DmaAccess access,
                                    MemoryFile file) {
    vfio_user::DmaMap request;
    request.flags = static_cast<std::uint32_t>(access);
    request.address = iova.value;
    request.size = memory.size();
    request.offset = file.fd >= 0 ? file.offset : 0;
    link_->add_window(iova, memory, access);
    const auto fds = std::span(&file.fd, file.fd >= 0 ? 1 : 0);
    auto reply = link_->ask(Command::dma_map, {bytes_of(request)},
                            "cannot map memory for the device, its server refused", fds);
    if (reply)
        return {};
    link_->remove_window(iova);
    return propagate(std::move(reply));
}

Result<> VfioUserSpace::do_unmap(Iova iova, std::uint64_t size) {
    vfio_user::DmaUnmap request;
    request.address = iova.value;
    request.size = size;
    auto reply = link_->ask(Command::dma_unmap, {bytes_of(request)},
                            "cannot unmap memory from the device, its server refused");
    if (!reply && link_->connected())
        return propagate(std::move(reply));
    link_->remove_window(iova);
    return {};
}

} // namespace sluice::inline v1::device
