// SPDX-License-Identifier: BSD-3-Clause
// The vfio-user transport. QEMU, docs/interop/vfio-user.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <sluice/base/endian.hpp>
#include <sluice/base/event_fd.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/watch.hpp>
#include <sluice/config/space.hpp>

#include "vfio_user_irqs.hpp"
#include "vfio_user_link.hpp"
#include "vfio_user_space.hpp"

namespace sluice::inline v1::device {

namespace {

using vfio_user::bytes_of;
using vfio_user::Command;
using vfio_user::RegionAccess;

constexpr std::uint64_t page = 4096;
constexpr std::uint32_t wanted_argsz = 4096;
// PCI Local Bus 3.0 §6.1, §6.2.5.
constexpr std::uint32_t command_offset = 0x04;
constexpr std::uint32_t bar_offset = 0x10;
constexpr std::uint32_t rom_offset = 0x30;

struct RemoteRegion {
    device::RegionInfo info;
    UniqueFd fd;
    std::uint64_t offset = 0;
};

/// Regions by messages of as much data as both sides take.
class RemoteAccess {
  public:
    explicit RemoteAccess(std::shared_ptr<VfioUserLink> link)
        : link_(std::move(link)) {}

    Result<> read(std::uint32_t region, std::uint64_t offset, std::span<std::byte> bytes) {
        while (!bytes.empty()) {
            const auto part = bytes.first(most(bytes.size()));
            const RegionAccess request{offset, region, static_cast<std::uint32_t>(part.size())};
            auto reply = link_->ask(Command::region_read, {bytes_of(request)},
                                    "cannot read a region of the device, its server refused");
            if (!reply)
                return propagate(std::move(reply));
            if (reply->body.size() != sizeof request + part.size())
                return fail(EIO, "the device's server gave fewer bytes than were asked for", link_->name());
            std::memcpy(part.data(), reply->body.data() + sizeof request, part.size());
            offset += part.size();
            bytes = bytes.subspan(part.size());
        }
        return {};
    }

    Result<> write(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const auto part = bytes.first(most(bytes.size()));
            const RegionAccess request{offset, region, static_cast<std::uint32_t>(part.size())};
            auto reply = link_->ask(Command::region_write, {bytes_of(request), part},
                                    "cannot write a region of the device, its server refused");
            if (!reply)
                return propagate(std::move(reply));
            if (vfio_user::take<RegionAccess>(reply->body).count != part.size())
                return fail(EIO, "the device's server took fewer bytes than were sent", link_->name());
            offset += part.size();
            bytes = bytes.subspan(part.size());
        }
        return {};
    }

  private:
    std::size_t most(std::size_t size) const {
        return std::min<std::uint64_t>(size, link_->limits().max_data_xfer_size);
    }
    const std::shared_ptr<VfioUserLink> link_;
};

/// Config space as the server shows it. Below it sits the server's own mediator, so that every effect is one
/// passed write.
class RemoteConfig final : public config::Backend, public config::Effects {
  public:
    RemoteConfig(const std::shared_ptr<VfioUserLink>& link, std::uint32_t size)
        : access_(link)
        , name_(link->name())
        , size_(size) {}

    std::uint32_t size() const noexcept override { return size_; }
    Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
        le32 value = 0;
        auto done =
            access_.read(vfio_user::config_region, offset, {reinterpret_cast<std::byte*>(&value), width});
        if (!done)
            return propagate(std::move(done));
        return value.value();
    }
    Result<void> write(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        for (unsigned i = 0; i < width; ++i)
            if (offset + i == command_offset || offset + i == command_offset + 1) {
                const unsigned shift = 8 * (offset + i - command_offset);
                command_ = static_cast<std::uint16_t>((command_ & ~(0xffU << shift)) |
                                                      ((value >> (8 * i)) & 0xff) << shift);
            }
        const le32 little = value;
        return access_.write(vfio_user::config_region, offset,
                             {reinterpret_cast<const std::byte*>(&little), width});
    }
    /// COMMAND as it was written last.
    std::uint16_t command() const noexcept { return command_; }

    void report(const config::Diagnostic& diagnostic) override {
        log(LogLevel::debug, name_ + ": config space: " + diagnostic.text());
    }

  private:
    RemoteAccess access_;
    const std::string name_;
    const std::uint32_t size_;
    std::uint16_t command_ = 0;
};

struct Served {
    std::array<RemoteRegion, region_count> regions;
    std::uint32_t config_size = 0;
    std::array<IrqInfo, irq_count> irqs{};
};

