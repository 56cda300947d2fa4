// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vfio_user/version.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

namespace sluice::inline v1::vfio_user {

namespace {

using nlohmann::json;

tl::unexpected<Error> bad(const char* member) {
    return fail(EINVAL, "a capability of the vfio-user peer has the wrong type or range", member);
}

/// Takes member `key` of `from` if it is there. False: it is no integer from `low` to `high`.
template <typename T>
bool take_number(const json& from, const char* key, T& to, std::uint64_t low,
                 std::uint64_t high = std::numeric_limits<T>::max()) {
    const auto member = from.find(key);
    if (member == from.end())
        return true;
    if (!member->is_number_unsigned())
        return false;
    const auto value = member->get<std::uint64_t>();
    if (value < low || value > high)
        return false;
    to = static_cast<T>(value);
    return true;
}

bool take_bool(const json& from, const char* key, bool& to) {
    const auto member = from.find(key);
    if (member == from.end())
        return true;
    if (!member->is_boolean())
        return false;
    to = member->get<bool>();
    return true;
}

bool take_twin(const json& from, std::optional<TwinSocket>& to) {
    const auto member = from.find("twin_socket");
    if (member == from.end())
        return true;
    TwinSocket twin;
    if (!member->is_object() || !take_bool(*member, "supported", twin.supported) ||
        !take_number(*member, "fd_index", twin.fd_index, 0))
        return false;
    to = twin;
    return true;
}

Result<> take_capabilities(const json& from, Version& to) {
    if (!take_number(from, "max_msg_fds", to.limits.max_msg_fds, 0))
        return bad("max_msg_fds");
    if (!take_number(from, "max_data_xfer_size", to.limits.max_data_xfer_size, 1))
        return bad("max_data_xfer_size");
    if (!take_number(from, "max_dma_maps", to.limits.max_dma_maps, 0))
        return bad("max_dma_maps");
    if (!take_number(from, "pgsizes", to.pgsizes, 1))
        return bad("pgsizes");
    if (!take_bool(from, "write_multiple", to.write_multiple))
        return bad("write_multiple");
    if (!take_twin(from, to.twin_socket))
        return bad("twin_socket");
    return {};
}

} // namespace

std::vector<std::byte> encode(const Version& version) {
    const VersionHead head{version.major, version.minor};
    const auto fixed = bytes_of(head);
    std::vector<std::byte> payload(fixed.begin(), fixed.end());
    if (!version.has_json)
        return payload;
    json capabilities = {
        {"max_msg_fds", version.limits.max_msg_fds},
        {"max_data_xfer_size", version.limits.max_data_xfer_size},
        {"max_dma_maps", version.limits.max_dma_maps},
        {"pgsizes", version.pgsizes},
        {"write_multiple", version.write_multiple},
    };
    if (version.twin_socket) {
        capabilities["twin_socket"] = {{"supported", version.twin_socket->supported}};
        if (version.twin_socket->supported)
            capabilities["twin_socket"]["fd_index"] = version.twin_socket->fd_index;
    }
    const std::string text = json{{"capabilities", std::move(capabilities)}}.dump();
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    payload.insert(payload.end(), bytes.begin(), bytes.end());
    return payload;
}

Result<Version> parse_version(std::span<const std::byte> payload) {
    if (payload.size() < sizeof(VersionHead) || payload.size() > sizeof(VersionHead) + max_json)
        return fail(EINVAL, "a vfio-user VERSION message is too short or too long");
    const auto head = take<VersionHead>(payload);
    Version version;
    version.major = head.major;
    version.minor = head.minor;
    version.has_json = payload.size() > sizeof head;
    if (!version.has_json)
        return version;
    const auto text = payload.subspan(sizeof head);
    const auto end = std::ranges::find(text, std::byte{0});
    if (end == text.end())
        return fail(EINVAL, "the JSON of a vfio-user VERSION message has no end");
    const auto* first = reinterpret_cast<const char*>(text.data());
    const json parsed = json::parse(first, first + (end - text.begin()), nullptr, false);
    if (!parsed.is_object())
        return fail(EINVAL, "the JSON of a vfio-user VERSION message is no JSON object");
    const auto capabilities = parsed.find("capabilities");
    if (capabilities == parsed.end())
        return version;
    if (!capabilities->is_object())
        return bad("capabilities");
    if (auto taken = take_capabilities(*capabilities, version); !taken)
        return propagate(std::move(taken));
    return version;
}

Result<Version> agree(const Version& ours, const Version& theirs) {
    if (ours.major != theirs.major)
        return fail(EPROTO, "the vfio-user peer speaks another major version",
                    std::to_string(theirs.major) + ", not " + std::to_string(ours.major));
    Version both = ours;
    both.minor = std::min(ours.minor, theirs.minor);
    both.limits.max_msg_fds = std::min(ours.limits.max_msg_fds, theirs.limits.max_msg_fds);
    both.limits.max_data_xfer_size =
        std::min(ours.limits.max_data_xfer_size, theirs.limits.max_data_xfer_size);
    both.limits.max_dma_maps = std::min(ours.limits.max_dma_maps, theirs.limits.max_dma_maps);
    both.pgsizes = ours.pgsizes & theirs.pgsizes;
    both.write_multiple = ours.write_multiple && theirs.write_multiple;
    both.has_json = theirs.has_json;
    both.twin_socket = ours.twin_socket && theirs.twin_socket ? theirs.twin_socket : std::nullopt;
    return both;
}

} // namespace sluice::inline v1::vfio_user
