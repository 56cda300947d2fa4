// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Errors and results of the control path.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace sluice::inline v1 {

/// Why a control-path operation failed: an errno code, a text that says what was tried and what to do
/// about it, and the object it concerns (a BDF, a path). Values are immutable and may cross threads.
class Error {
  public:
    /// `code` is a positive errno value; `text` must live for ever (a string literal).
    Error(int code, const char* text, std::string object = {}) noexcept
        : code_(code)
        , text_(text)
        , object_(std::move(object)) {}

    /// An error with `errno`'s present value as its code.
    static Error from_errno(const char* text, std::string object = {}) noexcept;

    int code() const noexcept { return code_; }
    const char* text() const noexcept { return text_; }
    const std::string& object() const noexcept { return object_; }

    /// One line for a person: "OBJECT: TEXT (errno's own text)". The last part is left out for code 0.
    std::string message() const;

  private:
    int code_;
    const char* text_;
    std::string object_;
};

/// A value, or the Error that stands in its way.
template <typename T = void>
using Result = tl::expected<T, Error>;

/// Shorthand for a failed Result of any type: `return fail(EINVAL, "…", bdf);`
inline tl::unexpected<Error> fail(int code, const char* text, std::string object = {}) {
    return tl::unexpected<Error>(Error(code, text, std::move(object)));
}

/// A failed Result with `errno`'s present value.
inline tl::unexpected<Error> fail_errno(const char* text, std::string object = {}) {
    return tl::unexpected<Error>(Error::from_errno(text, std::move(object)));
}

/// Hands the error of `result` on to a Result of another type.
template <typename T>
tl::unexpected<Error> propagate(Result<T>&& result) {
    return tl::unexpected<Error>(std::move(result).error());
}

} // namespace sluice::inline v1
