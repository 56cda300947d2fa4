// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <charconv>

#include <sluice/model/soft_nic.hpp>

namespace sluice::inline v1::model {

namespace {

using Get = std::function<std::optional<std::string_view>(std::string_view)>;

std::string both(std::string_view key, std::string_view value) {
    return std::string(key) + "=" + std::string(value);
}

template <typename T>
Result<T> number(const Get& get, std::string_view key, T otherwise, T least, T most, const char* complaint) {
    const auto text = get(key);
    if (!text)
        return otherwise;
    T value{};
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < least || value > most)
        return fail(EINVAL, complaint, both(key, *text));
    return value;
}

Result<bool> flag(const Get& get, std::string_view key, bool otherwise) {
    const auto text = get(key);
    if (!text)
        return otherwise;
    if (*text != "0" && *text != "1")
        return fail(EINVAL, "is 0 or 1", both(key, *text));
    return *text == "1";
}

Result<std::array<std::byte, 6>> address(std::string_view text) {
    std::array<std::byte, 6> bytes{};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::uint8_t value = 0;
        const auto [next, error] = std::from_chars(at, end, value, 16);
        const bool last = i + 1 == bytes.size();
        if (error != std::errc{} || (last ? next != end : next == end || *next != ':'))
            return fail(EINVAL, "is no address like 02:00:00:00:00:01", both("mac", text));
        bytes[i] = std::byte{value};
        at = next + 1;
    }
    if ((bytes[0] & std::byte{1}) != std::byte{0} || bytes == std::array<std::byte, 6>{})
        return fail(EINVAL, "is no address of one device: a multicast address, or zero", both("mac", text));
    return bytes;
}

} // namespace

Result<NicOptions> NicOptions::parse(const Get& get) {
    NicOptions options;
    const auto text = [&](std::string_view key) { return std::string(get(key).value_or("")); };
    options.backend.kind = get("backend").value_or("loop");
    options.backend.peer = text("peer");
    options.backend.rx = text("rx");
    options.backend.tx = text("tx");
    options.backend.ifname = text("ifname");
    const auto rate =
        number<std::uint64_t>(get, "rate", 0, 0, 1'000'000'000, "is no number of frames a second");
    if (!rate)
        return tl::unexpected(rate.error());
    const auto size = number<std::uint32_t>(get, "size", 64, 60, 9018, "frames have 60 to 9018 bytes");
    if (!size)
        return tl::unexpected(size.error());
    const auto queues =
        number<unsigned>(get, "queues", 1, 1, max_queues, "a soft NIC has 1 to 64 queue pairs");
    if (!queues)
        return tl::unexpected(queues.error());
    const auto packed = flag(get, "packed", false);
    if (!packed)
        return tl::unexpected(packed.error());
    const auto mergeable = flag(get, "mrg", true);
    if (!mergeable)
        return tl::unexpected(mergeable.error());
    if (const auto given = get("mac")) {
        const auto mac = address(*given);
        if (!mac)
            return tl::unexpected(mac.error());
        options.mac = *mac;
    }
    options.backend.rate = *rate;
    options.backend.size = *size;
    options.queues = *queues;
    options.packed = *packed;
    options.mergeable = *mergeable;
    return options;
}

} // namespace sluice::inline v1::model
