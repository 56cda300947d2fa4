// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>

#include <sluice/device/inproc.hpp>

namespace sluice::inline v1::device::inproc {

namespace {

constexpr std::uint64_t page = 4096;
constexpr unsigned address_bits = 48;

} // namespace

std::shared_ptr<TableSpace> TableSpace::create(std::uint64_t iova_offset, std::uint64_t entry_limit) {
    return std::shared_ptr<TableSpace>(new TableSpace(iova_offset, entry_limit));
}

Result<SpaceInfo> TableSpace::info() const {
    SpaceInfo facts;
    facts.ranges = {{Iova{0}, Iova{(std::uint64_t{1} << address_bits) - 1}}};
    facts.page_sizes = page;
    facts.entry_limit = entry_limit_;
    facts.entries = entries();
    facts.address_bits = address_bits;
    return facts;
}

Result<> TableSpace::do_map(Iova, std::span<std::byte>, DmaAccess) {
    if (entries_locked() > entry_limit_)
        return fail(ENOSPC, "cannot map memory for a model, the space's entries are used up");
    return {};
}

Result<> TableSpace::do_map_remote(Iova iova, std::uint64_t, DmaAccess access) {
    return do_map(iova, {}, access);
}

Result<> TableSpace::do_unmap(Iova, std::uint64_t) {
    return {};
}

} // namespace sluice::inline v1::device::inproc
