// SPDX-License-Identifier: BSD-3-Clause
#include "eal.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include <sluice/base/unique_fd.hpp>
#include <sluice/pci/preflight.hpp>

namespace sluice::testpmd {
namespace {

using Range = std::pair<unsigned, unsigned>;

std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (wrong != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

/// `0-3,8`: what EAL's `-l` takes, and how the kernel lists CPUs. Empty when it is anything else.
std::vector<Range> ranges_of(std::string_view list) {
    std::vector<Range> ranges;
    for (bool more = true; more;) {
        const auto comma = list.find(',');
        more = comma != list.npos;
        const std::string_view part = list.substr(0, comma);
        list.remove_prefix(more ? comma + 1 : list.size());
        const auto dash = part.find('-');
        const auto first = number(part.substr(0, dash));
        const auto last = dash == part.npos ? first : number(part.substr(dash + 1));
        if (!first || !last)
            return {};
        ranges.emplace_back(std::min(*first, *last), std::max(*first, *last));
    }
    return ranges;
}

Result<> check_lcores(const std::string& list, std::string_view online) {
    const auto wanted = ranges_of(list);
    if (wanted.empty())
        return fail(0, "takes lcores as numbers and ranges, as in -l 0-1 or -l 0,2-3",
                    list.empty() ? "-l" : "-l " + list);
    const auto there = ranges_of(online);
    for (const auto& [first, last] : wanted)
        for (std::size_t cpu = first; cpu <= last && !there.empty(); ++cpu)
            if (std::ranges::none_of(there,
                                     [&](const Range& r) { return r.first <= cpu && cpu <= r.second; }))
                return fail(0, "name CPUs that are online, or put lcores on them with --lcores",
                            fmt::format("-l {}: CPU {} is not online, {} are", list, cpu, online));
    return {};
}

/// What EAL was told about memory.
pci::Environment memory_wanted(const std::vector<std::string>& arguments) {
    auto wanted = pci::Environment::of_process({});
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--no-huge")
            wanted.hugepages = false;
        else if (arguments[i] == "--in-memory")
            wanted.hugetlbfs = false;
        else if (arguments[i] == "-m" && i + 1 < arguments.size())
            wanted.memory = std::strtoull(arguments[i + 1].c_str(), nullptr, 10) << 20;
    }
    return wanted;
}

/// Keeps back what is written to standard output: EAL answers a wrong option with a hundred lines there,
/// which hide the line that says what is wrong.
class HeldOutput {
  public:
    HeldOutput()
        : held_(memfd_create("eal", MFD_CLOEXEC)) {
        std::fflush(stdout);
        stdout_ = UniqueFd(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
        if (stdout_ && held_)
            dup2(held_.get(), STDOUT_FILENO);
    }
    ~HeldOutput() { end(); }
    HeldOutput(const HeldOutput&) = delete;
    HeldOutput& operator=(const HeldOutput&) = delete;

    /// Writes it after all.
    void print() {
        end();
        char bytes[4096];
        lseek(held_.get(), 0, SEEK_SET);
        for (ssize_t got = 0; (got = read(held_.get(), bytes, sizeof bytes)) > 0;)
            std::fwrite(bytes, 1, static_cast<std::size_t>(got), stdout);
    }

  private:
    void end() {
        std::fflush(stdout);
        if (stdout_)
            dup2(stdout_.get(), STDOUT_FILENO);
        stdout_.reset();
    }

    UniqueFd held_;
    UniqueFd stdout_;
};

} // namespace

Result<> check_eal_arguments(std::span<const std::string> arguments, std::string_view online) {
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string& word = arguments[at];
        if (!word.starts_with("-l") && !word.starts_with("-m"))
            continue;
        std::string value = word.substr(2);
        if (value.empty() && at + 1 < arguments.size())
            value = arguments[++at];
        if (word[1] == 'm' && !number(value))
            return fail(0, "takes the MiB of memory, as in -m 256", value.empty() ? "-m" : "-m " + value);
        if (word[1] == 'l')
            if (auto checked = check_lcores(value, online); !checked)
                return checked;
    }
    return {};
}

std::string online_cpus() {
    std::string line;
    std::ifstream file("/sys/devices/system/cpu/online");
    std::getline(file, line);
    return line;
}

Result<> start_eal(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    // EAL prints what --log-level=help asks for, and ends the process.
    const bool asks = std::ranges::any_of(arguments, [](const auto& word) { return word.ends_with("help"); });
    std::optional<HeldOutput> output;
    if (!asks)
        output.emplace();
    const int used = rte_eal_init(static_cast<int>(arguments.size()), argv.data());
    if (used < 0) {
        const int code = rte_errno;
        if (code == EINVAL)
            return fail(0, "EAL does not take its options: its own lines above say which");
        if (auto reason = pci::why_no_memory(pci::Sysfs(), memory_wanted(arguments)))
            return fail(0, "EAL does not start", *reason);
        return fail(code, "EAL does not start: its own lines above say why");
    }
    if (output)
        output->print();
    if (rte_eal_process_type() != RTE_PROC_PRIMARY)
        return fail(EBUSY, "another process with this EAL prefix runs: give --file-prefix NAME");
    // EAL moves words that are no options behind those that are.
    if (used + 1 < static_cast<int>(arguments.size()))
        return fail(0, "neither an option nor the value of one; see sluice-testpmd --help",
                    argv[static_cast<std::size_t>(used) + 1]);
    return {};
}

} // namespace sluice::testpmd
