// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Device URIs: SCHEME:ADDRESS[?KEY=VALUE[&KEY=VALUE]…], values percent-encoded.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/base/error.hpp>

namespace sluice::inline v1::net {

/// What a scheme understands.
struct SchemeGrammar {
    std::string_view name;
    std::span<const std::string_view> keys;
    bool raw = false; ///< all after the colon is the address, whatever it holds (ethdev's devargs)
};

/// A parsed URI.
class Uri {
  public:
    /// Parses `text` against the known schemes. A bare BDF ("0000:01:00.0", "01:00.0") is short for
    /// "pci:BDF". EINVAL with the known schemes or keys: unknown scheme or key, a key given twice, a key with
    /// no value, an empty address, a broken percent code.
    static Result<Uri> parse(std::string_view text, std::span<const SchemeGrammar> schemes);

    const std::string& text() const noexcept { return text_; }
    const std::string& scheme() const noexcept { return scheme_; }
    const std::string& address() const noexcept { return address_; }

    /// The decoded value of `key`, nothing when it was not given.
    std::optional<std::string_view> get(std::string_view key) const noexcept;

    /// `get`, limited to `allowed` values; EINVAL lists them.
    Result<std::optional<std::string_view>> get_one_of(std::string_view key,
                                                       std::span<const std::string_view> allowed) const;

  private:
    std::string text_;
    std::string scheme_;
    std::string address_;
    std::vector<std::pair<std::string, std::string>> keys_;
};

} // namespace sluice::inline v1::net
