// SPDX-License-Identifier: BSD-3-Clause
#include "changed.hpp"

#include <algorithm>
#include <array>

#include "environment.hpp"
#include "process.hpp"

namespace sluice::perf {

namespace {

namespace fs = std::filesystem;

std::optional<std::vector<std::string>> lines_of_git(const fs::path& tree,
                                                     std::initializer_list<const char*> words) {
    Command command{.words = {"git", "-C", tree.string()}};
    command.words.insert(command.words.end(), words.begin(), words.end());
    auto output = run(command);
    if (!output || output->status != 0)
        return std::nullopt;
    std::vector<std::string> lines;
    for (std::string_view rest = output->out; !rest.empty();) {
        lines.push_back(first_line(rest));
        rest.remove_prefix(std::min(rest.size(), lines.back().size() + 1));
    }
    return lines;
}

} // namespace

std::optional<std::vector<std::string>> changed_between(const fs::path& base, const fs::path& build) {
    std::error_code failed;
    const fs::path before = source_of(base), tree = source_of(build);
    if (!fs::equivalent(before, tree, failed)) {
        auto environment = environment_of(base);
        if (!environment || environment->dirty || environment->commit.empty())
            return std::nullopt;
        return lines_of_git(tree, {"diff", "--name-only", "--relative", environment->commit.c_str()});
    }
    const auto built = fs::last_write_time(Arm{base, {}}.program(), failed);
    auto files = lines_of_git(tree, {"ls-files", "--cached", "--others", "--exclude-standard"});
    if (failed || !files)
        return std::nullopt;
    std::erase_if(*files, [&](const std::string& file) {
        std::error_code gone;
        const auto changed = fs::last_write_time(tree / file, gone);
        return !gone && changed <= built;
    });
    return files;
}

Touched touched_by(std::span<const std::string> paths) {
    constexpr std::string_view drivers = "drivers/net/";
    constexpr std::array<std::string_view, 6> built{
        "drivers/", "lib/", "apps/perf/subject/", "apps/perf/scenarios", "apps/perf/wildcard", "meson"};
    Touched touched;
    for (std::string_view path : paths) {
        if (path.ends_with(".md") ||
            std::ranges::none_of(built, [&](auto folder) { return path.starts_with(folder); }))
            continue;
        auto end = path.starts_with(drivers) ? path.find('/', drivers.size()) : path.npos;
        if (end == path.npos) {
            touched.everything = true;
            continue;
        }
        std::string name(path.substr(drivers.size(), end - drivers.size()));
        if (std::ranges::find(touched.drivers, name) == touched.drivers.end())
            touched.drivers.push_back(std::move(name));
    }
    return touched;
}

std::vector<Listed> scenarios_of(const Touched& touched, const std::vector<Listed>& all) {
    std::vector<Listed> chosen;
    std::ranges::copy_if(all, std::back_inserter(chosen), [&](const Listed& one) {
        return touched.everything || std::ranges::find(touched.drivers, one.driver) != touched.drivers.end();
    });
    return chosen;
}

} // namespace sluice::perf