bool pages_inside(const std::vector<Area>& areas, std::uint64_t size) {
    std::uint64_t end = 0;
    for (const Area& area : areas) {
        if (area.size == 0 || ((area.offset | area.size) & (page - 1)) != 0 || area.offset < end ||
            area.offset > size || area.size > size - area.offset)
            return false;
        end = area.offset + area.size;
    }
    return true;
}

/// The areas of the sparse-mmap capability, or all of the region where there is none. The chain is bounded by
/// the reply.
Result<std::vector<Area>> mappable_areas(const vfio_user::RegionInfo& head, std::span<const std::byte> body,
                                         const std::string& object) {
    std::vector<Area> areas{{0, head.size & ~(page - 1)}};
    std::uint64_t at = (head.flags & vfio_user::RegionInfo::caps) != 0 ? head.cap_offset : 0;
    for (std::size_t steps = body.size() / sizeof(vfio_user::CapHeader); at != 0 && steps > 0; --steps) {
        if (at < sizeof head || at > body.size() || body.size() - at < sizeof(vfio_user::CapHeader))
            return fail(EPROTO, "the device's server sent capabilities of a region beyond its reply", object);
        const auto header = vfio_user::take<vfio_user::CapHeader>(body, at);
        const std::uint64_t next = header.next;
        if (header.id == vfio_user::CapHeader::sparse_mmap && header.version == 1) {
            if (body.size() - at < sizeof(vfio_user::SparseMmap))
                return fail(EPROTO, "the device's server cut a region's areas short", object);
            const auto sparse = vfio_user::take<vfio_user::SparseMmap>(body, at);
            at += sizeof sparse;
            if (sparse.count > (body.size() - at) / sizeof(vfio_user::SparseArea))
                return fail(EPROTO, "the device's server cut a region's areas short", object);
            areas.clear();
            for (std::uint32_t i = 0; i < sparse.count; ++i) {
                const auto area =
                    vfio_user::take<vfio_user::SparseArea>(body, at + i * sizeof(vfio_user::SparseArea));
                areas.push_back({area.offset, area.size});
            }
            std::ranges::sort(areas, {}, &Area::offset);
        }
        at = next;
    }
    std::erase_if(areas, [](const Area& area) { return area.size == 0; });
    if (!pages_inside(areas, head.size))
        return fail(EPROTO, "the device's server offers areas that are no pages of their region", object);
    return areas;
}

Result<RemoteRegion> ask_region(VfioUserLink& link, std::uint32_t index) {
    vfio_user::RegionInfo question;
    question.argsz = wanted_argsz;
    question.index = index;
    auto reply = link.ask(Command::get_region_info, {bytes_of(question)},
                          "cannot ask the device's server about a region");
    if (!reply)
        return propagate(std::move(reply));
    const auto info = vfio_user::take<vfio_user::RegionInfo>(reply->body);
    const std::string object = link.name() + " region " + std::to_string(index);
    if (info.index != index || info.size > std::uint64_t{1} << 62)
        return fail(EPROTO, "the device's server answered for another region, or an impossible one", object);
    RemoteRegion region;
    region.info.size = info.size;
    if (info.size == 0)
        return region;
    region.info.readable = (info.flags & vfio_user::RegionInfo::read) != 0;
    region.info.writable = (info.flags & vfio_user::RegionInfo::write) != 0;
    if ((info.flags & vfio_user::RegionInfo::mmap) == 0 || reply->fds.empty())
        return region;
    auto areas = mappable_areas(info, reply->body, object);
    if (!areas)
        return propagate(std::move(areas));
    region.info.mappable = std::move(*areas);
    region.fd = std::move(reply->fds[0]);
    region.offset = info.offset;
    return region;
}

Result<Served> ask_all(VfioUserLink& link) {
    auto reply = link.ask(Command::get_info, {bytes_of(vfio_user::DeviceInfo{})},
                          "cannot ask the server about its device");
    if (!reply)
        return propagate(std::move(reply));
    const auto info = vfio_user::take<vfio_user::DeviceInfo>(reply->body);
    if ((info.flags & vfio_user::DeviceInfo::pci) == 0 || info.regions <= vfio_user::config_region)
        return fail(EPROTO, "cannot use a vfio-user device that is not PCI", link.name());
    Served served;
    for (std::uint32_t i = 0; i <= vfio_user::config_region; ++i) {
        auto region = ask_region(link, i);
        if (!region)
            return propagate(std::move(region));
        if (i < region_count)
            served.regions[i] = std::move(*region);
        else
            served.config_size = region->info.size >= config::extended_size ? config::extended_size
                                                                            : config::conventional_size;
        if (i == vfio_user::config_region && region->info.size < config::conventional_size)
            return fail(EPROTO, "cannot use a vfio-user device without config space", link.name());
    }
    auto irqs = VfioUserInterrupts::ask(link, info.irqs);
    if (!irqs)
        return propagate(std::move(irqs));
    served.irqs = *irqs;
    return served;
}

