// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Colours on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace sluice::cfgspace {

class Paint {
  public:
    explicit Paint(bool on) noexcept
        : on_(on) {}

    std::string bold(std::string_view text) const { return wrap("1", text); }
    std::string dim(std::string_view text) const { return wrap("2", text); }
    std::string changed(std::string_view text) const { return wrap("33", text); }
    /// One of six colours that tell neighbours apart.
    std::string nth(std::size_t number, std::string_view text) const {
        static constexpr std::string_view codes[] = {"36", "32", "35", "34", "33", "31"};
        return wrap(codes[number % std::size(codes)], text);
    }

  private:
    std::string wrap(std::string_view code, std::string_view text) const {
        if (!on_)
            return std::string(text);
        std::string wrapped = "\033[";
        wrapped.append(code).append("m").append(text).append("\033[0m");
        return wrapped;
    }
    bool on_;
};

} // namespace sluice::cfgspace
