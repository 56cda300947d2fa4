// SPDX-License-Identifier: BSD-3-Clause
#include "environment.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>

#include "process.hpp"

namespace sluice::perf {

namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

Json read_json(const fs::path& path) {
    std::ifstream file(path);
    return Json::parse(file, nullptr, false);
}

std::string read_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string git(const fs::path& source, std::initializer_list<std::string> words) {
    Command command{.words = {"git", "-C", source.string()}};
    command.words.insert(command.words.end(), words);
    auto output = run(command);
    return output && output->status == 0 ? output->out : std::string();
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name"))
            return line.substr(line.find(':') + 2);
    return "unknown";
}

// The compiler of the first C++ target, by its own first line, and the options that change what it makes.
std::string toolchain_of(const fs::path& build) {
    std::string line = "unknown";
    for (const auto& target : read_json(build / "meson-info/intro-targets.json")) {
        auto sources = target.find("target_sources");
        if (sources == target.end() || sources->empty() || sources->front().value("language", "") != "cpp")
            continue;
        Command command{.words = sources->front()["compiler"].get<std::vector<std::string>>()};
        command.words.emplace_back("--version");
        if (auto output = run(command); output && output->status == 0)
            line = first_line(output->out);
        break;
    }
    for (const auto& option : read_json(build / "meson-info/intro-buildoptions.json")) {
        std::string name = option.value("name", "");
        for (const char* wanted :
             {"buildtype", "optimization", "debug", "b_ndebug", "b_lto", "b_sanitize", "unity", "cpp_args"})
            if (name == wanted)
                line += fmt::format(" {}={}", name,
                                    option["value"].is_string() ? option["value"].get<std::string>()
                                                                : option["value"].dump());
    }
    return line;
}

std::string dpdk_of(const fs::path& build) {
    for (const auto& dependency : read_json(build / "meson-info/intro-dependencies.json"))
        if (dependency.value("name", "") == "libdpdk")
            return dependency.value("version", "unknown");
    return "unknown";
}

} // namespace

double load_now() {
    double load = 0;
    return ::getloadavg(&load, 1) == 1 ? load : 0;
}

fs::path source_of(const fs::path& build) {
    Json info = read_json(build / "meson-info/meson-info.json");
    return info.is_object() && info.contains("directories") ? info["directories"].value("source", "") : "";
}

Result<Environment> environment_of(const fs::path& build) {
    fs::path source = source_of(build);
    if (source.empty())
        return fail(ENOENT, "is no Meson build directory: name one that `meson setup` made", build.string());
    Environment environment;
    environment.load_before = load_now();
    std::string parents = first_line(git(source, {"rev-list", "--parents", "-n", "1", "HEAD"}));
    environment.commit = parents.substr(0, parents.find(' '));
    if (auto at = parents.find(' '); at != std::string::npos)
        environment.parent = parents.substr(at + 1, 40);
    environment.dirty = !git(source, {"status", "--porcelain", "--untracked-files=no"}).empty();
    environment.toolchain = toolchain_of(build);
    environment.dpdk = dpdk_of(build);
    utsname name{};
    ::uname(&name);
    environment.kernel = fmt::format("{} {}", name.sysname, name.release);
    environment.cpu = cpu_model();
    std::string governor = read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    environment.governor = governor.empty() ? "none" : governor;
    return environment;
}

std::string difference(const Environment& a, const Environment& b) {
    if (a.toolchain != b.toolchain)
        return fmt::format("built differently: {} beside {}", a.toolchain, b.toolchain);
    if (a.dpdk != b.dpdk)
        return fmt::format("built against DPDK {} beside {}", a.dpdk, b.dpdk);
    return {};
}

} // namespace sluice::perf