/// No bus assigns addresses to a served device: its resources are made up, naturally aligned.
Result<config::Facts> facts_of(Served& served, RemoteConfig& config) {
    config::Facts facts;
    facts.intx_supported = served.irqs[static_cast<std::size_t>(Irq::intx)].count != 0;
    std::uint64_t start = 0x80000000;
    for (std::uint32_t i = 0; i < region_count; ++i) {
        auto& info = served.regions[i].info;
        if (!info.present())
            continue;
        auto bar = config.read(i < 6 ? bar_offset + 4 * i : rom_offset, 4);
        if (!bar)
            return propagate(std::move(bar));
        std::uint32_t flags = config::Resource::memory;
        info.port_io = i < 6 && (*bar & 1) != 0;
        if (info.port_io)
            flags = config::Resource::io;
        else if (i < 6)
            flags |= ((*bar & 8) != 0 ? config::Resource::prefetch : 0) |
                     ((*bar & 6) == 4 ? config::Resource::memory64 : 0);
        start = (start + info.size - 1) / info.size * info.size;
        facts.resources[i] = {start, info.size, flags};
        start += info.size;
    }
    auto scanned = facts.scan(config);
    if (!scanned)
        return propagate(std::move(scanned));
    return facts;
}

Result<Identity> identity_of(RemoteConfig& config, const std::string& name) {
    std::array<std::uint32_t, 3> words{};
    constexpr std::uint32_t offsets[] = {0x00, 0x08, 0x2c}; // PCI Local Bus 3.0 §6.2.1, §6.2.4
    for (std::size_t i = 0; i < words.size(); ++i) {
        auto word = config.read(offsets[i], 4);
        if (!word)
            return propagate(std::move(word));
        words[i] = *word;
    }
    Identity identity;
    identity.name = name;
    identity.transport = "vfio-user";
    identity.vendor = static_cast<std::uint16_t>(words[0]);
    identity.device = static_cast<std::uint16_t>(words[0] >> 16);
    identity.revision = static_cast<std::uint8_t>(words[1]);
    identity.class_code = words[1] >> 8;
    identity.subsystem_vendor = static_cast<std::uint16_t>(words[2]);
    identity.subsystem_device = static_cast<std::uint16_t>(words[2] >> 16);
    return identity;
}

Result<UniqueFd> connect_socket(const std::string& path, int flags = 0) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(ENAMETOOLONG, "cannot connect to a socket whose path is empty or longer than 107 bytes",
                    path);
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (!socket)
        return fail_errno("cannot make a socket", path);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno("cannot connect to a vfio-user server: is it running, with this socket?", path);
    return socket;
}

class VfioUserDevice final : public Device {
  public:
    VfioUserDevice(Identity identity, std::shared_ptr<VfioUserLink> link,
                   std::shared_ptr<VfioUserSpace> space, Served served, std::string path, Watch watch,
                   EventFd ended, const RemoteOptions& options)
        : Device(std::move(identity), space)
        , link_(std::move(link))
        , memory_(std::move(space))
        , served_(std::move(served))
        , path_(std::move(path))
        , watch_(std::move(watch))
        , ended_(std::move(ended))
        , absence_(path_.empty() ? Presence::gone : Presence::lost)
        , options_(options)
        , access_(link_)
        , config_bytes_(link_, served_.config_size)
        , interrupts_(link_, served_.irqs) {}
    ~VfioUserDevice() override { link_->close(); }

    static Result<std::unique_ptr<Device>> create(UniqueFd socket, const std::string& name, std::string path,
                                                  const RemoteOptions& options);

