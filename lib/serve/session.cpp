// SPDX-License-Identifier: BSD-3-Clause
#include "session.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <sluice/base/log.hpp>
#include <sluice/vfio_user/check.hpp>

namespace sluice::inline v1::serve {

using device::Region;
using vfio_user::bytes_of;
using vfio_user::Channel;
using vfio_user::Command;
using vfio_user::Message;
using vfio_user::RegionAccess;
using vfio_user::take;
using Clock = std::chrono::steady_clock;

namespace {

template <typename T>
void append(std::vector<std::byte>& bytes, const T& value) {
    const auto more = bytes_of(value);
    bytes.insert(bytes.end(), more.begin(), more.end());
}

/// What a region access ends with for the client: a Space says EFAULT where VFIO says EINVAL.
int code_of(const Result<>& result) {
    if (result)
        return 0;
    return result.error().code() == EFAULT ? EINVAL : result.error().code();
}

} // namespace

Session::Session(device::Device& device, UniqueFd socket, const ServerOptions& options, const EventFd& wake,
                 ServerStatistics& statistics)
    : device_(device)
    , options_(options)
    , wake_(wake)
    , statistics_(statistics)
    , channel_(std::move(socket), Channel::longest(options.limits.max_data_xfer_size))
    , irqs_(device.interrupts())
    , memory_(*device.space(), *this, options.limits.max_dma_maps, wake.fd()) {
    save_header();
}

Session::~Session() {
    {
        const std::lock_guard lock(mutex_);
        broken_ = true;
    }
    static_cast<void>(reset());
    irqs_.disable_all();
    memory_.unmap_all();
    restore_header();
}

int Session::reset() {
    return code_of(device_.reset());
}

void Session::save_header() {
    for (std::uint32_t i = 0; i < header_.size(); ++i)
        header_[i] = device_.config().read32(4 * i).value_or(0);
}

/// COMMAND last: decoding comes back over the BARs that it was on for. STATUS is written as zero, which
/// changes none of it. PCI Local Bus 3.0 §6.2.
void Session::restore_header() {
    constexpr std::uint32_t first_writable = 3;
    constexpr std::uint32_t command = 4;
    static_cast<void>(device_.config().write16(command, 0));
    for (std::uint32_t i = first_writable; i < header_.size(); ++i)
        static_cast<void>(device_.config().write32(4 * i, header_[i]));
    static_cast<void>(device_.config().write16(command, static_cast<std::uint16_t>(header_[1])));
}

bool Session::is_sending() const {
    const std::lock_guard lock(mutex_);
    return channel_.pending() != 0;
}

Session::Outcome Session::pump() {
    if (memory_.is_gone()) {
        log(LogLevel::warning, device_.name() + ": a client took back memory that it had shared");
        return Outcome::dropped;
    }
    Outcome outcome = Outcome::idle;
    Clock::time_point handled;
    for (unsigned left = options_.budget; left > 0;) {
        auto message = next(outcome);
        if (message) {
            outcome = Outcome::worked;
            handle(*message);
            handled = Clock::now();
            --left;
        } else if (outcome != Outcome::worked || is_sending() ||
                   Clock::now() - handled >= std::chrono::microseconds(options_.linger_us)) {
            return outcome;
        } else {
            ::sched_yield(); // the client may need this very CPU to send it
        }
    }
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() || channel_.has_more())
        wake_.signal();
    return outcome;
}

/// The request that is next, if there is one and the answers before it were sent.
std::optional<Message> Session::next(Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    if (broken_) {
        outcome = Outcome::dropped;
        return std::nullopt;
    }
    if (channel_.pending() != 0) {
        if (!channel_.flush())
            outcome = Outcome::client_gone;
        if (outcome == Outcome::client_gone || channel_.pending() != 0)
            return std::nullopt;
    }
    if (!queue_.empty()) {
        Message message = std::move(queue_.front());
        queue_.pop_front();
        queued_bytes_ -= message.body.size();
        return message;
    }
    auto message = channel_.receive();
    if (!message) {
        outcome = message.error().code() == EPROTO ? Outcome::dropped : Outcome::client_gone;
        return std::nullopt;
    }
    return std::move(*message);
}

