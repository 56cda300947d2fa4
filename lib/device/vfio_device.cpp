// SPDX-License-Identifier: BSD-3-Clause
// The kernel VFIO group transport. Linux, include/uapi/linux/vfio.h and Documentation/driver-api/vfio.rst.
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include <sluice/base/log.hpp>

#include "file_device.hpp"
#include "info_chain.hpp"
#include "transports.hpp"
#include "vfio_space.hpp"

namespace sluice::inline v1::device {

namespace {

/// Where each group of this process is, and the spaces that devices share by default.
struct Registry {
    std::mutex mutex;
    std::map<unsigned, std::weak_ptr<VfioSpace>> groups;
    std::vector<std::weak_ptr<VfioSpace>> shared;
};

Registry& registry() {
    static Registry instance;
    return instance;
}

/// Kernel VFIO has its own mediator below us: every effect but a log line is one passed write.
class VfioEffects final : public config::Effects {
  public:
    explicit VfioEffects(std::string device)
        : device_(std::move(device)) {}
    void report(const config::Diagnostic& diagnostic) override {
        log(LogLevel::debug, device_ + ": config space: " + diagnostic.text());
    }

  private:
    const std::string device_;
};

class VfioInterrupts final : public Interrupts {
  public:
    VfioInterrupts(std::string device, int fd, const Infos& infos) noexcept
        : Interrupts(std::move(device), infos)
        , fd_(fd) {}

    static Result<Infos> ask(int fd, std::uint32_t count, const std::string& device);
    using Interrupts::follow;

  private:
    Result<> do_set(Irq irq, std::uint32_t first, std::span<const int> eventfds) override {
        return set_irqs(irq, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, first,
                        static_cast<std::uint32_t>(eventfds.size()), eventfds, "cannot turn interrupts on");
    }
    Result<> do_disable(Irq irq) override {
        return set_irqs(irq, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, {},
                        "cannot turn interrupts off");
    }
    Result<> do_mask_intx(bool masked) override {
        return set_irqs(Irq::intx,
                        VFIO_IRQ_SET_DATA_NONE |
                            (masked ? VFIO_IRQ_SET_ACTION_MASK : VFIO_IRQ_SET_ACTION_UNMASK),
                        0, 1, {}, masked ? "cannot mask INTx" : "cannot unmask INTx");
    }
    Result<> do_trigger(Irq irq, std::uint32_t vector) override {
        return set_irqs(irq, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, vector, 1, {},
                        "cannot signal an interrupt");
    }
    Result<> set_irqs(Irq irq, std::uint32_t flags, std::uint32_t first, std::uint32_t count,
                      std::span<const int> eventfds, const char* what);

    const int fd_;
};

Result<VfioInterrupts::Infos> VfioInterrupts::ask(int fd, std::uint32_t count, const std::string& device) {
    Infos infos{};
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(count, irq_count); ++i) {
        vfio_irq_info info{};
        info.argsz = sizeof info;
        info.index = i;
        if (::ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &info) != 0) {
            if (errno == EINVAL)
                continue; // the error interrupt of a device that is not PCI Express
            return fail_errno("cannot ask VFIO about interrupts", device);
        }
        if ((info.flags & VFIO_IRQ_INFO_EVENTFD) == 0)
            continue;
        infos[i] = {info.count, (info.flags & VFIO_IRQ_INFO_MASKABLE) != 0,
                    (info.flags & VFIO_IRQ_INFO_AUTOMASKED) != 0,
                    (info.flags & VFIO_IRQ_INFO_NORESIZE) == 0 && info.count > 1};
    }
    return infos;
}

Result<> VfioInterrupts::set_irqs(Irq irq, std::uint32_t flags, std::uint32_t first, std::uint32_t count,
                                  std::span<const int> eventfds, const char* what) {
    std::vector<std::byte> bytes(sizeof(vfio_irq_set) + eventfds.size_bytes());
    vfio_irq_set head{};
    head.argsz = static_cast<std::uint32_t>(bytes.size());
    head.flags = flags;
    head.index = static_cast<std::uint32_t>(irq);
    head.start = first;
    head.count = count;
    std::memcpy(bytes.data(), &head, sizeof head);
    if (!eventfds.empty())
        std::memcpy(bytes.data() + sizeof head, eventfds.data(), eventfds.size_bytes());
    const int answer = ::ioctl(fd_, VFIO_DEVICE_SET_IRQS, bytes.data());
    if (answer < 0)
        return fail_errno(what, name(irq));
    if (answer > 0) // how many vectors there would be
        return fail(ENOSPC, "cannot turn on that many vectors, the host has fewer left", name(irq));
    return {};
}

