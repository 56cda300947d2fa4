// SPDX-License-Identifier: BSD-3-Clause
// The soft NIC's registers.
#include <algorithm>
#include <bit>

#include "nic.hpp"

namespace sluice::inline v1::model {

namespace {

// §2.1.
constexpr std::uint8_t driver_ok = 4;
constexpr std::uint8_t features_ok = 8;
constexpr std::uint8_t wants_reset = 64;

} // namespace

template <std::uint64_t SoftNic::Queue::* Address, bool High>
std::uint64_t SoftNic::read_address() {
    const Queue* const queue = selected();
    return queue != nullptr ? (queue->*Address >> (High ? 32 : 0)) & 0xffffffffU : 0;
}

template <std::uint64_t SoftNic::Queue::* Address, bool High>
void SoftNic::write_address(std::uint64_t value) {
    Queue* const queue = selected();
    if (queue == nullptr || queue->enabled)
        return;
    std::uint64_t& whole = queue->*Address;
    whole = High ? (whole & 0xffffffffU) | value << 32 : (whole & ~std::uint64_t{0xffffffffU}) | value;
}

const std::vector<RegisterRow<SoftNic>>& SoftNic::common_rows() {
    using N = SoftNic;
    static const std::vector<RegisterRow<SoftNic>> rows = {
        {0x00, 4, &N::device_feature_select, &N::set_device_feature_select},
        {0x04, 4, &N::device_feature, nullptr},
        {0x08, 4, &N::driver_feature_select, &N::set_driver_feature_select},
        {0x0c, 4, &N::driver_feature, &N::set_driver_feature},
        {0x10, 2, &N::config_vector, &N::set_config_vector},
        {0x12, 2, &N::num_queues, nullptr},
        {0x14, 1, &N::status, &N::set_status},
        {0x15, 1, &N::generation, nullptr},
        {0x16, 2, &N::queue_select, &N::set_queue_select},
        {0x18, 2, &N::queue_size, &N::set_queue_size},
        {0x1a, 2, &N::queue_vector, &N::set_queue_vector},
        {0x1c, 2, &N::queue_enable, &N::set_queue_enable},
        {0x1e, 2, &N::queue_notify_off, nullptr},
        {0x20, 4, &N::read_address<&Queue::desc, false>, &N::write_address<&Queue::desc, false>},
        {0x24, 4, &N::read_address<&Queue::desc, true>, &N::write_address<&Queue::desc, true>},
        {0x28, 4, &N::read_address<&Queue::driver, false>, &N::write_address<&Queue::driver, false>},
        {0x2c, 4, &N::read_address<&Queue::driver, true>, &N::write_address<&Queue::driver, true>},
        {0x30, 4, &N::read_address<&Queue::device, false>, &N::write_address<&Queue::device, false>},
        {0x34, 4, &N::read_address<&Queue::device, true>, &N::write_address<&Queue::device, true>},
    };
    return rows;
}

const std::vector<RegisterRow<SoftNic>>& SoftNic::config_rows() {
    using N = SoftNic;
    static const std::vector<RegisterRow<SoftNic>> rows = {
        {0x00, 6, &N::mac, nullptr},   {0x06, 2, &N::link_status, nullptr}, {0x08, 2, &N::max_pairs, nullptr},
        {0x0c, 4, &N::speed, nullptr}, {0x10, 1, &N::duplex, nullptr},
    };
    return rows;
}

std::uint64_t SoftNic::read_register(std::uint64_t offset, unsigned width) {
    if (offset < isr_at)
        return read_registers(*this, std::span(common_rows()), offset, width);
    if (offset == isr_at)
        return isr();
    if (offset >= config_at && offset < notify_at)
        return read_registers(*this, std::span(config_rows()), offset - config_at, width);
    return 0;
}

void SoftNic::write_register(std::uint64_t offset, unsigned width, std::uint64_t value) {
    if (offset < isr_at)
        write_registers(*this, std::span(common_rows()), offset, width, value);
    else if (offset >= notify_at)
        doorbell(static_cast<unsigned>((offset - notify_at) / 4));
}

std::uint64_t SoftNic::device_feature() {
    return offered_select_ < 2 ? offered_ >> 32 * offered_select_ & 0xffffffffU : 0;
}

std::uint64_t SoftNic::driver_feature() {
    return accepted_select_ < 2 ? accepted_ >> 32 * accepted_select_ & 0xffffffffU : 0;
}

void SoftNic::set_driver_feature(std::uint64_t value) {
    if (accepted_select_ >= 2 || (status_ & features_ok) != 0)
        return;
    const std::uint64_t shift = 32 * accepted_select_;
    accepted_ = (accepted_ & ~(std::uint64_t{0xffffffffU} << shift)) | value << shift;
}

/// §2.2, §5.1.3.1: what was offered, and nothing whose prerequisite is missing.
bool SoftNic::features_fit() const noexcept {
    using namespace feature;
    const auto has = [this](std::uint64_t bit) { return (accepted_ & bit) != 0; };
    return (accepted_ & ~offered_) == 0 && has(version_1) &&
           (has(ctrl_vq) || !has(ctrl_rx | feature::mq | ctrl_mac)) &&
           (has(guest_csum) || !has(guest_tso4 | guest_tso6)) && (has(csum) || !has(host_tso4 | host_tso6));
}

bool SoftNic::live() const noexcept {
    return (status_ & driver_ok) != 0;
}

void SoftNic::set_status(std::uint64_t value) {
    if (value == 0)
        return clear();
    const std::uint8_t before = status_;
    status_ = static_cast<std::uint8_t>(value | (before & wants_reset));
    if ((status_ & features_ok) != 0 && (before & features_ok) == 0 && !features_fit())
        status_ &= static_cast<std::uint8_t>(~features_ok);
    if ((status_ & features_ok) == 0)
        status_ &= static_cast<std::uint8_t>(~driver_ok);
    if ((status_ & driver_ok) != 0 && (before & driver_ok) == 0)
        go_live();
}

/// §2.1.2.
void SoftNic::needs_reset() noexcept {
    if ((status_ & wants_reset) != 0)
        return;
    status_ |= wants_reset;
    if (live())
        interrupt(config_vector_, 2);
}

std::uint16_t SoftNic::usable_vector(std::uint64_t value) const noexcept {
    return value <= queues_.size() ? static_cast<std::uint16_t>(value) : std::uint16_t{0xffff};
}

void SoftNic::set_queue_size(std::uint64_t value) {
    Queue* const queue = selected();
    const auto size = static_cast<std::uint16_t>(value);
    if (queue != nullptr && !queue->enabled && size != 0 && size <= max_queue_size &&
        (packed() || std::has_single_bit(size)))
        queue->size = size;
}

void SoftNic::set_queue_vector(std::uint64_t value) {
    if (Queue* const queue = selected(); queue != nullptr)
        queue->vector = usable_vector(value);
}

/// §4.1.4.3.2: only a reset turns a queue off again.
void SoftNic::set_queue_enable(std::uint64_t value) {
    Queue* const queue = selected();
    if (queue == nullptr || value != 1 || queue->enabled || (status_ & features_ok) == 0)
        return;
    queue->enabled = true;
    if (live()) {
        const MemoryGuard guard(memory_);
        start_queue(select_);
    }
}

std::uint64_t SoftNic::isr() {
    return isr_.exchange(0); // §4.1.4.5
}

std::uint64_t SoftNic::mac() {
    std::uint64_t value = 0;
    for (std::size_t i = mac_.size(); i-- > 0;)
        value = value << 8 | std::to_integer<std::uint64_t>(mac_[i]);
    return value;
}

} // namespace sluice::inline v1::model