void Session::handle(Message& message) {
    ++statistics_.messages;
    if (message.is_reply()) { // to nothing that was asked
        ++statistics_.refused;
        return;
    }
    Answer answer;
    answer.code = check_request(message, vfio_user::Sender::client, options_.limits);
    const bool is_version = message.header.command == static_cast<std::uint16_t>(Command::version);
    if (answer.code == 0 && agreed_.has_value() == is_version)
        answer.code = EINVAL; // VERSION comes first, and once
    if (answer.code == 0)
        dispatch(message, answer);
    if (answer.code != 0)
        ++statistics_.refused;
    if (!message.wants_reply())
        return;
    const std::lock_guard lock(mutex_);
    const auto sent =
        answer.code != 0
            ? channel_.refuse(message.header, answer.code)
            : channel_.reply(message.header, {std::span<const std::byte>(answer.bytes)}, answer.fds);
    if (!sent && sent.error().code() != EPIPE && sent.error().code() != ECONNRESET)
        broken_ = true;
}

void Session::dispatch(Message& message, Answer& answer) {
    switch (static_cast<Command>(message.header.command)) {
    case Command::version:
        return version(message, answer);
    case Command::dma_map:
        answer.code = memory_.map(take<vfio_user::DmaMap>(message.body), message.fds);
        return;
    case Command::dma_unmap: {
        auto request = take<vfio_user::DmaUnmap>(message.body);
        answer.code = memory_.unmap(request);
        return append(answer.bytes, request);
    }
    case Command::get_info:
        return device_info(answer);
    case Command::get_region_info:
        return region_info(message, answer);
    case Command::get_region_io_fds: {
        auto request = take<vfio_user::RegionIoFds>(message.body);
        answer.code = request.index < vfio_user::region_indices && request.flags == 0 ? 0 : EINVAL;
        request.argsz = sizeof request;
        request.count = 0;
        return append(answer.bytes, request);
    }
    case Command::get_irq_info: {
        auto request = take<vfio_user::IrqInfo>(message.body);
        answer.code = irqs_.info(request);
        return append(answer.bytes, request);
    }
    case Command::set_irqs:
        answer.code =
            irqs_.set(take<vfio_user::IrqSet>(message.body),
                      std::span(message.body).subspan(sizeof(vfio_user::IrqSet)), std::move(message.fds));
        return;
    case Command::region_read:
        return region_read(message, answer);
    case Command::region_write:
        return region_write(message, answer);
    case Command::region_write_multi:
        return region_write_multi(message, answer);
    case Command::device_reset:
        answer.code = reset();
        return;
    default:
        answer.code = EOPNOTSUPP;
    }
}

void Session::version(const Message& message, Answer& answer) {
    auto theirs = vfio_user::parse_version(message.body);
    vfio_user::Version ours;
    ours.limits = options_.limits;
    ours.write_multiple = true;
    if (theirs && options_.twin_socket && theirs->twin_socket && theirs->twin_socket->supported)
        ours.twin_socket = vfio_user::TwinSocket{true, 0};
    auto both = theirs ? agree(ours, *theirs) : Result<vfio_user::Version>(propagate(std::move(theirs)));
    if (!both) {
        answer.code = both.error().code();
        return;
    }
    if (ours.twin_socket) {
        auto ends = vfio_user::socket_pair();
        if (!ends) {
            answer.code = ends.error().code();
            return;
        }
        const std::lock_guard lock(mutex_);
        twin_.emplace(std::move((*ends)[0]), Channel::longest(options_.limits.max_data_xfer_size),
                      Channel::ahead_of_server);
        answer.keep = std::move((*ends)[1]);
        answer.fds.push_back(answer.keep.get());
    }
    ours.minor = both->minor;
    answer.bytes = encode(ours);
    agreed_ = *both;
}

void Session::device_info(Answer& answer) {
    vfio_user::DeviceInfo info;
    info.flags = vfio_user::DeviceInfo::pci | vfio_user::DeviceInfo::reset;
    info.regions = vfio_user::region_indices;
    info.irqs = vfio_user::irq_indices;
    append(answer.bytes, info);
}

