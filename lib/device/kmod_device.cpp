// SPDX-License-Identifier: BSD-3-Clause
// The transport over sluice_pci.ko. kmod/sluice_pci_uapi.h.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <sluice/base/log.hpp>

#include "file_device.hpp"
#include "kmod_call.hpp"
#include "kmod_space.hpp"
#include "transports.hpp"

namespace sluice::inline v1::device {

namespace {

static_assert(SLUICE_REGION_ROM == static_cast<int>(Region::rom) && SLUICE_REGION_BAR5 == 5);
static_assert(SLUICE_IRQ_REQ == static_cast<int>(Irq::request) && SLUICE_NUM_IRQS == irq_count);

/// The groups that this process has open, by node, and the spaces that devices share by default.
struct Registry {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<KmodGroup>> groups;
    std::vector<std::weak_ptr<KmodSpace>> shared;
};

Registry& registry() {
    static Registry instance;
    return instance;
}

constexpr std::uint32_t command_offset = 4; // PCI Local Bus 3.0 §6.2.2
constexpr std::uint32_t intx_disable = 1U << 10;
constexpr std::uint32_t intx_disable_byte = command_offset + 1;

/// Config space over the module: its bytes, and what the module does on a write's behalf, each as its own
/// call.
///
/// COMMAND's interrupt-disable bit is the module's in hardware, and each COMMAND write carries the user's
/// wish in its place. So the bit is read as that wish, and a write of other bits repeats it.
class KmodConfig final : public config::Backend, public config::Effects {
  public:
    KmodConfig(int fd, config::Backend& file, std::string device)
        : fd_(fd)
        , file_(file)
        , device_(std::move(device)) {}

    std::uint32_t size() const noexcept override { return file_.size(); }

    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        auto value = file_.read(offset, width);
        if (value && offset >= command_offset && offset <= intx_disable_byte &&
            offset + width > intx_disable_byte) {
            const std::uint32_t bit = intx_disable >> (8 * (offset - command_offset));
            *value = intx_disabled_ ? *value | bit : *value & ~bit;
        }
        return value;
    }

    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        return file_.write(offset, width, value);
    }

    Result<config::Disposition> reset(config::ResetKind) override {
        sluice_reset request{};
        return done(kmod_call(fd_, SLUICE_RESET, request, "cannot reset the device", device_));
    }

    Result<config::Disposition> set_power(config::PowerState state) override {
        sluice_set_power_state request{};
        request.state = static_cast<std::uint32_t>(state);
        return done(
            kmod_call(fd_, SLUICE_SET_POWER_STATE, request, "cannot change the power state", device_));
    }

    std::optional<config::PowerState> power() const override {
        sluice_device_info info{};
        if (!kmod_call(fd_, SLUICE_DEVICE_INFO, info, "cannot ask for the power state") ||
            info.power_state > static_cast<std::uint32_t>(config::PowerState::d3cold))
            return std::nullopt;
        return static_cast<config::PowerState>(info.power_state);
    }

    Result<config::Disposition> set_intx_disabled(bool disabled) override {
        intx_disabled_ = disabled;
        auto command = read(command_offset, 2);
        if (!command)
            return propagate(std::move(command));
        return done(write(command_offset, 2, *command));
    }

    Result<config::Disposition> set_read_request(unsigned bytes) override {
        sluice_set_readrq request{};
        request.bytes = bytes;
        return done(kmod_call(fd_, SLUICE_SET_READRQ, request, "cannot set the read request", device_));
    }

    Result<config::Disposition> vpd_read(std::uint16_t address, std::span<std::uint8_t, 4> data) override {
        return vpd(SLUICE_VPD_READ, address, reinterpret_cast<std::uintptr_t>(data.data()),
                   "cannot read vital product data");
    }

    Result<config::Disposition> vpd_write(std::uint16_t address,
                                          std::span<const std::uint8_t, 4> data) override {
        return vpd(SLUICE_VPD_WRITE, address, reinterpret_cast<std::uintptr_t>(data.data()),
                   "cannot write vital product data");
    }

    void report(const config::Diagnostic& diagnostic) override {
        log(LogLevel::debug, device_ + ": config space: " + diagnostic.text());
    }

