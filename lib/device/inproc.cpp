// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/device/inproc.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sluice/base/endian.hpp>

#include "pieces.hpp"

namespace sluice::inline v1::device::inproc {

namespace {

constexpr std::uint64_t page = 4096;

void signal(int eventfd) noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(eventfd, &one, sizeof one));
}

bool whole_pages(const std::vector<Area>& areas, std::uint64_t size) {
    std::uint64_t end = 0;
    for (const Area& area : areas) {
        if (area.offset < end || area.size == 0 || ((area.offset | area.size) & (page - 1)) != 0 ||
            area.offset > size || area.size > size - area.offset)
            return false;
        end = area.offset + area.size;
    }
    return true;
}

} // namespace

Lines::Lines(std::string device, const std::array<std::uint32_t, irq_count>& vectors)
    : Interrupts(std::move(device), [&] {
        Infos infos{};
        for (std::size_t i = 0; i < irq_count; ++i) {
            const bool intx = static_cast<Irq>(i) == Irq::intx;
            infos[i] = {vectors[i], intx, intx, static_cast<Irq>(i) == Irq::msix};
        }
        return infos;
    }()) {}

bool Lines::fire(Irq irq, std::uint32_t vector) noexcept {
    const std::lock_guard lock(mutex_);
    const auto& eventfds = eventfds_[static_cast<std::size_t>(irq)];
    if (vector >= eventfds.size() || eventfds[vector] < 0)
        return false;
    if (irq == Irq::intx && std::exchange(intx_masked_, true))
        return false;
    signal(eventfds[vector]);
    return true;
}

Result<> Lines::do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) {
    const std::lock_guard lock(mutex_);
    auto& held = eventfds_[static_cast<std::size_t>(irq)];
    if (held.size() < first + eventfds.size())
        held.resize(first + eventfds.size(), -1);
    std::ranges::copy(eventfds, held.begin() + first);
    if (irq == Irq::intx)
        intx_masked_ = false;
    return {};
}

Result<> Lines::do_disable(Irq irq) {
    const std::lock_guard lock(mutex_);
    eventfds_[static_cast<std::size_t>(irq)].clear();
    return {};
}

Result<> Lines::do_mask_intx(bool masked) {
    const std::lock_guard lock(mutex_);
    intx_masked_ = masked;
    return {};
}

Result<> Lines::do_trigger(Irq irq, std::uint32_t vector) {
    fire(irq, vector);
    return {};
}

Result<config::Disposition> Model::ResetByConfig::reset(config::ResetKind) {
    auto done = model_.reset();
    if (!done)
        return propagate(std::move(done));
    return config::Disposition::done;
}

Model::Model(ModelSetup setup, std::shared_ptr<AddressSpace> space)
    : Device(setup.identity, std::move(space))
    , on_reset_(std::move(setup.on_reset))
    , image_(setup.identity, config::extended_size)
    , effects_(*this)
    , lines_(setup.identity.name, setup.vectors) {}

Result<std::unique_ptr<Model>> Model::create(ModelSetup setup) {
    if (setup.identity.transport.empty())
        setup.identity.transport = "inproc";
    auto regions = std::move(setup.regions);
    const auto adjust = std::move(setup.config);
    config::Facts facts;
    facts.vendor = setup.identity.vendor;
    facts.device = setup.identity.device;
    auto space = setup.space ? setup.space : TableSpace::create();
    std::unique_ptr<Model> model(new Model(std::move(setup), std::move(space)));
    if (adjust)
        adjust(model->image_);

    std::uint64_t start = 0x80000000; // made up, naturally aligned: no bus assigns a model's addresses
    for (RegionSetup& region : regions) {
        const auto index = static_cast<std::size_t>(region.region);
        const std::uint64_t size = region.size;
        auto added = model->add_region(std::move(region));
        if (!added)
            return propagate(std::move(added));
        start = (start + size - 1) / size * size;
        facts.resources[index] = {start, size, config::Resource::memory};
        start += size;
    }
    auto scanned = facts.scan(model->image_);
    if (!scanned)
        return propagate(std::move(scanned));
    auto config = config::Space::create(model->image_, model->effects_, facts);
    if (!config)
        return propagate(std::move(config));
    model->config_ = std::make_unique<config::Space>(std::move(*config));
    model->lines_.follow(model->config_.get());
    return model;
}

