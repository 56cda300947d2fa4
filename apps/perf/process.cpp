// SPDX-License-Identifier: BSD-3-Clause
#include "process.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/base/unique_fd.hpp>

namespace sluice::perf {

namespace {

struct Pipe {
    UniqueFd read, write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail_errno("cannot make a pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// In the child: only calls that are safe between fork and exec.
[[noreturn]] void become(char* const* words, const Command& command, const Pipe& out, const Pipe& err,
                         int report) {
    ::setpgid(0, 0);
    if (command.cpu) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(*command.cpu, &set);
        ::sched_setaffinity(0, sizeof set, &set);
    }
    if (int null = ::open("/dev/null", O_RDONLY); null >= 0)
        ::dup2(null, STDIN_FILENO);
    ::dup2(out.write.get(), STDOUT_FILENO);
    ::dup2(err.write.get(), STDERR_FILENO);
    char* none[] = {nullptr};
    ::execvpe(words[0], words, command.empty_environment ? none : environ);
    int code = errno;
    [[maybe_unused]] auto written = ::write(report, &code, sizeof code);
    ::_exit(127);
}

// Reads both pipes to their end; false when time runs out.
bool drain(const Pipe& out, const Pipe& err, Output& output, std::chrono::steady_clock::time_point until) {
    std::array<pollfd, 2> waits{{{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    std::array<std::string*, 2> texts{&output.out, &output.err};
    int open = 2;
    while (open > 0) {
        auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
        if (left <= 0)
            return false;
        if (::poll(waits.data(), waits.size(), static_cast<int>(left)) < 0 && errno != EINTR)
            return false;
        for (std::size_t i = 0; i < waits.size(); ++i) {
            if (waits[i].fd < 0 || waits[i].revents == 0)
                continue;
            std::array<char, 4096> buffer;
            auto count = ::read(waits[i].fd, buffer.data(), buffer.size());
            if (count > 0) {
                texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
            } else if (count == 0 || errno != EINTR) {
                waits[i].fd = -1;
                --open;
            }
        }
    }
    return true;
}

} // namespace

Result<Output> run(const Command& command) {
    auto out = make_pipe(), err = make_pipe(), report = make_pipe();
    for (auto* pipe : {&out, &err, &report})
        if (!*pipe)
            return propagate(std::move(*pipe));
    std::vector<std::string> copy = command.words;
    std::vector<char*> words;
    for (auto& word : copy)
        words.push_back(word.data());
    words.push_back(nullptr);
    auto until = std::chrono::steady_clock::now() + command.limit;
    pid_t child = ::fork();
    if (child < 0)
        return fail_errno("cannot start a process for", copy[0]);
    if (child == 0)
        become(words.data(), command, *out, *err, report->write.get());
    ::setpgid(child, child);
    out->write.reset();
    err->write.reset();
    report->write.reset();
    int code = 0;
    bool failed = ::read(report->read.get(), &code, sizeof code) == sizeof code;
    Output output;
    bool finished = failed || drain(*out, *err, output, until);
    if (!finished)
        ::kill(-child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (failed)
        return fail(code, "cannot be run", command.words[0]);
    if (!finished)
        return fail(ETIMEDOUT, "took too long and was ended", command.words[0]);
    output.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return output;
}

std::string last_line(std::string_view text) {
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    auto at = text.rfind('\n');
    return std::string(at == std::string_view::npos ? text : text.substr(at + 1));
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

std::vector<unsigned> usable_cpus() {
    cpu_set_t set;
    std::vector<unsigned> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) == 0)
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &set))
                cpus.push_back(cpu);
    return cpus;
}

} // namespace sluice::perf
