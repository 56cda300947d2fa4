// SPDX-License-Identifier: BSD-3-Clause
#include "control.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <type_traits>
#include <vector>

namespace sluice::inline v1::virtio {

namespace {

constexpr auto answer_limit = std::chrono::milliseconds(500);
// The parts of a command in its buffer.
constexpr std::size_t header_at = 0;
constexpr std::size_t answer_at = 8;
constexpr std::size_t data_at = 16;
constexpr std::size_t buffer_bytes = 4096;
static_assert(data_at + 8 + 6 * ControlQueue::max_addresses <= buffer_bytes);

using Parts = std::array<BufferPart, 3>;

/// What no device answers.
constexpr std::uint8_t no_answer = 0xff;

void append(std::vector<std::uint8_t>& data, std::span<const net::MacAddress> addresses) {
    const auto count = static_cast<std::uint32_t>(addresses.size());
    for (unsigned byte = 0; byte < 4; ++byte)
        data.push_back(static_cast<std::uint8_t>(count >> (8 * byte)));
    for (const net::MacAddress& address : addresses)
        data.insert(data.end(), address.bytes.begin(), address.bytes.end());
}

} // namespace

Result<ControlQueue> ControlQueue::create(const dma::EalMemory& memory, std::uint16_t index,
                                          std::uint16_t size, bool packed, std::string name, int numa_node) {
    const auto allocate = [&]<typename Kind>(std::type_identity<Kind>) -> Result<Ring> {
        auto made = Kind::allocate(memory, size, numa_node);
        if (!made)
            return propagate(std::move(made));
        return Ring(std::move(*made));
    };
    auto ring =
        packed ? allocate(std::type_identity<PackedRing>()) : allocate(std::type_identity<SplitRing>());
    if (!ring)
        return propagate(std::move(ring));
    auto buffer = dma::DmaRegion::allocate(memory, buffer_bytes, {.numa_node = numa_node});
    if (!buffer)
        return propagate(std::move(buffer));
    return ControlQueue(std::move(*ring), std::move(*buffer), index, std::move(name));
}

void ControlQueue::go_live(const QueueDoorbell& doorbell) noexcept {
    doorbell_ = doorbell;
    sent_ = 0;
    stuck_ = false;
}

QueueSetup ControlQueue::setup(std::uint16_t vector) const noexcept {
    return std::visit([&](const auto& ring) { return ring.setup(vector); }, ring_);
}

void ControlQueue::clear() noexcept {
    std::visit([](auto& ring) { ring.clear(); }, ring_);
}

namespace {

/// A command is three parts, of which the device writes the last. Each function posts one behind `sent`, and
/// says whether it came back.
void post(SplitRing& ring, std::uint16_t& sent, const Parts& parts) noexcept {
    ring.write_chain(0, parts);
    ring.descs()[2].flags = Desc::flag_write;
    ring.set_avail(sent & ring.mask(), 0);
    ring.publish(++sent);
}
bool answered(const SplitRing& ring, std::uint16_t sent) noexcept {
    return ring.used_idx() == sent;
}

void post(PackedRing& ring, std::uint16_t& sent, const Parts& parts) noexcept {
    ring.write_chain(sent, parts, PackedDesc::flag_write);
    sent = static_cast<std::uint16_t>(sent + parts.size());
}
bool answered(const PackedRing& ring, std::uint16_t sent) noexcept {
    return ring.is_used(static_cast<std::uint16_t>(sent - std::tuple_size_v<Parts>));
}

} // namespace

Result<> ControlQueue::run(ctrl::Header command, std::span<const std::uint8_t> data, const char* what) {
    const auto object = [&] { return name_ + ": " + what; };
    if (stuck_)
        return fail(EIO, "the device does not answer on its control queue: reset the port", object());
    std::byte* const at = buffer_.data();
    std::memcpy(at + header_at, &command, sizeof command);
    std::memcpy(at + data_at, data.data(), data.size());
    auto* const answer = reinterpret_cast<std::uint8_t*>(at + answer_at);
    *answer = no_answer;
    const Parts parts = {{{buffer_.iova(header_at).value, sizeof command},
                          {buffer_.iova(data_at).value, static_cast<std::uint32_t>(data.size())},
                          {buffer_.iova(answer_at).value, 1}}};
    std::visit(
        [&](auto& ring) {
            post(ring, sent_, parts);
            if (ring.wants_doorbell())
                doorbell_.ring(index_);
        },
        ring_);

    const auto end = std::chrono::steady_clock::now() + answer_limit;
    while (!std::visit([&](const auto& ring) { return answered(ring, sent_); }, ring_)) {
        if (std::chrono::steady_clock::now() > end) {
            stuck_ = true;
            return fail(ETIMEDOUT, "the device does not answer on its control queue: reset the port",
                        object());
        }
        std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    if (__atomic_load_n(answer, __ATOMIC_RELAXED) != ctrl::ok)
        return fail(EIO, "the device refuses a command", object());
    return {};
}

Result<> ControlQueue::set_promiscuous(bool on) {
    const std::uint8_t data[] = {on};
    return run({ctrl::rx, ctrl::rx_promiscuous}, data, "promiscuous");
}

Result<> ControlQueue::set_all_multicast(bool on) {
    const std::uint8_t data[] = {on};
    return run({ctrl::rx, ctrl::rx_all_multicast}, data, "all-multicast");
}

Result<> ControlQueue::set_mac_table(std::span<const net::MacAddress> unicast,
                                     std::span<const net::MacAddress> multicast) {
    if (unicast.size() + multicast.size() > max_addresses)
        return fail(EINVAL, "too many addresses for the device's table: use promiscuous mode", name_);
    std::vector<std::uint8_t> data;
    append(data, unicast);
    append(data, multicast);
    return run({ctrl::mac, ctrl::mac_table_set}, data, "address table");
}

Result<> ControlQueue::set_mac(const net::MacAddress& address) {
    return run({ctrl::mac, ctrl::mac_addr_set}, address.bytes, "own address");
}

Result<> ControlQueue::set_queue_pairs(std::uint16_t pairs) {
    const std::uint8_t data[] = {static_cast<std::uint8_t>(pairs), static_cast<std::uint8_t>(pairs >> 8)};
    return run({ctrl::mq, ctrl::mq_pairs_set}, data, "queue pairs");
}

} // namespace sluice::inline v1::virtio
