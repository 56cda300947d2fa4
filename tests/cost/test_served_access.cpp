// SPDX-License-Identifier: BSD-3-Clause
// A trapped 4-byte register access through a server in another process, beside a bare round trip of the same
// sizes over the same kind of socket.
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>

#include "served.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr unsigned accesses = 2000;
constexpr unsigned runs = 5;
constexpr unsigned most_runs = 40; ///< on a machine with other work, until one was left alone
constexpr double limit_us = 15;
// Header and REGION_READ, and its reply with four bytes.
constexpr std::size_t request_size = 32;
constexpr std::size_t reply_size = 36;

/// The median time of `access`, in microseconds.
double median(const std::function<bool()>& access) {
    std::vector<double> times;
    for (unsigned i = 0; i < accesses; ++i) {
        const auto begun = std::chrono::steady_clock::now();
        if (!access())
            return -1;
        times.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
    }
    std::ranges::nth_element(times, times.begin() + accesses / 2);
    return times[accesses / 2];
}

/// `work` in another process, which ends with this one.
class Child {
  public:
    explicit Child(const std::function<void()>& work)
        : pid_(::fork()) {
        if (pid_ != 0)
            return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        work();
        ::_exit(0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

  private:
    const pid_t pid_;
};

void serve_for_ever(const std::string& path) {
    CopyEngine engine;
    auto server = serve::Server::listen(engine.device(), path).value();
    for (;;) {
        epoll_event ready{};
        ::epoll_wait(server->fd(), &ready, 1, -1);
        server->pump();
    }
}

void echo(int socket) {
    std::byte bytes[reply_size] = {};
    while (::recv(socket, bytes, request_size, MSG_WAITALL) == static_cast<ssize_t>(request_size))
        static_cast<void>(::send(socket, bytes, reply_size, MSG_NOSIGNAL));
}

TEST(Latency, of_a_trapped_access_is_under_15_microseconds) {
    const std::string path = socket_path();
    const Child server([&] { serve_for_ever(path); });
    std::unique_ptr<device::Device> device;
    for (unsigned tries = 0; !device && tries < 5000; ++tries) {
        if (auto opened = device::connect(path))
            device = std::move(*opened);
        else
            ::usleep(1000);
    }
    ASSERT_NE(device, nullptr);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const Child peer([&] { echo(ends[1]); });

    double best = 1e9;
    double best_bare = 1e9;
    unsigned run = 0;
    for (; run < runs || (run < most_runs && best >= limit_us); ++run) {
        const double bare = median([&] {
            std::byte bytes[reply_size] = {};
            return ::send(ends[0], bytes, request_size, MSG_NOSIGNAL) == static_cast<ssize_t>(request_size) &&
                   ::recv(ends[0], bytes, reply_size, MSG_WAITALL) == static_cast<ssize_t>(reply_size);
        });
        const double ours = median([&] {
            std::uint32_t value = 0;
            return device->read(device::Region::bar0, 0, std::as_writable_bytes(std::span(&value, 1)))
                .has_value();
        });
        ASSERT_GT(bare, 0);
        ASSERT_GT(ours, 0);
        best = std::min(best, ours);
        best_bare = std::min(best_bare, bare);
    }
    std::printf(
        "trapped 4-byte access: median %.2f us in the best of %u runs; bare socket round trip %.2f us\n",
        best, run, best_bare);
    EXPECT_LT(best, limit_us);
}

} // namespace