    const RegionInfo& region(Region region) const noexcept override {
        static const RegionInfo absent;
        const auto index = static_cast<std::size_t>(region);
        return index < region_count ? served_.regions[index].info : absent;
    }
    using Device::map;
    Result<Mapping> map(Region region, std::uint64_t offset, std::size_t size) override;
    Result<> read(Region region, std::uint64_t offset, std::span<std::byte> bytes) override;
    Result<> write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) override;
    config::Space& config() noexcept override { return *config_; }
    Interrupts& interrupts() noexcept override { return interrupts_; }
    Result<> reset() override;

    int events_fd() const noexcept override { return watch_.fd(); }
    Presence service() override;
    Presence presence() const noexcept override;

  private:
    Result<config::Space> make_config();
    Result<> reconnect();
    Result<> start_again();
    void set_lost(bool lost) noexcept;
    void look_for_server();

    const std::shared_ptr<VfioUserLink> link_;
    const std::shared_ptr<VfioUserSpace> memory_;
    Served served_;
    const std::string path_;
    Watch watch_;                   ///< the connection, its end, and the timer while there is none
    EventFd ended_;                 ///< the connection has: any call may find that
    bool lost_ = false;             ///< service() has seen it
    UniqueFd arrived_;              ///< the socket of a server that reconnect() has not talked with
    std::atomic<Presence> absence_; ///< presence() while there is no connection
    const RemoteOptions options_;
    RemoteAccess access_;
    RemoteConfig config_bytes_;
    std::unique_ptr<config::Recorder> recorder_;
    std::unique_ptr<config::Space> config_;
    VfioUserInterrupts interrupts_;
};

Result<config::Space> VfioUserDevice::make_config() {
    auto facts = facts_of(served_, config_bytes_);
    if (!facts)
        return propagate(std::move(facts));
    if (options_.observer != nullptr && !recorder_)
        recorder_ = std::make_unique<config::Recorder>(config_bytes_, *options_.observer);
    config::Backend& top = recorder_ ? static_cast<config::Backend&>(*recorder_) : config_bytes_;
    return config::Space::create(top, config_bytes_, *facts, options_.policy);
}

Result<std::unique_ptr<Device>> VfioUserDevice::create(UniqueFd socket, const std::string& name,
                                                       std::string path, const RemoteOptions& options) {
    auto watch = Watch::create(name);
    if (!watch)
        return propagate(std::move(watch));
    auto ended = EventFd::create();
    if (!ended)
        return propagate(std::move(ended));
    auto link = std::make_shared<VfioUserLink>(name, options);
    if (auto opened = link->open(std::move(socket)); !opened)
        return propagate(std::move(opened));
    link->on_end(ended->fd());
    for (const int fd : {ended->fd(), link->events_fd()})
        if (auto ok = watch->add(fd); !ok)
            return propagate(std::move(ok));
    auto served = ask_all(*link);
    if (!served)
        return propagate(std::move(served));
    RemoteConfig bytes(link, served->config_size);
    auto identity = identity_of(bytes, name);
    if (!identity)
        return propagate(std::move(identity));
    auto space = std::make_shared<VfioUserSpace>(link, options.iova_offset);
    auto device = std::make_unique<VfioUserDevice>(std::move(*identity), std::move(link), std::move(space),
                                                   std::move(*served), std::move(path), std::move(*watch),
                                                   std::move(*ended), options);
    auto config = device->make_config();
    if (!config)
        return propagate(std::move(config));
    device->config_ = std::make_unique<config::Space>(std::move(*config));
    device->interrupts_.follow(device->config_.get());
    return device;
}

