// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/serve/server.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <sluice/base/log.hpp>

#include "session.hpp"

namespace sluice::inline v1::serve {

namespace {

constexpr int backlog = 8;

/// A socket that nobody listens at any more.
bool is_stale(const sockaddr_un& address) {
    struct stat facts{};
    if (::lstat(address.sun_path, &facts) != 0 || !S_ISSOCK(facts.st_mode))
        return false;
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
           errno == ECONNREFUSED;
}

Result<UniqueFd> listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(ENAMETOOLONG, "cannot listen at a socket whose path is empty or longer than 107 bytes",
                    path);
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket)
        return fail_errno("cannot make a socket", path);
    if (is_stale(address))
        ::unlink(path.c_str());
    // The socket's own mode becomes that of the node: nobody else can connect, not even at first.
    if (::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno("cannot listen at the socket", path);
    if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(socket.get(), backlog) != 0) {
        auto error = fail_errno("cannot listen at the socket", path);
        ::unlink(path.c_str());
        return error;
    }
    return socket;
}

} // namespace

Server::Server(device::Device& device, const ServerOptions& options, UniqueFd epoll, EventFd wake) noexcept
    : device_(device)
    , options_(options)
    , epoll_(std::move(epoll))
    , wake_(std::move(wake)) {}

Server::~Server() {
    session_.reset();
    if (!path_.empty())
        ::unlink(path_.c_str());
}

Result<std::unique_ptr<Server>> Server::create(device::Device& device, const ServerOptions& options) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("cannot make an epoll descriptor", device.name());
    auto wake = EventFd::create();
    if (!wake)
        return propagate(std::move(wake));
    std::unique_ptr<Server> server(new Server(device, options, std::move(epoll), std::move(*wake)));
    if (auto watched = server->watch(server->wake_.fd(), EPOLLIN, false); !watched)
        return propagate(std::move(watched));
    return server;
}

Result<std::unique_ptr<Server>> Server::listen(device::Device& device, const std::string& path,
                                               const ServerOptions& options) {
    auto server = create(device, options);
    if (!server)
        return server;
    auto listener = listen_at(path);
    if (!listener)
        return propagate(std::move(listener));
    (*server)->listener_ = std::move(*listener);
    (*server)->path_ = path;
    if (auto watched = (*server)->watch((*server)->listener_.get(), EPOLLIN, false); !watched)
        return propagate(std::move(watched));
    return server;
}

Result<std::unique_ptr<Server>> Server::adopt(device::Device& device, UniqueFd socket,
                                              const ServerOptions& options) {
    auto server = create(device, options);
    if (!server)
        return server;
    if (auto taken = (*server)->take_on(std::move(socket)); !taken)
        return propagate(std::move(taken));
    return server;
}

Result<> Server::watch(int fd, std::uint32_t events, bool known) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &wanted) != 0)
        return fail_errno("cannot watch a descriptor", device_.name());
    return {};
}

Result<> Server::take_on(UniqueFd socket) {
    if (auto watched = watch(socket.get(), EPOLLIN, false); !watched)
        return watched;
    watched_ = EPOLLIN;
    session_ = std::make_unique<Session>(device_, std::move(socket), options_, wake_, statistics_);
    ++statistics_.clients;
    return {};
}

void Server::end_session(bool ours) {
    if (ours)
        ++statistics_.dropped;
    session_.reset();
}

bool Server::accept_clients() {
    bool worked = false;
    while (listener_) {
        UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket)
            break;
        worked = true;
        if (session_) {
            ++statistics_.busy;
            continue;
        }
        if (auto taken = take_on(std::move(socket)); !taken)
            log(LogLevel::warning, taken.error().message());
    }
    return worked;
}

bool Server::pump() {
    bool worked = false;
    if (session_) {
        const auto outcome = session_->pump();
        worked = worked || outcome != Session::Outcome::idle;
        if (outcome == Session::Outcome::client_gone || outcome == Session::Outcome::dropped)
            end_session(outcome == Session::Outcome::dropped);
    }
    if (session_) {
        const std::uint32_t wanted = session_->is_sending() ? EPOLLOUT : EPOLLIN;
        if (wanted != watched_ && watch(session_->fd(), wanted, true))
            watched_ = wanted;
    }
    const bool woken = wake_.take() != 0;
    return accept_clients() || worked || woken;
}

} // namespace sluice::inline v1::serve