  private:
    Result<config::Disposition> done(Result<>&& result) {
        if (!result)
            return propagate(std::move(result));
        return config::Disposition::done;
    }

    Result<config::Disposition> vpd(unsigned long call, std::uint16_t address, std::uint64_t data,
                                    const char* what) {
        sluice_vpd request{};
        request.offset = address;
        request.length = 4;
        request.data = data;
        return done(kmod_call(fd_, call, request, what, device_));
    }

    const int fd_;
    config::Backend& file_;
    const std::string device_;
    bool intx_disabled_ = false;
};

class KmodInterrupts final : public Interrupts {
  public:
    KmodInterrupts(std::string device, int fd, const Infos& infos) noexcept
        : Interrupts(std::move(device), infos)
        , fd_(fd) {}

    static Result<Infos> ask(int fd, const std::string& device);
    using Interrupts::follow;

  private:
    Result<> do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) override {
        return set_irqs(irq, SLUICE_SET_TRIGGER | SLUICE_SET_DATA_EVENTFD, first,
                        static_cast<std::uint32_t>(eventfds.size()), eventfds, "cannot turn interrupts on");
    }
    Result<> do_disable(Irq irq) override {
        return set_irqs(irq, SLUICE_SET_TRIGGER | SLUICE_SET_DATA_NONE, 0, 0, {},
                        "cannot turn interrupts off");
    }
    Result<> do_mask_intx(bool masked) override {
        return set_irqs(Irq::intx, SLUICE_SET_DATA_NONE | (masked ? SLUICE_SET_MASK : SLUICE_SET_UNMASK), 0,
                        1, {}, masked ? "cannot mask INTx" : "cannot unmask INTx");
    }
    Result<> do_trigger(Irq irq, std::uint32_t vector) override {
        return set_irqs(irq, SLUICE_SET_TRIGGER | SLUICE_SET_DATA_NONE, vector, 1, {},
                        "cannot signal an interrupt");
    }
    Result<> set_irqs(Irq irq, std::uint32_t flags, std::uint32_t first, std::uint32_t count,
                      std::span<const int> eventfds, const char* what) {
        sluice_set_irqs request{};
        request.flags = flags;
        request.index = static_cast<std::uint32_t>(irq);
        request.start = first;
        request.count = count;
        request.data = reinterpret_cast<std::uintptr_t>(eventfds.data());
        return kmod_call(fd_, SLUICE_SET_IRQS, request, what, name(irq));
    }

    const int fd_;
};

Result<KmodInterrupts::Infos> KmodInterrupts::ask(int fd, const std::string& device) {
    Infos infos{};
    for (std::uint32_t i = 0; i < irq_count; ++i) {
        sluice_irq_info info{};
        info.index = i;
        auto asked = kmod_call(fd, SLUICE_IRQ_INFO, info, "cannot ask sluice_pci about interrupts", device);
        if (!asked)
            return propagate(std::move(asked));
        infos[i] = {info.count, (info.flags & SLUICE_IRQ_MASKABLE) != 0,
                    (info.flags & SLUICE_IRQ_AUTOMASKED) != 0,
                    (info.flags & SLUICE_IRQ_NORESIZE) == 0 && info.count > 1};
    }
    return infos;
}

class KmodDevice final : public FileDevice {
  public:
    KmodDevice(Identity identity, std::shared_ptr<AddressSpace> space, Parts parts, bool can_reset,
               const std::array<IrqInfo, irq_count>& irqs)
        : FileDevice(std::move(identity), std::move(space), std::move(parts))
        , interrupts_(name(), fd(), irqs)
        , can_reset_(can_reset) {}

    static Result<std::unique_ptr<Device>> create(const pci::Function& function, const pci::Sysfs& sysfs,
                                                  OpenMark mark, std::shared_ptr<KmodGroup> group,
                                                  const OpenOptions& options);

    Interrupts& interrupts() noexcept override { return interrupts_; }
    Result<> reset() override;
    Result<std::vector<std::uint8_t>> floor(bool listed) override;

  private:
    Result<> hand_floor_down(bool seal);

    KmodInterrupts interrupts_;
    const bool can_reset_;
};