class VfioDevice final : public FileDevice {
  public:
    VfioDevice(Identity identity, std::shared_ptr<AddressSpace> space, Parts parts,
               const vfio_device_info& info, const std::array<IrqInfo, irq_count>& irqs)
        : FileDevice(std::move(identity), std::move(space), std::move(parts))
        , interrupts_(name(), fd(), irqs)
        , can_reset_((info.flags & VFIO_DEVICE_FLAGS_RESET) != 0) {}

    static Result<std::unique_ptr<Device>> create(const pci::Function& function, const pci::Sysfs& sysfs,
                                                  OpenMark mark, VfioSpace::Use use,
                                                  const OpenOptions& options);

    Interrupts& interrupts() noexcept override { return interrupts_; }
    Result<> reset() override;

  private:
    VfioInterrupts interrupts_;
    const bool can_reset_;
};

Result<FileRegion> ask_region(int fd, std::uint32_t index, const pci::Function& function) {
    vfio_region_info in{};
    in.index = index;
    auto answer = InfoChain<vfio_region_info>::ask(fd, VFIO_DEVICE_GET_REGION_INFO, in,
                                                   "cannot ask VFIO about a region");
    if (!answer)
        return propagate(std::move(answer));
    const vfio_region_info head = answer->head();
    FileRegion region;
    region.offset = head.offset;
    region.info.size = head.size;
    region.info.readable = head.size != 0 && (head.flags & VFIO_REGION_INFO_FLAG_READ) != 0;
    region.info.writable = head.size != 0 && (head.flags & VFIO_REGION_INFO_FLAG_WRITE) != 0;
    region.info.port_io = index < function.resources.size() && function.resources[index].is_io();
    if (head.size == 0 || (head.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0)
        return region;
    using Sparse = vfio_region_info_cap_sparse_mmap;
    if (const auto at = answer->find(VFIO_REGION_INFO_CAP_SPARSE_MMAP, sizeof(Sparse))) {
        const auto areas = answer->read<Sparse>(*at).nr_areas;
        for (const auto& area : answer->list<vfio_region_sparse_mmap_area>(*at + sizeof(Sparse), areas))
            region.info.mappable.push_back({area.offset, area.size});
        std::ranges::sort(region.info.mappable, {}, &Area::offset);
    } else {
        region.info.mappable = {{0, head.size}};
    }
    return region;
}

Result<std::unique_ptr<Device>> VfioDevice::create(const pci::Function& function, const pci::Sysfs& sysfs,
                                                   OpenMark mark, VfioSpace::Use use,
                                                   const OpenOptions& options) {
    const std::string bdf = function.address.to_string();
    UniqueFd fd(::ioctl(use.group_fd(), VFIO_GROUP_GET_DEVICE_FD, bdf.c_str()));
    if (!fd)
        return fail_errno("cannot get the device from its VFIO group: is it still bound to vfio-pci?", bdf);
    vfio_device_info info{};
    info.argsz = sizeof info;
    if (::ioctl(fd.get(), VFIO_DEVICE_GET_INFO, &info) != 0)
        return fail_errno("cannot ask VFIO about the device", bdf);
    if ((info.flags & VFIO_DEVICE_FLAGS_PCI) == 0 || info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
        return fail(EPROTO, "cannot use a VFIO device that is not PCI", bdf);

    const std::shared_ptr<AddressSpace> space = use.space();
    Parts parts{std::move(mark), std::make_shared<VfioSpace::Use>(std::move(use)), std::move(fd), {}, 0, 0};
    for (std::uint32_t i = 0; i <= VFIO_PCI_CONFIG_REGION_INDEX; ++i) {
        auto region = ask_region(parts.fd.get(), i, function);
        if (!region)
            return propagate(std::move(region));
        if (i < region_count) {
            parts.regions[i] = std::move(*region);
        } else {
            parts.config_offset = region->offset;
            parts.config_size = static_cast<std::uint32_t>(region->info.size);
        }
    }
    auto irqs = VfioInterrupts::ask(parts.fd.get(), info.num_irqs, bdf);
    if (!irqs)
        return propagate(std::move(irqs));

    auto device = std::make_unique<VfioDevice>(identity_of(function), space, std::move(parts), info, *irqs);
    auto facts = facts_of(function, sysfs, device->backend());
    if (!facts)
        return propagate(std::move(facts));
    auto started =
        device->start_config(device->backend(), std::make_unique<VfioEffects>(bdf), *facts, options);
    if (!started)
        return propagate(std::move(started));
    device->interrupts_.follow(&device->config());
    return device;
}

Result<> VfioDevice::reset() {
    if (!can_reset_)
        return fail(EOPNOTSUPP, "cannot reset the device: the kernel has no method for it", name());
    if (::ioctl(fd(), VFIO_DEVICE_RESET) != 0)
        return fail_errno("cannot reset the device", name());
    return {};
}

Result<UniqueFd> open_group(unsigned number) {
    const std::string path = "/dev/vfio/" + std::to_string(number);
    auto fd = open_file(path, O_RDWR);
    if (!fd) {
        const int code = fd.error().code();
        const char* text = "cannot open the device's VFIO group";
        if (code == EBUSY)
            text = "cannot open the device's VFIO group: another process has it, or a device of it, open";
        else if (code == EACCES || code == EPERM)
            text = "cannot open the device's VFIO group: give this user the node";
        else if (code == ENOENT)
            text = "cannot find the device's VFIO group: is it still bound to vfio-pci?";
        return fail(code, text, path);
    }
    vfio_group_status status{};
    status.argsz = sizeof status;
    if (::ioctl(fd->get(), VFIO_GROUP_GET_STATUS, &status) != 0)
        return fail_errno("cannot ask a VFIO group for its state", path);
    if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0)
        return fail(
            EPERM,
            "cannot use a VFIO group with a member that a kernel driver uses: bind all its members to "
            "vfio-pci, or to no driver",
            path);
    return fd;
}

/// The group in the space asked for, in a space that others share, or in a new one. The registry is locked.
Result<VfioSpace::Use> place_group(Registry& places, unsigned number, const OpenOptions& options) {
    const std::string object = "IOMMU group " + std::to_string(number);
    if (const auto held = places.groups[number].lock())
        if (auto use = VfioSpace::share(held, number)) {
            if (options.space && options.space != held)
                return fail(EINVAL,
                            "cannot open into this address space: the device's group is in another one",
                            object);
            return std::move(*use);
        }
    auto fd = open_group(number);
    if (!fd)
        return propagate(std::move(fd));
    if (options.space) {
        const auto wanted = std::dynamic_pointer_cast<VfioSpace>(options.space);
        if (!wanted)
            return fail(EINVAL, "cannot open a vfio-pci device into a space of another transport", object);
        return VfioSpace::attach(wanted, number, *fd);
    }
    std::erase_if(places.shared, [](const auto& space) { return space.expired(); });
    for (const auto& candidate : places.shared)
        if (const auto space = candidate.lock())
            if (auto use = VfioSpace::attach(space, number, *fd))
                return use;
    auto space = VfioSpace::create();
    if (!space)
        return propagate(std::move(space));
    auto use = VfioSpace::attach(*space, number, *fd);
    if (use)
        places.shared.push_back(*space);
    return use;
}

} // namespace

Result<std::unique_ptr<Device>> open_vfio(const pci::Function& function, const pci::Sysfs& sysfs,
                                          OpenMark mark, const OpenOptions& options) {
    if (!function.group)
        return fail(ENODEV, "cannot use a device without an IOMMU group: enable the IOMMU (intel_iommu=on)",
                    function.address.to_string());
    Registry& places = registry();
    const std::lock_guard lock(places.mutex);
    auto use = place_group(places, *function.group, options);
    if (!use)
        return propagate(std::move(use));
    places.groups[*function.group] = use->space();
    return VfioDevice::create(function, sysfs, std::move(mark), std::move(*use), options);
}

Result<std::shared_ptr<AddressSpace>> new_vfio_space() {
    auto space = VfioSpace::create();
    if (!space)
        return propagate(std::move(space));
    return *space;
}

} // namespace sluice::inline v1::device
