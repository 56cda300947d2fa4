// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vfio_user/channel.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace sluice::inline v1::vfio_user {

namespace {

/// What the kernel passes in one message at most (SCM_MAX_FD).
constexpr std::size_t kernel_fds = 253;
constexpr std::size_t control_size = CMSG_SPACE(sizeof(int) * kernel_fds);
constexpr std::size_t most_parts = 4;

bool would_block(int code) {
    return code == EAGAIN || code == EWOULDBLOCK;
}

} // namespace

Channel::Channel(UniqueFd socket, std::uint64_t max_message, std::size_t ahead) noexcept
    : socket_(std::move(socket))
    , max_message_(max_message)
    , ahead_(ahead)
    , buffer_{}
    , head_{} {}

void Channel::take_fds(const void* control) {
    const auto& message = *static_cast<const msghdr*>(control);
    if ((message.msg_flags & MSG_CTRUNC) != 0)
        fault_ = EMFILE;
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr;
         at = CMSG_NXTHDR(const_cast<msghdr*>(&message), at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
            UniqueFd owned(fd);
            if (message_.fds.size() + fds_.size() < kernel_fds)
                fds_.push_back(std::move(owned));
            else
                fault_ = EINVAL;
        }
    }
}

/// Reads up to `size` bytes with the descriptors that come along. 0: nothing is there now.
Result<std::size_t> Channel::receive_some(std::byte* to, std::size_t size, bool wait) {
    alignas(cmsghdr) std::byte control[control_size];
    iovec part{to, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket_.get(), &message, (wait ? 0 : MSG_DONTWAIT) | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && would_block(errno))
        return std::size_t{0};
    if (got < 0)
        return fail_errno("the vfio-user connection broke");
    take_fds(&message);
    if (got == 0)
        return fail(ECONNRESET, "the vfio-user peer has closed the connection");
    return static_cast<std::size_t>(got);
}

/// Moves what was read to where it belongs.
void Channel::consume() noexcept {
    std::size_t part = end_ - begin_;
    const auto from = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
    if (skip_ != 0) {
        part = std::min<std::uint64_t>(part, skip_);
        skip_ -= part;
    } else if (got_ < sizeof(Header)) {
        part = std::min(part, sizeof(Header) - got_);
        std::copy_n(from, part, head_.data() + got_);
        got_ += part;
    } else {
        part = std::min(part, message_.body.size() - (got_ - sizeof(Header)));
        std::copy_n(from, part, message_.body.data() + (got_ - sizeof(Header)));
        got_ += part;
    }
    begin_ += part;
}

/// The header is there: how much follows? False: the stream is out of step.
bool Channel::begin_body() {
    message_.header = take<Header>(head_);
    const std::uint32_t size = message_.header.size;
    if (size < sizeof(Header))
        return false;
    if (size <= max_message_) {
        message_.body.resize(size - sizeof(Header));
    } else {
        message_.fault = E2BIG;
        skip_ = size - sizeof(Header);
    }
    return true;
}

bool Channel::is_complete() const noexcept {
    return skip_ == 0 && got_ >= sizeof(Header) && got_ - sizeof(Header) == message_.body.size();
}

Result<std::optional<Message>> Channel::receive(bool wait) {
    for (;;) {
        while (!lost_ && begin_ != end_ && !is_complete()) {
            const bool in_header = got_ < sizeof(Header);
            consume();
            lost_ = in_header && got_ == sizeof(Header) && !begin_body();
        }
        if (lost_)
            return fail(EPROTO, "the vfio-user peer sent a message that is shorter than its header");
        if (begin_ == end_) { // the last message that begins in what was read owns its descriptors
            std::ranges::move(fds_, std::back_inserter(message_.fds));
            fds_.clear();
            if (fault_ != 0)
                message_.fault = std::exchange(fault_, 0);
        }
        if (is_complete()) {
            got_ = 0;
            return std::exchange(message_, {});
        }
        const bool in_body = skip_ == 0 && got_ >= sizeof(Header);
        std::byte* to = buffer_.data();
        std::size_t wanted = ahead_ - got_;
        if (in_body) {
            to = message_.body.data() + (got_ - sizeof(Header));
            wanted = message_.body.size() - (got_ - sizeof(Header));
        } else if (skip_ != 0) {
            wanted = std::min<std::uint64_t>(skip_, buffer_.size());
        }
        auto got = receive_some(to, wanted, wait);
        if (!got)
            return propagate(std::move(got));
        if (*got == 0)
            return std::nullopt;
        begin_ = 0;
        end_ = in_body ? 0 : *got;
        got_ += in_body ? *got : 0;
    }
}