Result<FileRegion> ask_region(int fd, std::uint32_t index, const std::string& device) {
    sluice_region_info info{};
    info.index = index;
    auto asked = kmod_call(fd, SLUICE_REGION_INFO, info, "cannot ask sluice_pci about a region", device);
    if (!asked)
        return propagate(std::move(asked));
    FileRegion region;
    region.offset = info.offset;
    region.info.size = info.length;
    region.info.readable = info.length != 0 && (info.flags & SLUICE_REGION_READ) != 0;
    region.info.writable = info.length != 0 && (info.flags & SLUICE_REGION_WRITE) != 0;
    region.info.port_io = (info.flags & SLUICE_REGION_IO) != 0;
    if (info.length != 0 && (info.flags & SLUICE_REGION_MMAP) != 0)
        region.info.mappable = {{0, info.length}};
    return region;
}

Result<UniqueFd> get_device(const KmodGroup& group, const std::string& bdf) {
    sluice_group_get_device request{};
    request.size = sizeof request;
    if (bdf.size() >= sizeof request.name)
        return fail(EINVAL, "cannot open a device whose name is too long", bdf);
    std::memcpy(request.name, bdf.c_str(), bdf.size() + 1);
    UniqueFd fd(::ioctl(group.fd(), SLUICE_GROUP_GET_DEVICE, &request));
    if (fd)
        return fd;
    switch (errno) {
    case ENODEV:
        return fail_errno("cannot get the device from its group: is it still bound to sluice-pci?", bdf);
    case EBUSY:
        return fail_errno(
            "cannot open a physical function while its virtual functions are enabled: write 0 to "
            "its sriov_numvfs",
            bdf);
    case EAGAIN:
        return fail_errno("cannot open the device while it is being reset: try again", bdf);
    default:
        return fail_errno("cannot get the device from its group", bdf);
    }
}

Result<std::unique_ptr<Device>> KmodDevice::create(const pci::Function& function, const pci::Sysfs& sysfs,
                                                   OpenMark mark, std::shared_ptr<KmodGroup> group,
                                                   const OpenOptions& options) {
    const std::string bdf = function.address.to_string();
    auto fd = get_device(*group, bdf);
    if (!fd)
        return propagate(std::move(fd));
    sluice_device_info info{};
    auto asked =
        kmod_call(fd->get(), SLUICE_DEVICE_INFO, info, "cannot ask sluice_pci about the device", bdf);
    if (!asked)
        return propagate(std::move(asked));
    auto irqs = KmodInterrupts::ask(fd->get(), bdf);
    if (!irqs)
        return propagate(std::move(irqs));
    const std::shared_ptr<AddressSpace> space = group->space();
    Parts parts{std::move(mark), std::move(group), std::move(*fd), {}, 0, info.config_size};
    for (std::uint32_t i = 0; i <= SLUICE_REGION_CONFIG; ++i) {
        auto region = ask_region(parts.fd.get(), i, bdf);
        if (!region)
            return propagate(std::move(region));
        if (i < region_count)
            parts.regions[i] = std::move(*region);
        else
            parts.config_offset = region->offset;
    }

    auto device = std::make_unique<KmodDevice>(identity_of(function), space, std::move(parts),
                                               (info.flags & SLUICE_DEVICE_RESET) != 0, *irqs);
    auto facts = facts_of(function, sysfs, device->backend());
    if (!facts)
        return propagate(std::move(facts));
    facts->no_command_memory = (info.flags & SLUICE_DEVICE_NO_CMD_MEMORY) != 0;
    facts->intx_supported = info.irq_pin != 0;
    auto config = std::make_unique<KmodConfig>(device->fd(), device->backend(), bdf);
    KmodConfig& bytes = *config;
    auto started = device->start_config(bytes, std::move(config), *facts, options);
    if (!started)
        return propagate(std::move(started));
    device->interrupts_.follow(&device->config());
    auto handed = device->hand_floor_down(options.seal_floor);
    if (!handed)
        return propagate(std::move(handed));
    return device;
}

