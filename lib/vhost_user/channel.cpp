// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/channel.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::inline v1::vhost_user {

namespace {

/// What the kernel passes in one message at most (SCM_MAX_FD).
constexpr std::size_t kernel_fds = 253;

bool would_block() noexcept {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/// Takes the descriptors that came with `received`. False: more than a message has, or not all arrived.
bool take_fds(msghdr& received, std::vector<UniqueFd>& fds) {
    bool whole = (received.msg_flags & MSG_CTRUNC) == 0;
    for (cmsghdr* at = CMSG_FIRSTHDR(&received); at != nullptr; at = CMSG_NXTHDR(&received, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
            UniqueFd owned(fd);
            if (fds.size() < max_fds)
                fds.push_back(std::move(owned));
            else
                whole = false;
        }
    }
    return whole;
}

} // namespace

/// 0: nothing is there now.
Result<std::size_t> Channel::read_some(std::byte* to, std::size_t size) {
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * kernel_fds)];
    iovec part{to, size};
    msghdr received{};
    received.msg_iov = &part;
    received.msg_iovlen = 1;
    received.msg_control = control;
    received.msg_controllen = sizeof control;
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket_.get(), &received, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && would_block())
        return std::size_t{0};
    if (got < 0)
        return fail_errno("the vhost-user connection broke");
    if (!take_fds(received, message_.fds))
        message_.fault = EMFILE;
    if (got == 0)
        return fail(ECONNRESET, "the vhost-user peer has closed the connection");
    return static_cast<std::size_t>(got);
}

Result<std::optional<Message>> Channel::receive() {
    for (;;) {
        std::array<std::byte, 512> passed;
        std::byte* to = nullptr;
        std::size_t size = 0;
        if (skip_ != 0) {
            to = passed.data();
            size = static_cast<std::size_t>(std::min<std::uint64_t>(passed.size(), skip_));
        } else if (got_ < sizeof(Header)) {
            to = head_.data() + got_;
            size = sizeof(Header) - got_;
        } else {
            to = message_.body.data() + (got_ - sizeof(Header));
            size = message_.body.size() - (got_ - sizeof(Header));
        }
        if (size != 0) {
            const auto got = read_some(to, size);
            if (!got)
                return tl::unexpected(got.error());
            if (*got == 0)
                return std::nullopt;
            if (skip_ != 0) {
                skip_ -= *got;
            } else {
                got_ += *got;
                if (got_ < sizeof(Header))
                    continue;
                if (got_ == sizeof(Header)) {
                    std::memcpy(static_cast<void*>(&message_.header), head_.data(), sizeof(Header));
                    const std::uint32_t follows = message_.header.size;
                    if (follows <= max_body) {
                        message_.body.resize(follows);
                    } else {
                        message_.fault = E2BIG;
                        skip_ = follows;
                    }
                }
            }
        }
        if (skip_ == 0 && got_ >= sizeof(Header) && got_ - sizeof(Header) == message_.body.size()) {
            got_ = 0;
            return std::exchange(message_, {});
        }
    }
}

Result<> Channel::send(Header header, std::span<const std::byte> body, std::span<const int> fds,
                       int patience_ms) {
    if (body.size() > max_body || fds.size() > max_fds)
        return fail(EINVAL, "cannot send so much in one vhost-user message");
    header.size = static_cast<std::uint32_t>(body.size());
    std::array<std::byte, sizeof(Header) + max_body> bytes;
    std::memcpy(bytes.data(), static_cast<const void*>(&header), sizeof header);
    std::copy(body.begin(), body.end(), bytes.begin() + sizeof header);
    const std::size_t size = sizeof header + body.size();
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * max_fds)] = {};
    for (std::size_t sent = 0; sent != size;) {
        iovec part{bytes.data() + sent, size - sent};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (sent == 0 && !fds.empty()) {
            message.msg_control = control;
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            cmsghdr* const rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
        }
        const ssize_t done = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done >= 0) {
            sent += static_cast<std::size_t>(done);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (!would_block())
            return fail_errno("cannot send to the vhost-user peer");
        pollfd room{socket_.get(), POLLOUT, 0};
        if (::poll(&room, 1, patience_ms) <= 0)
            return fail(ETIMEDOUT, "the vhost-user peer takes no messages");
    }
    return {};
}

bool Channel::wait(int timeout_ms) const noexcept {
    pollfd readable{socket_.get(), POLLIN, 0};
    return ::poll(&readable, 1, timeout_ms) == 1;
}

} // namespace sluice::inline v1::vhost_user
