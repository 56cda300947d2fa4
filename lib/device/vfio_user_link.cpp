// SPDX-License-Identifier: BSD-3-Clause
#include "vfio_user_link.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sluice/vfio_user/check.hpp>

namespace sluice::inline v1::device {

using vfio_user::Channel;
using vfio_user::Command;
using vfio_user::Header;
using vfio_user::Message;

namespace {

bool permits(DmaAccess held, DmaAccess asked) {
    return (static_cast<unsigned>(held) & static_cast<unsigned>(asked)) == static_cast<unsigned>(asked);
}

} // namespace

Result<> VfioUserLink::open(UniqueFd socket) {
    const std::lock_guard lock(mutex_);
    twin_.reset();
    ended_.reset();
    agreed_ = {};
    const timeval longest{options_.timeout_ms / 1000, options_.timeout_ms % 1000 * 1000};
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest) != 0)
        return fail_errno("cannot prepare a socket for vfio-user", name_);
    channel_.emplace(std::move(socket), Channel::longest(options_.max_data_xfer_size),
                     Channel::ahead_of_server);
    connected_.store(true, std::memory_order_release);
    return negotiate(Clock::now() + std::chrono::milliseconds(options_.timeout_ms));
}

void VfioUserLink::close() noexcept {
    const std::lock_guard lock(mutex_);
    twin_.reset();
    channel_.reset();
    connected_.store(false, std::memory_order_release);
    on_end_ = -1;
}

void VfioUserLink::drop(const Error& why) {
    const std::lock_guard lock(mutex_);
    if (channel_)
        static_cast<void>(end(why));
}

int VfioUserLink::events_fd() const {
    const std::lock_guard lock(mutex_);
    return twin_ ? twin_->fd() : channel_ ? channel_->fd() : -1;
}

vfio_user::Limits VfioUserLink::limits() const {
    const std::lock_guard lock(mutex_);
    return agreed_.limits;
}

/// What this side takes from the server.
vfio_user::Limits VfioUserLink::taken() const noexcept {
    vfio_user::Limits limits;
    limits.max_msg_fds = options_.max_msg_fds;
    limits.max_data_xfer_size = options_.max_data_xfer_size;
    return limits;
}

tl::unexpected<Error> VfioUserLink::end(Error why) {
    twin_.reset();
    channel_.reset();
    connected_.store(false, std::memory_order_release);
    ended_ = Error(why.code() == EPIPE ? ECONNRESET : why.code(), why.text(), name_);
    if (on_end_ >= 0) {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(on_end_, &one, sizeof one));
    }
    return tl::unexpected<Error>(*ended_);
}

Result<> VfioUserLink::negotiate(Clock::time_point deadline) {
    vfio_user::Version ours;
    ours.limits = taken();
    ours.write_multiple = false;
    if (options_.twin_socket)
        ours.twin_socket = vfio_user::TwinSocket{true, 0};
    const auto payload = encode(ours);
    auto reply = exchange(Command::version, {payload}, {}, deadline);
    if (!reply) {
        if (channel_)
            return end(Error(EPROTO, "the vfio-user server refused the version or its capabilities"));
        return propagate(std::move(reply));
    }
    auto theirs = vfio_user::parse_version(reply->body);
    if (!theirs)
        return end(std::move(theirs).error());
    auto both = agree(ours, *theirs);
    if (!both)
        return end(std::move(both).error());
    agreed_ = *both;
    if (!theirs->twin_socket || !theirs->twin_socket->supported)
        return {};
    if (!options_.twin_socket || theirs->twin_socket->fd_index >= reply->fds.size())
        return end(Error(EPROTO, "the vfio-user server speaks of a twin socket, and sent none"));
    twin_.emplace(std::move(reply->fds[theirs->twin_socket->fd_index]),
                  Channel::longest(options_.max_data_xfer_size), Channel::ahead_of_server);
    return {};
}

Result<Message> VfioUserLink::ask(Command command, Parts parts, const char* what, std::span<const int> fds) {
    const std::lock_guard lock(mutex_);
    if (!channel_)
        return tl::unexpected<Error>(
            ended_.value_or(Error(ECONNRESET, "the vfio-user connection is closed", name_)));
    auto reply = exchange(command, parts, fds, Clock::now() + std::chrono::milliseconds(options_.timeout_ms));
    if (!reply && channel_)
        return fail(reply.error().code(), what, name_);
    return reply;
}