Result<> KmodDevice::hand_floor_down(bool seal) {
    std::vector<std::uint8_t> mask = config().compile_floor_mask();
    sluice_floor floor{};
    floor.length = static_cast<std::uint32_t>(mask.size());
    floor.mask = reinterpret_cast<std::uintptr_t>(mask.data());
    auto set =
        kmod_call(fd(), SLUICE_FLOOR_SET, floor, "cannot hand the engine's mask to sluice_pci", name());
    if (!set || !seal)
        return set;
    sluice_floor_seal request{};
    return kmod_call(fd(), SLUICE_FLOOR_SEAL, request, "cannot seal the floor", name());
}

Result<std::vector<std::uint8_t>> KmodDevice::floor(bool listed) {
    std::vector<std::uint8_t> mask(config().size());
    sluice_floor floor{};
    floor.which = listed ? SLUICE_FLOOR_LIST : SLUICE_FLOOR_EFFECTIVE;
    floor.length = static_cast<std::uint32_t>(mask.size());
    floor.mask = reinterpret_cast<std::uintptr_t>(mask.data());
    if (auto got = kmod_call(fd(), SLUICE_FLOOR_GET, floor, "cannot read the floor of sluice_pci", name());
        !got)
        return propagate(std::move(got));
    return mask;
}

Result<> KmodDevice::reset() {
    if (!can_reset_)
        return fail(EOPNOTSUPP, "cannot reset the device: the kernel has no method for it", name());
    sluice_reset request{};
    return kmod_call(fd(), SLUICE_RESET, request, "cannot reset the device", name());
}

/// Attaches a group that was just opened to the space asked for, to one that others share, or to a new one.
/// The registry is locked.
Result<> place_group(Registry& places, KmodGroup& group, const OpenOptions& options, const std::string& bdf) {
    if (options.space) {
        const auto wanted = std::dynamic_pointer_cast<KmodSpace>(options.space);
        if (!wanted)
            return fail(EINVAL, "cannot open a sluice-pci device into a space of another transport", bdf);
        return group.attach(wanted);
    }
    std::erase_if(places.shared, [](const auto& space) { return space.expired(); });
    for (const auto& candidate : places.shared)
        if (const auto space = candidate.lock())
            if (group.attach(space))
                return {};
    auto space = group.new_space();
    if (!space)
        return propagate(std::move(space));
    auto attached = group.attach(*space);
    if (attached)
        places.shared.push_back(*space);
    return attached;
}

Result<std::shared_ptr<KmodGroup>> use_group(Registry& places, const pci::Function& function,
                                             const OpenOptions& options) {
    const std::string bdf = function.address.to_string();
    if (auto group = places.groups[function.sluice].lock()) {
        if (options.space && options.space != group->space())
            return fail(EINVAL, "cannot open into this address space: the device's group is in another one",
                        bdf);
        return group;
    }
    auto group = KmodGroup::open(function.sluice);
    if (!group)
        return group;
    auto placed = place_group(places, **group, options, bdf);
    if (!placed)
        return propagate(std::move(placed));
    places.groups[function.sluice] = *group;
    return group;
}

Result<std::string> node_of(const pci::Function& function) {
    if (function.sluice.empty())
        return fail(ENODEV,
                    "cannot find the device's group below /sys/class/sluice: is sluice_pci of this release?",
                    function.address.to_string());
    return function.sluice;
}

} // namespace

Result<std::unique_ptr<Device>> open_kmod(const pci::Function& function, const pci::Sysfs& sysfs,
                                          OpenMark mark, const OpenOptions& options) {
    auto node = node_of(function);
    if (!node)
        return propagate(std::move(node));
    Registry& places = registry();
    const std::lock_guard lock(places.mutex);
    auto group = use_group(places, function, options);
    if (!group)
        return propagate(std::move(group));
    return KmodDevice::create(function, sysfs, std::move(mark), std::move(*group), options);
}

Result<std::shared_ptr<AddressSpace>> new_kmod_space(const pci::Function& function) {
    auto node = node_of(function);
    if (!node)
        return propagate(std::move(node));
    Registry& places = registry();
    const std::lock_guard lock(places.mutex);
    std::shared_ptr<KmodGroup> group = places.groups[*node].lock();
    if (!group) {
        auto opened = KmodGroup::open(*node);
        if (!opened)
            return propagate(std::move(opened));
        group = std::move(*opened);
    }
    auto space = group->new_space();
    if (!space)
        return propagate(std::move(space));
    return *space;
}

} // namespace sluice::inline v1::device