void Session::region_info(const Message& message, Answer& answer) {
    auto info = take<vfio_user::RegionInfo>(message.body);
    if (info.index >= vfio_user::region_indices) {
        answer.code = EINVAL;
        return;
    }
    const std::uint32_t room = info.argsz;
    vfio_user::RegionInfo reply;
    reply.index = info.index;
    const device::RegionInfo* region = nullptr;
    Result<device::MemoryFile> file = fail(EOPNOTSUPP, "");
    if (info.index < device::region_count) {
        region = &device_.region(static_cast<Region>(info.index));
        reply.size = region->size;
        reply.flags = (region->readable ? vfio_user::RegionInfo::read : 0) |
                      (region->writable ? vfio_user::RegionInfo::write : 0);
        if (!region->mappable.empty())
            file = device_.region_file(static_cast<Region>(info.index));
    } else if (info.index == vfio_user::config_region) {
        reply.size = device_.config().size();
        reply.flags = vfio_user::RegionInfo::read | vfio_user::RegionInfo::write;
    }
    if (!file || file->fd < 0)
        return append(answer.bytes, reply);

    const auto areas = static_cast<std::uint32_t>(region->mappable.size());
    reply.flags |= vfio_user::RegionInfo::mmap | vfio_user::RegionInfo::caps;
    reply.argsz = static_cast<std::uint32_t>(sizeof reply + sizeof(vfio_user::SparseMmap) +
                                             areas * sizeof(vfio_user::SparseArea));
    reply.offset = file->offset;
    if (room < reply.argsz) // the client asks again with more room
        return append(answer.bytes, reply);
    reply.cap_offset = sizeof reply;
    append(answer.bytes, reply);
    append(answer.bytes, vfio_user::SparseMmap{{vfio_user::CapHeader::sparse_mmap, 1, 0}, areas, 0});
    for (const device::Area& area : region->mappable)
        append(answer.bytes, vfio_user::SparseArea{area.offset, area.size});
    answer.fds.push_back(file->fd);
}

void Session::region_read(const Message& message, Answer& answer) {
    const auto access = take<RegionAccess>(message.body);
    answer.bytes.resize(sizeof access + access.count);
    std::memcpy(answer.bytes.data(), &access, sizeof access);
    const auto data = std::span(answer.bytes).subspan(sizeof access);
    if (access.region == vfio_user::config_region && access.offset <= vfio_user::max_info)
        answer.code = code_of(device_.config().read(static_cast<std::uint32_t>(access.offset), data));
    else if (access.region < device::region_count)
        answer.code = code_of(device_.read(static_cast<Region>(access.region), access.offset, data));
    else
        answer.code = EINVAL;
}

int Session::write_region(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> bytes) {
    if (region == vfio_user::config_region && offset <= vfio_user::max_info)
        return code_of(device_.config().write(static_cast<std::uint32_t>(offset), bytes));
    if (region < device::region_count)
        return code_of(device_.write(static_cast<Region>(region), offset, bytes));
    return EINVAL;
}

void Session::region_write(const Message& message, Answer& answer) {
    const auto access = take<RegionAccess>(message.body);
    answer.code = write_region(access.region, access.offset, std::span(message.body).subspan(sizeof access));
    append(answer.bytes, access);
}

/// Stops at the first that fails; the answer says how many were done.
void Session::region_write_multi(const Message& message, Answer& answer) {
    vfio_user::WriteMultiHead done;
    const auto writes = take<vfio_user::WriteMultiHead>(message.body).count;
    for (; done.count < writes; ++done.count) {
        const auto one =
            take<vfio_user::WriteOne>(message.body, sizeof done + done.count * sizeof(vfio_user::WriteOne));
        const int code =
            write_region(one.region, one.offset, std::as_bytes(std::span(one.data).first(one.count)));
        if (code == 0)
            continue;
        if (done.count == 0)
            answer.code = code;
        break;
    }
    append(answer.bytes, done);
}

} // namespace sluice::inline v1::serve
