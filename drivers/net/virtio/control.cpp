// SPDX-License-Identifier: BSD-3-Clause
#include "control.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
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
                                          std::uint16_t size, std::string name, int numa_node) {
    auto ring = SplitRing::allocate(memory, size, numa_node);
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

Result<> ControlQueue::run(ctrl::Header command, std::span<const std::uint8_t> data, const char* what) {
    const auto object = [&] { return name_ + ": " + what; };
    if (stuck_)
        return fail(EIO, "the device does not answer on its control queue: reset the port", object());
    std::byte* const at = buffer_.data();
    std::memcpy(at + header_at, &command, sizeof command);
    std::memcpy(at + data_at, data.data(), data.size());
    auto* const answer = reinterpret_cast<std::uint8_t*>(at + answer_at);
    *answer = no_answer;
    Desc* const descs = ring_.descs();
    descs[0] = {buffer_.iova(header_at).value, std::uint32_t{sizeof command}, Desc::flag_next,
                std::uint16_t{1}};
    descs[1] = {buffer_.iova(data_at).value, static_cast<std::uint32_t>(data.size()), Desc::flag_next,
                std::uint16_t{2}};
    descs[2] = {buffer_.iova(answer_at).value, std::uint32_t{1}, Desc::flag_write, std::uint16_t{0}};
    ring_.set_avail(sent_ & ring_.mask(), 0);
    ring_.publish(++sent_);
    if (ring_.wants_doorbell())
        doorbell_.ring(index_);

    const auto end = std::chrono::steady_clock::now() + answer_limit;
    while (ring_.used_idx() != sent_) {
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
