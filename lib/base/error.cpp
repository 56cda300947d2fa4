// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/error.hpp>

#include <cerrno>
#include <cstring>

namespace sluice::inline v1 {

Error Error::from_errno(const char* text, std::string object) noexcept {
    return Error(errno, text, std::move(object));
}

std::string Error::message() const {
    std::string line;
    if (!object_.empty()) {
        line += object_;
        line += ": ";
    }
    line += text_;
    if (code_ != 0) {
        char buffer[128];
        line += " (";
        line += strerror_r(code_, buffer, sizeof buffer);
        line += ')';
    }
    return line;
}

} // namespace sluice::inline v1
