// SPDX-License-Identifier: BSD-3-Clause
#include "changed.hpp"

#include <algorithm>
#include <array>

namespace sluice::perf {

Touched touched_by(std::span<const std::string> paths) {
    constexpr std::string_view drivers = "drivers/net/";
    constexpr std::array<std::string_view, 5> harmless{"doc/", "tests/", "kmod/", "debian/", ".ci/"};
    Touched touched;
    for (std::string_view path : paths) {
        bool text = path.ends_with(".md") || path.starts_with("LICENSE") ||
                    std::ranges::any_of(harmless, [&](auto folder) { return path.starts_with(folder); });
        if (text)
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

bool fits(std::string_view text, std::string_view pattern) noexcept {
    while (!pattern.empty() && pattern.front() != '*') {
        if (text.empty() || text.front() != pattern.front())
            return false;
        text.remove_prefix(1);
        pattern.remove_prefix(1);
    }
    if (pattern.empty())
        return text.empty();
    pattern.remove_prefix(1);
    for (std::size_t skip = 0; skip <= text.size(); ++skip)
        if (fits(text.substr(skip), pattern))
            return true;
    return false;
}

} // namespace sluice::perf
