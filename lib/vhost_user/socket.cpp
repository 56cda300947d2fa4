// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/socket.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::inline v1::vhost_user {

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(ENAMETOOLONG, "a socket's path has 1 to 107 characters", path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

UniqueFd make_socket() {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

} // namespace

Result<UniqueFd> connect(const std::string& path) {
    const auto address = address_of(path);
    if (!address)
        return tl::unexpected(address.error());
    UniqueFd socket = make_socket();
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
        return fail_errno("cannot connect to the vhost-user socket: start who listens there first", path);
    return socket;
}

Result<Listener> Listener::create(std::string path) {
    const auto address = address_of(path);
    if (!address)
        return tl::unexpected(address.error());
    struct stat there{};
    if (::lstat(path.c_str(), &there) == 0) {
        if (!S_ISSOCK(there.st_mode))
            return fail(EEXIST, "cannot listen there: it is no socket", path);
        if (connect(path))
            return fail(EADDRINUSE, "cannot listen there: another process does", path);
        ::unlink(path.c_str());
    }
    UniqueFd socket = make_socket();
    if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::listen(socket.get(), 1) != 0)
        return fail_errno("cannot listen at the vhost-user socket", path);
    return Listener(std::move(socket), std::move(path));
}

Listener::~Listener() {
    if (socket_)
        ::unlink(path_.c_str());
}

Result<std::optional<UniqueFd>> Listener::accept() const {
    UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (peer)
        return peer;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED)
        return std::nullopt;
    return fail_errno("cannot accept a vhost-user connection", path_);
}

Result<std::pair<UniqueFd, UniqueFd>> socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return fail_errno("cannot make a pair of sockets");
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

} // namespace sluice::inline v1::vhost_user
