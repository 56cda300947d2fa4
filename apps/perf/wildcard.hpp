// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

namespace sluice::perf {

/// `pattern` where * stands for anything.
inline bool fits(std::string_view text, std::string_view pattern) noexcept {
    const auto star = pattern.find('*');
    if (star == std::string_view::npos)
        return text == pattern;
    if (!text.starts_with(pattern.substr(0, star)))
        return false;
    for (std::size_t at = star; at <= text.size(); ++at)
        if (fits(text.substr(at), pattern.substr(star + 1)))
            return true;
    return false;
}

} // namespace sluice::perf