Result<> Model::add_region(RegionSetup setup) {
    const auto index = static_cast<std::size_t>(setup.region);
    const std::string object = name() + " " + device::name(setup.region);
    if (index >= region_count || setup.size == 0 || backings_[index].info.present())
        return fail(EINVAL, "cannot give a model a region that is empty, unknown or there already", object);
    if (!whole_pages(setup.mappable, setup.size))
        return fail(EINVAL, "cannot make areas mappable that are no ascending whole pages of the region",
                    object);
    const auto size = static_cast<std::size_t>((setup.size + page - 1) / page * page);
    // Sealed: region_file() hands it out, and a file that shrinks under its mappings kills who touches them.
    UniqueFd memfd(::memfd_create("sluice-region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memfd || ::ftruncate(memfd.get(), static_cast<off_t>(size)) != 0 ||
        ::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return fail_errno("cannot allocate a region's memory", object);
    auto memory = Mapping::shared(memfd.get(), size, 0, PROT_READ | PROT_WRITE);
    if (!memory)
        return propagate(std::move(memory));
    Backing& backing = backings_[index];
    backing.info = {setup.size, true, setup.region != Region::rom, false, setup.mappable};
    backing.memfd = std::move(memfd);
    backing.memory = std::move(*memory);
    backing.setup = std::move(setup);
    return {};
}

const RegionInfo& Model::region(Region region) const noexcept {
    static const RegionInfo absent;
    const auto index = static_cast<std::size_t>(region);
    return index < region_count ? backings_[index].info : absent;
}

Result<Mapping> Model::map(Region region, std::uint64_t offset, std::size_t size) {
    auto allowed = check_map(region, offset, size);
    if (!allowed)
        return propagate(std::move(allowed));
    return Mapping::shared(backing(region).memfd.get(), size, offset, PROT_READ | PROT_WRITE);
}

Result<MemoryFile> Model::region_file(Region which) const {
    if (region(which).mappable.empty())
        return Device::region_file(which);
    return MemoryFile{backings_[static_cast<std::size_t>(which)].memfd.get(), 0};
}

Result<> Model::read(Region region, std::uint64_t offset, std::span<std::byte> bytes) {
    auto allowed = check_access(region, offset, bytes.size(), false);
    if (!allowed)
        return allowed;
    Backing& held = backing(region);
    return for_each_piece(offset, bytes.size(), [&](std::uint64_t at, unsigned width) -> Result<> {
        const auto out = bytes.subspan(static_cast<std::size_t>(at - offset), width);
        if (held.setup.on_read) {
            const le64 value = held.setup.on_read(at, width);
            std::memcpy(out.data(), &value, width);
        } else {
            std::memcpy(out.data(), held.memory.data() + at, width);
        }
        return {};
    });
}

Result<> Model::write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) {
    auto allowed = check_access(region, offset, bytes.size(), true);
    if (!allowed)
        return allowed;
    Backing& held = backing(region);
    return for_each_piece(offset, bytes.size(), [&](std::uint64_t at, unsigned width) -> Result<> {
        const auto in = bytes.subspan(static_cast<std::size_t>(at - offset), width);
        if (held.setup.on_write) {
            le64 value = 0;
            std::memcpy(static_cast<void*>(&value), in.data(), width);
            held.setup.on_write(at, width, value);
        } else {
            std::memcpy(held.memory.data() + at, in.data(), width);
        }
        return {};
    });
}

Result<> Model::reset() {
    if (!on_reset_)
        return fail(EOPNOTSUPP, "cannot reset a model that has no reset", name());
    return on_reset_();
}

std::span<std::byte> Model::memory(Region region) noexcept {
    return backing(region).memory.span();
}

std::span<std::byte> Model::dma(Iova iova, std::size_t size, DmaAccess access) const {
    return space()->translate(iova, size, access).value_or(std::span<std::byte>{});
}

} // namespace sluice::inline v1::device::inproc
