// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstring>

#include "nic.hpp"

namespace sluice::inline v1::model {

namespace {

using Address = ReceiveFilter::Address;

/// Bytes of a command and its data: class, command, and two tables of addresses.
constexpr std::size_t max_command = 4096;
constexpr std::size_t max_addresses = 256;

class Command {
  public:
    explicit Command(std::span<const std::byte> bytes) noexcept
        : rest_(bytes) {}

    std::optional<std::uint8_t> take8() noexcept {
        if (rest_.empty())
            return std::nullopt;
        const auto value = std::to_integer<std::uint8_t>(rest_[0]);
        rest_ = rest_.subspan(1);
        return value;
    }
    template <typename T>
    std::optional<T> take() noexcept {
        if (rest_.size() < sizeof(T))
            return std::nullopt;
        T value;
        std::memcpy(static_cast<void*>(&value), rest_.data(), sizeof value);
        rest_ = rest_.subspan(sizeof value);
        return value;
    }
    bool ended() const noexcept { return rest_.empty(); }

  private:
    std::span<const std::byte> rest_;
};

bool set_receive_mode(std::uint8_t command, Command& data, ReceiveFilter& filter) {
    const auto on = data.take8();
    if (!on || *on > 1)
        return false;
    if (command == control::rx_promiscuous)
        filter.promiscuous = *on != 0;
    else if (command == control::rx_all_multicast)
        filter.all_multicast = *on != 0;
    else
        return false;
    return true;
}

/// Unicast, then multicast addresses, each table behind its length.
bool set_table(Command& data, ReceiveFilter& filter) {
    std::vector<Address> table;
    for (unsigned half = 0; half < 2; ++half) {
        const auto count = data.take<le32>();
        if (!count || *count > max_addresses)
            return false;
        for (std::uint32_t i = 0; i < *count; ++i) {
            const auto address = data.take<Address>();
            if (!address)
                return false;
            table.push_back(*address);
        }
    }
    filter.table = std::move(table);
    return true;
}

bool execute(std::span<const std::byte> bytes, std::uint64_t features, ReceiveFilter& filter,
             const std::function<bool(unsigned)>& set_pairs) {
    Command data(bytes);
    const auto cls = data.take8();
    const auto command = data.take8();
    if (!cls || !command)
        return false;
    const auto has = [features](std::uint64_t bit) { return (features & bit) != 0; };
    if (*cls == control::rx && has(feature::ctrl_rx))
        return set_receive_mode(*command, data, filter);
    if (*cls == control::mac && *command == control::mac_table_set && has(feature::ctrl_rx))
        return set_table(data, filter);
    if (*cls == control::mac && *command == control::mac_addr_set && has(feature::ctrl_mac)) {
        const auto own = data.take<Address>();
        if (own)
            filter.own = *own;
        return own.has_value();
    }
    if (*cls == control::mq && *command == control::mq_pairs_set && has(feature::mq)) {
        const auto pairs = data.take<le16>();
        return pairs && set_pairs(*pairs);
    }
    return false;
}

} // namespace

void ControlQueue::start(const RingMemory& memory, bool packed) {
    if (packed)
        ring_.emplace<PackedRing>().start(memory);
    else
        ring_.emplace<SplitRing>().start(memory);
}

void ControlQueue::stop() noexcept {
    std::visit([](auto& ring) { ring.stop(); }, ring_);
}

void ControlQueue::move(const RingMemory& memory) noexcept {
    std::visit([&](auto& ring) { ring.move(memory); }, ring_);
}

bool ControlQueue::running() const noexcept {
    return std::visit([](const auto& ring) { return ring.running(); }, ring_);
}

bool ControlQueue::broken() const noexcept {
    return std::visit([](const auto& ring) { return ring.broken(); }, ring_);
}

bool ControlQueue::serve(Memory& memory, std::uint64_t features, ReceiveFilter& filter,
                         const std::function<bool(unsigned)>& set_pairs) noexcept {
    return std::visit(
        [&](auto& ring) {
            unsigned served = 0;
            Chain chain;
            for (; served < ring.size(); ++served) {
                buffers_.clear();
                if (ring.take(memory, buffers_, chain) != Take::taken)
                    break;
                std::array<std::byte, max_command> bytes;
                std::size_t length = 0;
                std::byte* answer = nullptr;
                bool fits = true;
                for (const Buffer& buffer : buffers_.from(chain.first, chain.count)) {
                    if (buffer.writable) {
                        answer = buffer.data;
                        break;
                    }
                    fits = fits && buffer.size <= bytes.size() - length;
                    if (!fits)
                        continue;
                    std::memcpy(bytes.data() + length, buffer.data, buffer.size);
                    length += buffer.size;
                }
                if (answer == nullptr) {
                    ring.reject("a command without a byte for its answer");
                    break;
                }
                const bool done =
                    fits && execute(std::span(bytes).first(length), features, filter, set_pairs);
                *answer = std::byte{done ? control::ok : control::error};
                ring.use(chain, 1);
            }
            if (served == 0)
                return false;
            ring.flush();
            return ring.wants_interrupt();
        },
        ring_);
}

} // namespace sluice::inline v1::model
