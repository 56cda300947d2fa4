// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/front_end.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sluice::inline v1::vhost_user {

namespace {

constexpr auto patience = std::chrono::seconds(5);

Header header_of(Request request, bool acknowledged) noexcept {
    Header header;
    header.request = static_cast<std::uint32_t>(request);
    header.flags = version | (acknowledged ? flag_need_reply : 0U);
    return header;
}

} // namespace

/// What answers `request`. Nothing else may come in between.
Result<Message> FrontEnd::answer(Request request) {
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        auto message = channel_.receive();
        if (!message)
            return propagate(std::move(message));
        if (*message) {
            if ((*message)->request() != request || !(*message)->is_reply() || (*message)->fault != 0)
                return fail(EPROTO, "the vhost-user back-end answers what was not asked");
            return std::move(**message);
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0)
            return fail(ETIMEDOUT, "the vhost-user back-end does not answer");
        channel_.wait(static_cast<int>(left.count()));
    }
}

/// A request that is answered only if that was agreed on.
Result<> FrontEnd::tell(Request request, std::span<const std::byte> body, std::span<const int> fds) {
    const bool acknowledged = has(protocol::reply_ack);
    if (auto ok = channel_.send(header_of(request, acknowledged), body, fds); !ok || !acknowledged)
        return ok;
    auto said = answer(request);
    if (!said)
        return propagate(std::move(said));
    if (said->body.size() != sizeof(std::uint64_t))
        return fail(EPROTO, "the vhost-user back-end's acknowledgement is malformed");
    if (said->as<std::uint64_t>() != 0)
        return fail(EREMOTEIO, "the vhost-user back-end refuses a request",
                    std::to_string(header_of(request, false).request));
    return {};
}

Result<Message> FrontEnd::ask(Request request, std::span<const std::byte> body) {
    if (auto ok = channel_.send(header_of(request, false), body); !ok)
        return propagate(std::move(ok));
    return answer(request);
}

Result<std::uint64_t> FrontEnd::ask_word(Request request) {
    auto said = ask(request, {});
    if (!said)
        return propagate(std::move(said));
    if (said->body.size() != sizeof(std::uint64_t))
        return fail(EPROTO, "the vhost-user back-end's answer is malformed");
    return said->as<std::uint64_t>();
}

Result<std::uint64_t> FrontEnd::features() {
    return ask_word(Request::get_features);
}

Result<std::uint64_t> FrontEnd::negotiate_protocol(std::uint64_t wanted) {
    auto there = ask_word(Request::get_protocol_features);
    if (!there)
        return there;
    const std::uint64_t agreed = *there & wanted;
    if (auto ok = tell(Request::set_protocol_features, bytes_of(agreed)); !ok)
        return propagate(std::move(ok));
    protocol_ = agreed;
    return agreed;
}

Result<std::uint64_t> FrontEnd::queue_pairs() {
    return ask_word(Request::get_queue_num);
}

Result<> FrontEnd::set_owner() {
    return tell(Request::set_owner, {});
}

Result<> FrontEnd::set_features(std::uint64_t features) {
    return tell(Request::set_features, bytes_of(features));
}

Result<> FrontEnd::set_memory(std::span<const MemoryRegion> regions, std::span<const int> fds) {
    MemoryRegions table;
    table.count = static_cast<std::uint32_t>(regions.size());
    std::copy(regions.begin(), regions.end(), table.regions.begin());
    return tell(Request::set_mem_table, bytes_of(table).first(8 + regions.size_bytes()), fds);
}

Result<> FrontEnd::set_ring(Request what, std::uint32_t index, std::uint32_t value) {
    return tell(what, bytes_of(RingState{index, value}));
}

Result<> FrontEnd::set_ring_addresses(const RingAddresses& addresses) {
    return tell(Request::set_vring_addr, bytes_of(addresses));
}

Result<> FrontEnd::set_ring_fd(Request what, std::uint32_t index, int fd) {
    const std::uint64_t value = index | (fd < 0 ? no_fd : 0);
    return tell(what, bytes_of(value), std::span(&fd, fd < 0 ? 0U : 1U));
}

Result<std::uint32_t> FrontEnd::stop_ring(std::uint32_t index) {
    auto said = ask(Request::get_vring_base, bytes_of(RingState{index, 0}));
    if (!said)
        return propagate(std::move(said));
    if (said->body.size() != sizeof(RingState) || said->as<RingState>().index != index)
        return fail(EPROTO, "the vhost-user back-end's answer is malformed");
    return said->as<RingState>().value;
}

Result<> FrontEnd::set_status(std::uint8_t status) {
    return tell(Request::set_status, bytes_of(std::uint64_t{status}));
}

bool FrontEnd::closed() noexcept {
    if (!channel_.wait(0))
        return false;
    const auto message = channel_.receive();
    return !message || message->has_value();
}

} // namespace sluice::inline v1::vhost_user