/// Fails with the connection still there when the server refused.
Result<Message> VfioUserLink::exchange(Command command, Parts parts, std::span<const int> fds,
                                       Clock::time_point deadline) {
    Header request;
    request.id = next_id_++;
    request.command = static_cast<std::uint16_t>(command);
    if (auto sent = channel_->send(request, parts, fds); !sent)
        return end(std::move(sent).error());
    for (;;) {
        // Where nothing else is awaited the read itself waits, which is a call less.
        const bool direct = !twin_ && channel_->pending() == 0 && Clock::now() < deadline;
        if (!direct) {
            const auto ready = wait(deadline);
            if (!ready)
                return tl::unexpected<Error>(ready.error());
            if (twin_ && ready->other)
                if (auto answered = answer_all(*twin_); !answered)
                    return propagate(std::move(answered));
            if (!ready->self)
                continue;
        }
        auto message = channel_->receive(direct);
        if (!message)
            return end(std::move(message).error());
        if (!*message)
            continue;
        if (!(*message)->is_reply()) {
            if (auto answered = answer(*channel_, **message); !answered)
                return propagate(std::move(answered));
            continue;
        }
        vfio_user::Limits most = taken();
        most.max_data_xfer_size = std::max(most.max_data_xfer_size, agreed_.limits.max_data_xfer_size);
        const int code = check_reply(**message, request, most);
        if (code == EPROTO)
            return end(Error(EPROTO, "the vfio-user server sent a reply that answers nothing"));
        if (code != 0)
            return fail(code, vfio_user::name(request.command));
        return std::move(**message);
    }
}

/// Until there is something to read, or sent what waits.
Result<Channel::Ready> VfioUserLink::wait(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    Channel::Ready ready;
    if (left > 0)
        ready = channel_->wait(static_cast<int>(left), twin_ ? twin_->fd() : -1);
    if (!ready)
        return end(Error(ETIMEDOUT, "the vfio-user server does not answer"));
    if (channel_->pending() != 0)
        if (auto sent = channel_->flush(); !sent)
            return end(std::move(sent).error());
    return ready;
}

Result<> VfioUserLink::service() {
    const std::lock_guard lock(mutex_);
    if (!channel_)
        return tl::unexpected<Error>(
            ended_.value_or(Error(ECONNRESET, "the vfio-user connection is closed", name_)));
    if (twin_)
        if (auto answered = answer_all(*twin_); !answered)
            return answered;
    return answer_all(*channel_);
}

Result<> VfioUserLink::answer_all(Channel& channel) {
    for (;;) {
        auto message = channel.receive();
        if (!message)
            return end(std::move(message).error());
        if (!*message)
            return {};
        if (auto answered = answer(channel, **message); !answered)
            return answered;
    }
}

/// Answers a request of the server's; a reply that nobody waits for ends the connection.
Result<> VfioUserLink::answer(Channel& channel, const Message& message) {
    if (message.is_reply())
        return end(Error(EPROTO, "the vfio-user server sent a reply that answers nothing"));
    int code = check_request(message, vfio_user::Sender::server, taken());
    vfio_user::DmaAccess access;
    std::vector<std::byte> data;
    if (code == 0) {
        access = vfio_user::take<vfio_user::DmaAccess>(message.body);
        const bool read = message.header.command == static_cast<std::uint16_t>(Command::dma_read);
        if (read)
            data.resize(access.count);
        else
            data.assign(message.body.begin() + sizeof access, message.body.end());
        code = copy(access.address, data, read ? DmaAccess::read : DmaAccess::write);
        if (!read)
            data.clear();
    }
    if (!message.wants_reply())
        return {};
    auto sent = code != 0 ? channel.refuse(message.header, code)
                          : channel.reply(message.header, {vfio_user::bytes_of(access), data});
    const auto deadline = Clock::now() + std::chrono::milliseconds(options_.timeout_ms);
    while (sent && channel.pending() != 0) {
        if (Clock::now() > deadline)
            return end(Error(ETIMEDOUT, "the vfio-user server does not take its answers"));
        channel.wait(100);
        sent = channel.flush();
    }
    if (!sent)
        return end(std::move(sent).error());
    return {};
}

/// The device's read from the windows, or its write to them. EFAULT: not all of it is mapped for that;
/// nothing was copied then.
int VfioUserLink::copy(std::uint64_t address, std::span<std::byte> bytes, DmaAccess access) {
    for (const bool really : {false, true}) {
        std::uint64_t at = address;
        for (std::size_t done = 0; done < bytes.size();) {
            auto window = windows_.upper_bound(at);
            if (window == windows_.begin() || !permits((--window)->second.access, access))
                return EFAULT;
            const auto& memory = window->second.memory;
            const std::uint64_t offset = at - window->first;
            if (offset >= memory.size())
                return EFAULT;
            const std::size_t part = std::min<std::size_t>(bytes.size() - done, memory.size() - offset);
            if (really && access == DmaAccess::read)
                std::memcpy(bytes.data() + done, memory.data() + offset, part);
            else if (really)
                std::memcpy(memory.data() + offset, bytes.data() + done, part);
            done += part;
            at += part;
        }
    }
    return 0;
}

void VfioUserLink::add_window(Iova iova, std::span<std::byte> memory, DmaAccess access) {
    const std::lock_guard lock(mutex_);
    windows_.insert_or_assign(iova.value, Window{memory, access});
}

void VfioUserLink::remove_window(Iova iova) {
    const std::lock_guard lock(mutex_);
    windows_.erase(iova.value);
}

void VfioUserLink::on_end(int eventfd) {
    const std::lock_guard lock(mutex_);
    on_end_ = eventfd;
}

} // namespace sluice::inline v1::device