Result<Mapping> VfioUserDevice::map(Region region, std::uint64_t offset, std::size_t size) {
    auto allowed = check_map(region, offset, size);
    if (!allowed)
        return propagate(std::move(allowed));
    const RemoteRegion& held = served_.regions[static_cast<std::size_t>(region)];
    const std::uint64_t at = held.offset + offset;
    struct stat facts{};
    if (::fstat(held.fd.get(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        (at < offset || at > static_cast<std::uint64_t>(facts.st_size) ||
         size > static_cast<std::uint64_t>(facts.st_size) - at))
        return fail(EIO, "cannot map a region of the device: the file that its server sent is shorter",
                    name() + " " + device::name(region));
    const int protection = PROT_READ | (held.info.writable ? PROT_WRITE : 0);
    auto mapping = Mapping::shared(held.fd.get(), size, at, protection);
    if (!mapping)
        return fail(mapping.error().code(), "cannot map a region of the device",
                    name() + " " + device::name(region));
    return mapping;
}

Result<> VfioUserDevice::read(Region region, std::uint64_t offset, std::span<std::byte> bytes) {
    auto allowed = check_access(region, offset, bytes.size(), false);
    return allowed ? access_.read(static_cast<std::uint32_t>(region), offset, bytes) : allowed;
}

Result<> VfioUserDevice::write(Region region, std::uint64_t offset, std::span<const std::byte> bytes) {
    auto allowed = check_access(region, offset, bytes.size(), true);
    return allowed ? access_.write(static_cast<std::uint32_t>(region), offset, bytes) : allowed;
}

Result<> VfioUserDevice::reset() {
    if (link_->connected()) {
        auto reply = link_->ask(Command::device_reset, {}, "cannot reset the device, its server refused");
        if (reply)
            return {};
        if (link_->connected())
            return propagate(std::move(reply));
    }
    auto done = reconnect();
    set_lost(!link_->connected());
    return done;
}

Presence VfioUserDevice::presence() const noexcept {
    return link_->connected() ? Presence::here : absence_.load(std::memory_order_relaxed);
}

Presence VfioUserDevice::service() {
    static_cast<void>(ended_.take());
    if (const auto done = link_->service(); !done && !lost_) {
        log(LogLevel::warning, done.error().message());
        set_lost(true);
    }
    if (watch_.due())
        look_for_server();
    return presence();
}

void VfioUserDevice::set_lost(bool lost) noexcept {
    lost_ = lost;
    watch_.retry(lost && !path_.empty());
}

void VfioUserDevice::look_for_server() {
    auto socket = connect_socket(path_, SOCK_NONBLOCK);
    if (!socket)
        return;
    watch_.retry(false);
    arrived_ = std::move(*socket);
    absence_.store(Presence::returned, std::memory_order_relaxed);
}

Result<> VfioUserDevice::reconnect() {
    if (path_.empty())
        return fail(ENODEV, "cannot connect again to a socket that was handed over", name());
    if (!arrived_)
        look_for_server();
    if (!arrived_)
        return fail(ENODEV, "the device's server is gone: start it again at the same socket, then reset",
                    name());
    absence_.store(Presence::lost, std::memory_order_relaxed);
    if (auto opened = link_->open(std::move(arrived_)); !opened)
        return opened;
    auto done = watch_.add(link_->events_fd());
    if (done)
        done = start_again();
    if (!done)
        link_->drop(done.error());
    return done;
}

bool same_shape(const Served& before, const Served& now) {
    bool same = before.config_size == now.config_size;
    for (std::size_t i = 0; i < region_count; ++i)
        same = same && before.regions[i].info.size == now.regions[i].info.size;
    for (std::size_t i = 0; i < irq_count; ++i)
        same = same && before.irqs[i].count == now.irqs[i].count;
    return same;
}

Result<> VfioUserDevice::start_again() {
    auto served = ask_all(*link_);
    if (!served)
        return propagate(std::move(served));
    auto identity = identity_of(config_bytes_, name());
    if (!identity)
        return propagate(std::move(identity));
    if (identity->vendor != this->identity().vendor || identity->device != this->identity().device ||
        !same_shape(served_, *served))
        return fail(ESTALE, "cannot go on with another device than the one that was there", path_);
    std::array<std::uint32_t, 7> bars{};
    for (std::uint32_t i = 0; i < bars.size(); ++i)
        bars[i] = config_->read32(i < 6 ? bar_offset + 4 * i : rom_offset).value_or(0);
    const std::uint16_t command = config_bytes_.command();
    served_ = std::move(*served);
    auto config = make_config();
    if (!config)
        return propagate(std::move(config));
    *config_ = std::move(*config);
    interrupts_.follow(config_.get());
    for (std::uint32_t i = 0; i < bars.size(); ++i)
        if (auto done = config_->write32(i < 6 ? bar_offset + 4 * i : rom_offset, bars[i]); !done)
            return done;
    if (auto done = memory_->map_again(); !done)
        return done;
    if (auto done = interrupts_.arm_again(); !done)
        return done;
    return config_->write16(command_offset, command);
}

} // namespace

Result<std::unique_ptr<Device>> connect(const std::string& path, const RemoteOptions& options) {
    auto socket = connect_socket(path);
    if (!socket)
        return propagate(std::move(socket));
    return VfioUserDevice::create(std::move(*socket), path, path, options);
}

Result<std::unique_ptr<Device>> connect(UniqueFd socket, const std::string& name,
                                        const RemoteOptions& options) {
    return VfioUserDevice::create(std::move(socket), name, {}, options);
}

} // namespace sluice::inline v1::device