/// How much of the parts the socket took; 0 when it takes nothing now.
Result<std::size_t> Channel::send_some(std::span<const std::span<const std::byte>> parts,
                                       std::span<const int> fds) {
    iovec vectors[most_parts];
    std::size_t count = 0;
    for (const auto& part : parts)
        vectors[count++] = {const_cast<std::byte*>(part.data()), part.size()};
    alignas(cmsghdr) std::byte control[control_size];
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = count;
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        std::memset(control, 0, message.msg_controllen);
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    ssize_t sent = -1;
    do {
        sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && would_block(errno))
        return std::size_t{0};
    if (sent < 0)
        return fail_errno("cannot send to the vfio-user peer");
    return static_cast<std::size_t>(sent);
}

Result<> Channel::send(Header header, Parts parts, std::span<const int> fds) {
    if (parts.size() >= most_parts || fds.size() > kernel_fds)
        return fail(EINVAL, "cannot send so many parts or descriptors in one vfio-user message");
    std::array<std::span<const std::byte>, most_parts> all;
    std::size_t count = 1;
    std::size_t size = sizeof header;
    for (const auto& part : parts) {
        size += part.size();
        all[count++] = part;
    }
    header.size = static_cast<std::uint32_t>(size);
    all[0] = bytes_of(header);

    std::size_t sent = 0;
    if (pending() == 0) {
        auto done = send_some(std::span(all).first(count), fds);
        if (!done)
            return propagate(std::move(done));
        sent = *done;
    }
    if (sent == size)
        return {};
    if (sent == 0 && !fds.empty() && pending() != 0)
        return fail(EAGAIN, "cannot send descriptors while earlier messages wait");
    if (sent == 0)
        for (const int fd : fds) {
            UniqueFd kept(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
            if (!kept)
                return fail_errno("cannot duplicate a file descriptor");
            out_fds_.push_back(std::move(kept));
        }
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t skipped = std::min(sent, all[i].size());
        sent -= skipped;
        out_.insert(out_.end(), all[i].begin() + static_cast<std::ptrdiff_t>(skipped), all[i].end());
    }
    return {};
}

Result<> Channel::reply(const Header& request, Parts parts, std::span<const int> fds) {
    Header header;
    header.id = request.id;
    header.command = request.command;
    header.flags = type_reply;
    return send(header, parts, fds);
}

Result<> Channel::refuse(const Header& request, int code) {
    Header header;
    header.id = request.id;
    header.command = request.command;
    header.flags = type_reply | flag_error;
    header.error = static_cast<std::uint32_t>(code);
    return send(header, {});
}

Result<> Channel::flush() {
    while (pending() != 0) {
        const std::span<const std::byte> rest = std::span(out_).subspan(sent_);
        std::vector<int> fds;
        for (const UniqueFd& fd : out_fds_)
            fds.push_back(fd.get());
        auto sent = send_some(std::span(&rest, 1), fds);
        if (!sent)
            return propagate(std::move(sent));
        if (*sent == 0)
            return {};
        sent_ += *sent;
        out_fds_.clear();
    }
    out_.clear();
    sent_ = 0;
    return {};
}

Channel::Ready Channel::wait(int timeout_ms, int other) const noexcept {
    if (has_more())
        return {true, false};
    pollfd waits[] = {
        {socket_.get(), static_cast<short>(POLLIN | (pending() != 0 ? POLLOUT : 0)), 0},
        {other, POLLIN, 0},
    };
    if (::poll(waits, other >= 0 ? 2 : 1, timeout_ms) <= 0)
        return {};
    return {waits[0].revents != 0, other >= 0 && waits[1].revents != 0};
}

Result<std::array<UniqueFd, 2>> socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return fail_errno("cannot make a pair of sockets");
    return std::array<UniqueFd, 2>{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

} // namespace sluice::inline v1::vfio_user
