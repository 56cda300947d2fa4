// SPDX-License-Identifier: BSD-3-Clause
#include "subject.hpp"

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <sluice/base/endian.hpp>
#include <sluice/base/event_fd.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/device/open.hpp>
#include <sluice/pci/address.hpp>

namespace sluice::configdiff {

namespace {

const std::string sysfs = "/sys/bus/pci/devices/";

/// Eventfds that stay open as long as the device may signal them.
class EventFds {
  public:
    Result<std::vector<int>> numbers(unsigned count) {
        std::vector<int> list;
        for (unsigned index = 0; index < count; ++index) {
            if (events_.size() <= index) {
                auto event = EventFd::create();
                if (!event)
                    return propagate(std::move(event));
                events_.push_back(std::move(*event));
            }
            list.push_back(events_[index].fd());
        }
        return list;
    }

  private:
    std::vector<EventFd> events_;
};

/// vfio-pci by its own ioctls, with nothing of Sluice's in between. Linux, include/uapi/linux/vfio.h.
class KernelSubject final : public Subject {
  public:
    static Result<std::unique_ptr<Subject>> open(const std::string& bdf);

    int read(std::uint32_t offset, unsigned width, std::uint32_t& value) override {
        le32 little = 0;
        if (::pread(device_.get(), &little, width, static_cast<off_t>(config_ + offset)) < 0)
            return errno;
        value = little;
        return 0;
    }
    int write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        const le32 little = value;
        return ::pwrite(device_.get(), &little, width, static_cast<off_t>(config_ + offset)) < 0 ? errno : 0;
    }
    int interrupts(device::Irq irq, unsigned vectors) override;
    int bar(unsigned index, std::uint64_t offset, std::uint8_t& byte, bool write) override {
        vfio_region_info info{};
        info.argsz = sizeof info;
        info.index = index;
        if (::ioctl(device_.get(), VFIO_DEVICE_GET_REGION_INFO, &info) != 0)
            return errno;
        const auto at = static_cast<off_t>(info.offset + offset);
        const ssize_t moved =
            write ? ::pwrite(device_.get(), &byte, 1, at) : ::pread(device_.get(), &byte, 1, at);
        return moved == 1 ? 0 : errno;
    }

