// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/check.hpp>

#include <cerrno>

namespace sluice::inline v1::vhost_user {

namespace {

struct Shape {
    Request request;
    std::size_t least;
    std::size_t most;
    std::size_t fds; ///< at most
    bool reply;
};

constexpr std::size_t word = sizeof(std::uint64_t);

constexpr Shape shapes[] = {
    {Request::get_features, 0, 0, 0, true},
    {Request::set_features, word, word, 0, false},
    {Request::set_owner, 0, 0, 0, false},
    {Request::reset_owner, 0, 0, 0, false},
    {Request::set_mem_table, 8, sizeof(MemoryRegions), max_regions, false},
    {Request::set_log_base, word, 2 * word, 1, false},
    {Request::set_log_fd, 0, word, 1, false},
    {Request::set_vring_num, sizeof(RingState), sizeof(RingState), 0, false},
    {Request::set_vring_addr, sizeof(RingAddresses), sizeof(RingAddresses), 0, false},
    {Request::set_vring_base, sizeof(RingState), sizeof(RingState), 0, false},
    {Request::get_vring_base, sizeof(RingState), sizeof(RingState), 0, true},
    {Request::set_vring_kick, word, word, 1, false},
    {Request::set_vring_call, word, word, 1, false},
    {Request::set_vring_err, word, word, 1, false},
    {Request::get_protocol_features, 0, 0, 0, true},
    {Request::set_protocol_features, word, word, 0, false},
    {Request::get_queue_num, 0, 0, 0, true},
    {Request::set_vring_enable, sizeof(RingState), sizeof(RingState), 0, false},
    {Request::get_config, sizeof(ConfigHeader), sizeof(ConfigHeader) + max_config, 0, true},
    {Request::set_config, sizeof(ConfigHeader), sizeof(ConfigHeader) + max_config, 0, false},
    {Request::set_status, word, word, 0, false},
    {Request::get_status, 0, word, 0, true},
};

const Shape* find(Request request) noexcept {
    for (const Shape& shape : shapes)
        if (shape.request == request)
            return &shape;
    return nullptr;
}

bool about_an_fd(Request request) noexcept {
    return request == Request::set_vring_kick || request == Request::set_vring_call ||
           request == Request::set_vring_err;
}

} // namespace

bool has_reply(Request request) noexcept {
    const Shape* const shape = find(request);
    return shape != nullptr && shape->reply;
}

int check(const Message& message) noexcept {
    if ((message.header.flags & version_mask) != version || message.is_reply())
        return EPROTO;
    if (message.fault != 0)
        return message.fault;
    const Shape* const shape = find(message.request());
    if (shape == nullptr)
        return EOPNOTSUPP;
    if (message.body.size() < shape->least || message.body.size() > shape->most ||
        message.fds.size() > shape->fds)
        return EINVAL;
    if (about_an_fd(message.request())) {
        const auto value = message.as<std::uint64_t>();
        const std::size_t expected = (value & no_fd) != 0 ? 0 : 1;
        if (message.fds.size() != expected || (value & ~(ring_mask | no_fd)) != 0)
            return EINVAL;
    }
    if (message.request() == Request::set_mem_table) {
        const auto table = message.as<MemoryRegions>();
        if (table.count == 0 || table.count > max_regions || message.fds.size() != table.count ||
            message.body.size() < 8 + table.count * sizeof(MemoryRegion))
            return EINVAL;
    }
    if (message.request() == Request::get_config || message.request() == Request::set_config) {
        const auto config = message.as<ConfigHeader>();
        if (config.size > max_config || config.offset > max_config - config.size ||
            message.body.size() != sizeof(ConfigHeader) + config.size)
            return EINVAL;
    }
    return 0;
}

} // namespace sluice::inline v1::vhost_user
