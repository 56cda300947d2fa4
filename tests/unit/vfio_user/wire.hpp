// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A raw end of a connection, for tests that say exactly which bytes go when.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <span>
#include <vector>

#include <sluice/base/unique_fd.hpp>
#include <sluice/vfio_user/channel.hpp>

namespace sluice::test {

/// A message as bytes; `size` 0 is filled in.
inline std::vector<std::byte> wire(vfio_user::Header header,
                                   std::initializer_list<std::span<const std::byte>> parts = {}) {
    std::vector<std::byte> bytes(sizeof header);
    for (const auto& part : parts)
        bytes.insert(bytes.end(), part.begin(), part.end());
    if (header.size == 0)
        header.size = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
}

inline vfio_user::Header command(vfio_user::Command command, std::uint16_t id = 1, std::uint32_t flags = 0) {
    return {id, static_cast<std::uint16_t>(command), 0, flags, 0};
}

/// Sends bytes with descriptors at the first of them. False: the peer is gone, or took not all.
inline bool send_raw(int socket, std::span<const std::byte> bytes, std::span<const int> fds = {},
                     int flags = 0) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int) * 253)] = {};
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | flags) == static_cast<ssize_t>(bytes.size());
}

/// Descriptors that the process has open.
inline std::size_t open_fds() {
    namespace fs = std::filesystem;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

} // namespace sluice::test
