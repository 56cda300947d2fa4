// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/net/uri.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>

namespace sluice::inline v1::net {
namespace {

bool hex_run(std::string_view text, std::size_t min, std::size_t max) {
    return text.size() >= min && text.size() <= max &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// [DOMAIN:]BUS:DEVICE.FUNCTION
bool looks_like_bdf(std::string_view text) {
    const std::size_t dot = text.rfind('.');
    const std::size_t last = text.rfind(':');
    if (dot == text.npos || last == text.npos || dot < last)
        return false;
    const std::string_view function = text.substr(dot + 1);
    if (function.size() != 1 || function[0] < '0' || function[0] > '7' ||
        !hex_run(text.substr(last + 1, dot - last - 1), 1, 2))
        return false;
    const std::size_t first = text.find(':');
    if (first == last)
        return hex_run(text.substr(0, last), 1, 2);
    return hex_run(text.substr(0, first), 1, 8) && hex_run(text.substr(first + 1, last - first - 1), 1, 2);
}

std::string join(std::span<const std::string_view> words) {
    std::string text;
    for (const std::string_view word : words) {
        if (!text.empty())
            text += ", ";
        text += word;
    }
    return text;
}

Result<std::string> decode(std::string_view text, const std::string& uri) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned char byte = 0;
        const char* at = text.data() + i + 1;
        if (text.size() - i < 3 || std::from_chars(at, at + 2, byte, 16).ptr != at + 2)
            return fail(EINVAL, "bad percent code in a device URI: two hexadecimal digits follow a %", uri);
        out += static_cast<char>(byte);
        i += 2;
    }
    return out;
}

} // namespace

Result<Uri> Uri::parse(std::string_view text, std::span<const SchemeGrammar> schemes) {
    Uri uri;
    uri.text_ = looks_like_bdf(text) ? "pci:" + std::string(text) : std::string(text);
    const std::string_view whole = uri.text_;
    const std::size_t colon = std::min(whole.find(':'), whole.size());
    uri.scheme_ = whole.substr(0, colon);
    const auto scheme = std::find_if(schemes.begin(), schemes.end(),
                                     [&](const SchemeGrammar& known) { return known.name == uri.scheme_; });
    if (colon == whole.size() || scheme == schemes.end()) {
        std::string known;
        for (const SchemeGrammar& grammar : schemes)
            known += (known.empty() ? "" : ", ") + std::string(grammar.name) + ":";
        return fail(EINVAL, "not a device: a PCI address or a URI of a known scheme is needed",
                    uri.text_ + " (known: " + known + ")");
    }

    std::string_view rest = whole.substr(colon + 1);
    const std::size_t mark = scheme->raw ? rest.npos : rest.find('?');
    auto address = scheme->raw ? Result<std::string>(rest) : decode(rest.substr(0, mark), uri.text_);
    if (!address)
        return propagate(std::move(address));
    uri.address_ = std::move(*address);
    if (uri.address_.empty())
        return fail(EINVAL, "a device URI needs an address after the colon", uri.text_);
    if (mark == rest.npos)
        return uri;

    rest.remove_prefix(mark + 1);
    while (true) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view pair = rest.substr(0, end);
        const std::size_t equals = pair.find('=');
        const std::string key(pair.substr(0, equals));
        const std::string known = " (known: " + join(scheme->keys) + ")";
        if (std::find(scheme->keys.begin(), scheme->keys.end(), key) == scheme->keys.end())
            return fail(EINVAL, "unknown key in a device URI", uri.text_ + ", key '" + key + "'" + known);
        if (equals == pair.npos || equals + 1 == pair.size())
            return fail(EINVAL, "a key in a device URI needs a value: KEY=VALUE",
                        uri.text_ + ", key '" + key + "'");
        if (uri.get(key))
            return fail(EINVAL, "a key stands twice in a device URI", uri.text_ + ", key '" + key + "'");
        auto value = decode(pair.substr(equals + 1), uri.text_);
        if (!value)
            return propagate(std::move(value));
        uri.keys_.emplace_back(key, std::move(*value));
        if (end == rest.size())
            return uri;
        rest.remove_prefix(end + 1);
    }
}

std::optional<std::string_view> Uri::get(std::string_view key) const noexcept {
    for (const auto& [name, value] : keys_)
        if (name == key)
            return value;
    return std::nullopt;
}

Result<std::optional<std::string_view>> Uri::get_one_of(std::string_view key,
                                                        std::span<const std::string_view> allowed) const {
    const auto value = get(key);
    if (value && std::find(allowed.begin(), allowed.end(), *value) == allowed.end())
        return fail(EINVAL, "unknown value in a device URI",
                    text_ + ", " + std::string(key) + "=" + std::string(*value) +
                        " (known: " + join(allowed) + ")");
    return value;
}

} // namespace sluice::inline v1::net