  private:
    UniqueFd container_;
    UniqueFd group_;
    UniqueFd device_;
    std::uint64_t config_ = 0;
    EventFds events_;
};

Result<std::unique_ptr<Subject>> KernelSubject::open(const std::string& bdf) {
    auto subject = std::make_unique<KernelSubject>();
    std::error_code error;
    const auto group = std::filesystem::read_symlink(sysfs + bdf + "/iommu_group", error).filename().string();
    subject->container_ = UniqueFd(::open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
    subject->group_ = UniqueFd(::open(("/dev/vfio/" + group).c_str(), O_RDWR | O_CLOEXEC));
    if (!subject->container_ || !subject->group_)
        return fail_errno("cannot open VFIO's container and group: is the function bound to vfio-pci?", bdf);
    const int container = subject->container_.get();
    if (::ioctl(subject->group_.get(), VFIO_GROUP_SET_CONTAINER, &container) != 0 ||
        ::ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0)
        return fail_errno("cannot put the group into a container", bdf);
    subject->device_ = UniqueFd(::ioctl(subject->group_.get(), VFIO_GROUP_GET_DEVICE_FD, bdf.c_str()));
    if (!subject->device_)
        return fail_errno("cannot get the device from its VFIO group", bdf);
    vfio_region_info info{};
    info.argsz = sizeof info;
    info.index = VFIO_PCI_CONFIG_REGION_INDEX;
    if (::ioctl(subject->device_.get(), VFIO_DEVICE_GET_REGION_INFO, &info) != 0)
        return fail_errno("cannot find config space in the VFIO device", bdf);
    subject->config_ = info.offset;
    return std::unique_ptr<Subject>(std::move(subject));
}

int KernelSubject::interrupts(device::Irq irq, unsigned vectors) {
    auto numbers = events_.numbers(vectors);
    if (!numbers)
        return numbers.error().code();
    std::vector<std::byte> bytes(sizeof(vfio_irq_set) + vectors * sizeof(int));
    vfio_irq_set set{};
    set.argsz = static_cast<std::uint32_t>(bytes.size());
    set.index = static_cast<std::uint32_t>(irq);
    set.count = vectors;
    set.flags =
        VFIO_IRQ_SET_ACTION_TRIGGER | (vectors == 0 ? VFIO_IRQ_SET_DATA_NONE : VFIO_IRQ_SET_DATA_EVENTFD);
    std::memcpy(bytes.data(), &set, sizeof set);
    if (vectors != 0)
        std::memcpy(bytes.data() + sizeof set, numbers->data(), vectors * sizeof(int));
    const int answer = ::ioctl(device_.get(), VFIO_DEVICE_SET_IRQS, bytes.data());
    return answer < 0 ? errno : answer > 0 ? ENOSPC : 0;
}

class EngineSubject final : public Subject {
  public:
    explicit EngineSubject(std::unique_ptr<device::Device> device)
        : device_(std::move(device)) {}

    int read(std::uint32_t offset, unsigned width, std::uint32_t& value) override {
        le32 little = 0;
        auto done =
            device_->config().read(offset, std::as_writable_bytes(std::span(&little, 1)).first(width));
        if (!done)
            return done.error().code();
        value = little;
        return 0;
    }
    int write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        const le32 little = value;
        auto done = device_->config().write(offset, std::as_bytes(std::span(&little, 1)).first(width));
        return done ? 0 : done.error().code();
    }
    int interrupts(device::Irq irq, unsigned vectors) override {
        auto numbers = events_.numbers(vectors);
        if (!numbers)
            return numbers.error().code();
        auto done =
            vectors == 0 ? device_->interrupts().disable(irq) : device_->interrupts().enable(irq, *numbers);
        return done ? 0 : done.error().code();
    }
    std::vector<std::uint8_t> floor() override {
        auto list = device_->floor(true);
        return list ? std::move(*list) : std::vector<std::uint8_t>();
    }
    int bar(unsigned index, std::uint64_t offset, std::uint8_t& byte, bool write) override {
        const auto bytes = std::as_writable_bytes(std::span(&byte, 1));
        const auto region = static_cast<device::Region>(index);
        auto done = write ? device_->write(region, offset, bytes) : device_->read(region, offset, bytes);
        return done ? 0 : done.error().code();
    }

  private:
    EventFds events_;
    std::unique_ptr<device::Device> device_;
};

} // namespace

const char* name(Route route) noexcept {
    switch (route) {
    case Route::kernel:
        return "kernel";
    case Route::engine:
        return "engine";
    case Route::twice:
        break;
    }
    return "twice";
}

std::optional<Route> parse_route(const std::string& text) noexcept {
    for (const Route route : {Route::kernel, Route::engine, Route::twice})
        if (text == name(route))
            return route;
    return std::nullopt;
}

Result<std::unique_ptr<Subject>> open_subject(Route route, const std::string& bdf, config::Policy policy,
                                              config::Observer* observer) {
    if (route == Route::kernel)
        return KernelSubject::open(bdf);
    auto address = pci::Address::parse(bdf);
    if (!address)
        return propagate(std::move(address));
    device::OpenOptions options;
    options.transport = route == Route::engine ? device::Transport::sluice : device::Transport::vfio;
    options.policy = policy;
    options.observer = observer;
    auto device = device::open(*address, options);
    if (!device)
        return propagate(std::move(device));
    return std::unique_ptr<Subject>(std::make_unique<EngineSubject>(std::move(*device)));
}

Result<std::vector<std::uint8_t>> hardware(const std::string& bdf) {
    std::ifstream file(sysfs + bdf + "/config", std::ios::binary);
    std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() != config::conventional_size && bytes.size() != config::extended_size)
        return fail(EIO, "cannot read the whole of config space: only root may", bdf);
    return bytes;
}

Result<bool> put_back(const std::string& bdf, const std::vector<std::uint8_t>& wanted) {
    constexpr std::uint32_t header_end = 0x40;
    auto present = hardware(bdf);
    if (!present)
        return propagate(std::move(present));
    const UniqueFd file(::open((sysfs + bdf + "/config").c_str(), O_RDWR | O_CLOEXEC));
    bool wrote = false;
    for (std::uint32_t at = header_end; at < present->size() && at < wanted.size(); ++at) {
        if ((*present)[at] == wanted[at])
            continue;
        if (::pwrite(file.get(), &wanted[at], 1, at) != 1)
            return fail_errno("cannot put a byte of config space back", bdf);
        wrote = true;
    }
    return wrote;
}

} // namespace sluice::configdiff
