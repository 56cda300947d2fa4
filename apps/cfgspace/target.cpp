// SPDX-License-Identifier: BSD-3-Clause
#include "target.hpp"

#include <cerrno>
#include <fstream>

#include <fmt/format.h>
#include <sluice/config/sysfs.hpp>
#include <sluice/pci/address.hpp>

#include "names.hpp"

namespace sluice::cfgspace {

namespace {

std::uint32_t value_of(config::Backend& backend, std::uint32_t offset, unsigned width) {
    auto value = backend.read(offset, width);
    return value ? *value : 0;
}

/// An image does not tell how large its BARs are: each is taken as large as its address lets it be.
void guess_resources(config::Backend& backend, config::Facts& facts) {
    for (unsigned bar = 0; bar < 6; ++bar) {
        const std::uint32_t raw = value_of(backend, 0x10 + 4 * bar, 4);
        config::Resource& resource = facts.resources[bar];
        const bool io = (raw & 1) != 0;
        std::uint64_t start = raw & (io ? ~0x3U : ~0xfU);
        const bool wide = !io && (raw & 0x6) == 0x4 && bar < 5;
        if (wide)
            start |= std::uint64_t{value_of(backend, 0x14 + 4 * bar, 4)} << 32;
        if (start != 0) {
            resource.start = start;
            resource.length = start & ~(start - 1);
            resource.flags = io ? config::Resource::io : config::Resource::memory;
            resource.flags |= wide ? config::Resource::memory64 : 0;
            resource.flags |= !io && (raw & 0x8) != 0 ? config::Resource::prefetch : 0;
        }
        bar += wide ? 1 : 0;
    }
    const std::uint32_t rom = value_of(backend, 0x30, 4) & ~0x7ffU;
    if (rom != 0)
        facts.resources[config::rom_index] = {rom, rom & ~(rom - 1), config::Resource::memory};
}

} // namespace

void Notes::written(std::uint32_t offset, unsigned width, std::uint32_t value) {
    lines_.push_back(fmt::format("hardware {:03x} <- {:0{}x}", offset, value, 2 * width));
}

void Notes::event(std::string_view text) {
    lines_.push_back(fmt::format("event {}", text));
}

bool is_address(const std::string& name) {
    return pci::Address::parse(name).has_value();
}

Result<void> Target::open_image(const std::string& path) {
    auto image = config::Image::load(path);
    if (!image)
        return propagate(std::move(image));
    auto owned = std::make_unique<config::Image>(std::move(*image));
    image_ = owned.get();
    hardware_ = std::move(owned);
    facts_.vendor = static_cast<std::uint16_t>(value_of(*hardware_, 0, 2));
    facts_.device = static_cast<std::uint16_t>(value_of(*hardware_, 2, 2));
    guess_resources(*hardware_, facts_);
    title_ = fmt::format("{} {}", path,
                         device_title(value_of(*hardware_, 8, 4) >> 8, facts_.vendor, facts_.device));
    return {};
}

Result<void> Target::open_function(const pci::Function& function, const pci::Sysfs& sysfs) {
    const std::string path = sysfs.device_path(function.address);
    auto file = config::SysfsBackend::open(path + "/config");
    if (!file)
        return propagate(std::move(file));
    hardware_ = std::make_unique<config::SysfsBackend>(std::move(*file));
    facts_.is_vf = facts_.no_command_memory = function.is_virtual();
    facts_.vendor = function.vendor;
    facts_.device = function.device;
    facts_.nointx = config::has_broken_intx(function.vendor, function.device);
    std::ifstream(path + "/irq") >> facts_.irq;
    for (std::size_t index = 0; index < facts_.resources.size(); ++index) {
        const pci::Resource& resource = function.resources[index];
        facts_.resources[index] = {resource.start, resource.size(),
                                   static_cast<std::uint32_t>(resource.flags)};
    }
    title_ = fmt::format("{} {}", function.address.to_string(),
                         device_title(function.class_code, function.vendor, function.device));
    return {};
}

Result<void> Target::mediate(config::Policy policy, const std::string& name) {
    constexpr std::uint32_t header_type = 0x0e;
    if ((value_of(*hardware_, header_type, 1) & 0x7f) != 0)
        return fail(EINVAL, "a bridge: the permission engine is for functions with header type 0", name);
    if (auto scanned = facts_.scan(*hardware_); !scanned)
        return scanned;
    recorder_ = std::make_unique<config::Recorder>(*hardware_, notes_);
    system_ =
        std::make_unique<config::SystemModel>(*recorder_, facts_, notes_, config::SystemModel::Options{});
    system_->scan();
    auto space = config::Space::create(*recorder_, *system_, facts_, policy);
    if (!space)
        return fail(space.error().code(), space.error().text(), name);
    space_ = std::make_unique<config::Space>(std::move(*space));
    return {};
}

Result<std::unique_ptr<Target>> Target::open(const std::string& name, config::Policy policy,
                                             const pci::Sysfs& sysfs) {
    std::unique_ptr<Target> target(new Target);
    Result<void> opened;
    if (auto address = pci::Address::parse(name)) {
        auto function = sysfs.find(*address);
        if (!function)
            return propagate(std::move(function));
        opened = target->open_function(*function, sysfs);
    } else {
        opened = target->open_image(name);
    }
    if (opened)
        opened = target->mediate(policy, name);
    if (!opened)
        return propagate(std::move(opened));
    return target;
}

} // namespace sluice::cfgspace
