// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vhost_user/back_end.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include <sluice/base/log.hpp>
#include <sluice/vhost_user/check.hpp>

namespace sluice::inline v1::vhost_user {

namespace {

constexpr std::uint64_t packed_feature = std::uint64_t{1} << 34; // virtio 1.2 §6
constexpr std::uint32_t largest_ring = 32768;
constexpr std::uint64_t all_protocol =
    protocol::mq | protocol::reply_ack | protocol::config | protocol::status;

/// Bytes and alignments of a ring's areas. virtio 1.2 §2.7, §2.8.
struct Areas {
    std::uint64_t desc, driver, device, driver_align;
};
Areas areas_of(std::uint64_t size, bool packed) noexcept {
    if (packed)
        return {16 * size, 4, 4, 4};
    return {16 * size, 4 + 2 * size, 4 + 8 * size, 2};
}

} // namespace

BackEnd::BackEnd(UniqueFd socket, Rings& rings, int wake)
    : channel_(std::move(socket))
    , device_(rings)
    , wake_(wake)
    , rings_(2 * std::size_t{rings.pairs()}) {}

BackEnd::~BackEnd() {
    stop_all();
}

Result<> BackEnd::pump(unsigned most) {
    if (memory_.is_gone())
        return fail(EFAULT, "the vhost-user front-end took back memory that it shares");
    for (; most != 0; --most) {
        auto message = channel_.receive();
        if (!message)
            return propagate(std::move(message));
        if (!*message)
            break;
        if (auto ok = serve(**message); !ok)
            return ok;
    }
    return {};
}

Result<> BackEnd::serve(Message& message) {
    const bool acknowledge = message.needs_reply() && (protocol_ & protocol::reply_ack) != 0;
    ++counters_.messages;
    const int wrong = check(message);
    if (has_reply(message.request()))
        return wrong != 0 ? refuse(message) : answer(message);
    const int error = wrong != 0 ? wrong : obey(message);
    if (error != 0)
        ++counters_.refused;
    if (!acknowledge)
        return {};
    return reply(message, bytes_of(std::uint64_t(static_cast<unsigned>(error))));
}

Result<> BackEnd::reply(const Message& message, std::span<const std::byte> body) {
    Header header;
    header.request = message.header.request;
    header.flags = version | flag_reply;
    // A front-end that asks and asks, and reads no answer, is not waited for: others are served meanwhile.
    return channel_.send(header, body, {}, 0);
}

/// An answer of no bytes.
Result<> BackEnd::refuse(const Message& message) {
    ++counters_.refused;
    return reply(message, {});
}

/// A request whose answer is more than success.
Result<> BackEnd::answer(const Message& message) {
    const auto word = [&](std::uint64_t value) { return reply(message, bytes_of(value)); };
    switch (message.request()) {
    case Request::get_features:
        return word(device_.features() | protocol_features_bit);
    case Request::get_protocol_features:
        return word(all_protocol);
    case Request::get_queue_num:
        return word(device_.pairs());
    case Request::get_status:
        return word(status_);
    case Request::get_vring_base: {
        auto state = message.as<RingState>();
        Ring* const asked = ring(state.index);
        if (asked == nullptr)
            return refuse(message);
        stop(*asked);
        asked->ready = false;
        asked->kick.reset();
        state.value = asked->base.value_or(0);
        return reply(message, bytes_of(state));
    }
    case Request::get_config: {
        const auto asked = message.as<ConfigHeader>();
        const auto config = device_.config();
        if (asked.offset > config.size() || asked.size > config.size() - asked.offset)
            return refuse(message);
        std::vector<std::byte> body(sizeof asked + asked.size);
        std::memcpy(body.data(), static_cast<const void*>(&asked), sizeof asked);
        std::copy_n(config.begin() + asked.offset, asked.size, body.begin() + sizeof asked);
        return reply(message, body);
    }
    default:
        return refuse(message);
    }
}

/// 0, or why not.
int BackEnd::obey(Message& message) {
    const auto word = message.as<std::uint64_t>();
    switch (message.request()) {
    case Request::set_owner:
    case Request::set_log_fd:
        return 0;
    case Request::reset_owner:
        stop_all();
        for (Ring& each : rings_)
            each = {};
        return 0;
    case Request::set_features:
        return set_features(word);
    case Request::set_protocol_features:
        if ((word & ~all_protocol) != 0)
            return EINVAL;
        protocol_ = word;
        return 0;
    case Request::set_mem_table:
        return set_memory(message);
    case Request::set_vring_num:
    case Request::set_vring_base:
    case Request::set_vring_addr:
    case Request::set_vring_enable:
        return set_ring(message);
    case Request::set_vring_kick:
    case Request::set_vring_call:
    case Request::set_vring_err:
        return set_ring_fd(message);
    case Request::set_status:
        status_ = static_cast<std::uint8_t>(word);
        if (status_ == 0)
            stop_all();
        return 0;
    default:
        return EOPNOTSUPP;
    }
}

int BackEnd::set_features(std::uint64_t features) {
    if ((features & ~(device_.features() | protocol_features_bit)) != 0)
        return EINVAL;
    if (features == features_)
        return 0;
    if (std::any_of(rings_.begin(), rings_.end(), [](const Ring& each) { return each.running; }))
        return EBUSY;
    features_ = features;
    device_.set_features(features & ~protocol_features_bit);
    return 0;
}

/// Replaces the whole table. Rings that run go on in the new one, if their areas are in it.
int BackEnd::set_memory(Message& message) {
    const auto table = message.as<MemoryRegions>();
    auto mapped = MemoryTable::map(std::span(table.regions).first(table.count), message.fds, wake_);
    if (!mapped) {
        if (counters_.refused == 0)
            log(LogLevel::warning, mapped.error().message());
        return mapped.error().code();
    }
    std::vector<bool> ran;
    for (Ring& each : rings_) {
        ran.push_back(each.running);
        stop(each);
    }
    memory_ = std::move(*mapped);
    return restart_all(ran);
}

int BackEnd::restart_all(const std::vector<bool>& wanted) noexcept {
    int error = 0;
    for (std::size_t i = 0; i < rings_.size(); ++i)
        if (wanted[i])
            if (const int failed = start(rings_[i]); failed != 0)
                error = failed;
    return error;
}

BackEnd::Ring* BackEnd::ring(std::uint32_t index) noexcept {
    return index < rings_.size() ? &rings_[index] : nullptr;
}

int BackEnd::set_ring(const Message& message) {
    const auto state = message.as<RingState>();
    Ring* const asked = ring(state.index);
    if (asked == nullptr)
        return EINVAL;
    switch (message.request()) {
    case Request::set_vring_num:
        if (state.value == 0 || state.value > largest_ring || !std::has_single_bit(state.value))
            return EINVAL;
        if (asked->running)
            return EBUSY;
        asked->size = static_cast<std::uint16_t>(state.value);
        return 0;
    case Request::set_vring_base:
        if (asked->running)
            return EBUSY;
        asked->base = static_cast<std::uint16_t>(state.value);
        return 0;
    case Request::set_vring_addr:
        stop(*asked);
        asked->addresses = message.as<RingAddresses>();
        break;
    default: // SET_VRING_ENABLE
        asked->enabled = state.value != 0;
        if (!asked->enabled) {
            stop(*asked);
            return 0;
        }
        break;
    }
    return complete(*asked) ? start(*asked) : 0;
}

int BackEnd::set_ring_fd(Message& message) {
    const auto value = message.as<std::uint64_t>();
    Ring* const asked = ring(static_cast<std::uint32_t>(value & ring_mask));
    if (asked == nullptr)
        return EINVAL;
    UniqueFd fd = message.fds.empty() ? UniqueFd() : std::move(message.fds.front());
    if (message.request() == Request::set_vring_err)
        return 0; // never written
    if (message.request() == Request::set_vring_call) {
        if (asked->running)
            device_.set_call(index_of(*asked), fd.get());
        asked->call = std::move(fd);
        return 0;
    }
    stop(*asked);
    asked->kick = std::move(fd);
    asked->ready = true;
    return complete(*asked) ? start(*asked) : 0;
}

/// All that a ring needs to run was said, and it is wanted.
bool BackEnd::complete(const Ring& ring) const noexcept {
    const bool wanted = ring.enabled || (features_ & protocol_features_bit) == 0;
    return ring.size != 0 && ring.addresses && ring.ready && wanted && memory_.regions() != 0;
}

int BackEnd::start(Ring& ring) noexcept {
    if (ring.running)
        return 0;
    const bool packed = (features_ & packed_feature) != 0;
    const Areas areas = areas_of(ring.size, packed);
    if (packed && ring.base && (*ring.base & 0x7fffU) >= ring.size)
        return EINVAL;
    RingSetup setup;
    setup.size = ring.size;
    setup.desc = memory_.user(ring.addresses->desc, areas.desc, 16);
    setup.driver = memory_.user(ring.addresses->avail, areas.driver, areas.driver_align);
    setup.device = memory_.user(ring.addresses->used, areas.device, 4);
    if (setup.desc == nullptr || setup.driver == nullptr || setup.device == nullptr)
        return EFAULT;
    if (ring.base)
        setup.base = *ring.base;
    setup.kick = ring.kick.get();
    setup.call = ring.call.get();
    ring.running = true;
    device_.start(index_of(ring), setup, memory_);
    return 0;
}

void BackEnd::stop(Ring& ring) noexcept {
    if (!ring.running)
        return;
    ring.running = false;
    ring.base = static_cast<std::uint16_t>(device_.stop(index_of(ring)));
}

void BackEnd::stop_all() noexcept {
    for (Ring& each : rings_)
        stop(each);
}

} // namespace sluice::inline v1::vhost_user
