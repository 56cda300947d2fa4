// SPDX-License-Identifier: BSD-3-Clause
#include "file_device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <set>

#include <sluice/base/endian.hpp>

#include "pieces.hpp"

namespace sluice::inline v1::device {

namespace {

struct OpenSet {
    std::mutex mutex;
    std::set<pci::Address> addresses;
};

OpenSet& open_set() {
    static OpenSet set;
    return set;
}

/// Transfers that the kernel cut short give EIO.
bool complete(ssize_t moved, std::size_t wanted) {
    if (moved == static_cast<ssize_t>(wanted))
        return true;
    if (moved >= 0)
        errno = EIO;
    return false;
}

std::uint32_t irq_number(const std::string& path) {
    std::ifstream file(path);
    std::uint32_t irq = 0;
    return file >> irq ? irq : 0;
}

} // namespace

Result<std::uint32_t> FileConfig::read(std::uint32_t offset, unsigned width) {
    le32 value = 0;
    if (!complete(::pread(fd_, &value, width, static_cast<off_t>(offset_ + offset)), width))
        return fail_errno("cannot read config space", device_);
    return value.value();
}

Result<void> FileConfig::write(std::uint32_t offset, unsigned width, std::uint32_t value) {
    const le32 little = value;
    if (!complete(::pwrite(fd_, &little, width, static_cast<off_t>(offset_ + offset)), width))
        return fail_errno("cannot write config space", device_);
    return {};
}

Result<OpenMark> OpenMark::take(const pci::Address& address) {
    OpenSet& set = open_set();
    const std::lock_guard lock(set.mutex);
    if (!set.addresses.insert(address).second)
        return fail(EBUSY, "cannot open a device twice: this process has it open", address.to_string());
    return OpenMark(address);
}

OpenMark::~OpenMark() {
    if (!address_)
        return;
    OpenSet& set = open_set();
    const std::lock_guard lock(set.mutex);
    set.addresses.erase(*address_);
}

Identity identity_of(const pci::Function& function) {
    Identity identity;
    identity.name = function.address.to_string();
    identity.transport = function.driver;
    identity.vendor = function.vendor;
    identity.device = function.device;
    identity.subsystem_vendor = function.subsystem_vendor;
    identity.subsystem_device = function.subsystem_device;
    identity.revision = function.revision;
    identity.class_code = function.class_code;
    identity.numa_node = function.numa_node;
    return identity;
}

Result<config::Facts> facts_of(const pci::Function& function, const pci::Sysfs& sysfs,
                               config::Backend& backend) {
    config::Facts facts;
    facts.is_vf = function.is_virtual();
    facts.no_command_memory = function.is_virtual();
    facts.vendor = function.vendor;
    facts.device = function.device;
    facts.irq = irq_number(sysfs.device_path(function.address) + "/irq");
    facts.nointx = config::has_broken_intx(function.vendor, function.device);
    for (std::size_t i = 0; i < facts.resources.size(); ++i) {
        const pci::Resource& from = function.resources[i];
        facts.resources[i] = {from.start, from.size(), static_cast<std::uint32_t>(from.flags)};
    }
    auto scanned = facts.scan(backend);
    if (!scanned)
        return propagate(std::move(scanned));
    return facts;
}

FileDevice::FileDevice(Identity identity, std::shared_ptr<AddressSpace> space, Parts parts) noexcept
    : Device(std::move(identity), std::move(space))
    , parts_(std::move(parts))
    , backend_(parts_.fd.get(), parts_.config_offset, parts_.config_size, name()) {}

Result<> FileDevice::start_config(config::Backend& bytes, std::unique_ptr<config::Effects> effects,
                                  const config::Facts& facts, const OpenOptions& options) {
    effects_ = std::move(effects);
    if (options.observer != nullptr)
        recorder_ = std::make_unique<config::Recorder>(bytes, *options.observer);
    config::Backend& top = recorder_ ? static_cast<config::Backend&>(*recorder_) : bytes;
    auto config = config::Space::create(top, *effects_, facts, options.policy);
    if (!config)
        return propagate(std::move(config));
    config_ = std::make_unique<config::Space>(std::move(*config));
    return {};
}

const RegionInfo& FileDevice::region(Region region) const noexcept {
    static const RegionInfo absent;
    return static_cast<std::size_t>(region) < region_count ? file_region(region).info : absent;
}

Result<Mapping> FileDevice::map(Region region, std::uint64_t offset, std::size_t size) {
    auto allowed = check_map(region, offset, size);
    if (!allowed)
        return propagate(std::move(allowed));
    auto mapping = Mapping::shared(fd(), size, file_region(region).offset + offset, PROT_READ | PROT_WRITE);
    if (!mapping)
        return fail(mapping.error().code(), "cannot map a region of the device",
                    name() + " " + device::name(region));
    return mapping;
}

Result<> FileDevice::read(Region region, std::uint64_t offset, std::span<std::byte> bytes) {
    auto allowed = check_access(region, offset, bytes.size(), false);
    if (!allowed)
        return allowed;
    return for_each_piece(offset, bytes.size(), [&](std::uint64_t at, unsigned width) -> Result<> {
        if (!complete(::pread(fd(), bytes.data() + (at - offset), width,
                              static_cast<off_t>(file_region(region).offset + at)),
                      width))
            return fail_errno("cannot read a region of the device", name() + " " + device::name(region));
        return {};
    });
}

Result<> FileDevice::write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) {
    auto allowed = check_access(region, offset, bytes.size(), true);
    if (!allowed)
        return allowed;
    return for_each_piece(offset, bytes.size(), [&](std::uint64_t at, unsigned width) -> Result<> {
        if (!complete(::pwrite(fd(), bytes.data() + (at - offset), width,
                               static_cast<off_t>(file_region(region).offset + at)),
                      width))
            return fail_errno("cannot write a region of the device", name() + " " + device::name(region));
        return {};
    });
}

} // namespace sluice::inline v1::device
