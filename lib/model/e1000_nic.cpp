// SPDX-License-Identifier: BSD-3-Clause
#include "e1000_nic.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include <sluice/base/endian.hpp>

namespace sluice::inline v1::model {

namespace {

constexpr std::uint16_t intel = 0x8086;
constexpr std::uint32_t ethernet = 0x020000;
constexpr std::uint64_t bar_bytes = 0x20000;

// §10.2.2, §10.2.4 to §10.2.7.
constexpr std::uint32_t ctrl = 0x0000;
constexpr std::uint32_t status = 0x0008;
constexpr std::uint32_t eerd = 0x0014;
constexpr std::uint32_t mdic = 0x0020;
constexpr std::uint32_t icr = 0x00c0;
constexpr std::uint32_t ims = 0x00d0;
constexpr std::uint32_t rctl = 0x0100;
constexpr std::uint32_t tctl = 0x0400;
constexpr std::uint32_t rdbal = 0x2800;
constexpr std::uint32_t tdbal = 0x3800;
constexpr std::uint32_t statistics_first = 0x4000;
constexpr std::uint32_t statistics_end = 0x4128;
constexpr std::uint32_t good_received = 0x4074;
constexpr std::uint32_t good_sent = 0x4080;
constexpr std::uint32_t ral = 0x5400;

// The registers of a ring, from its RDBAL or TDBAL on.
constexpr std::uint32_t ring_high = 4;
constexpr std::uint32_t ring_length = 8;
constexpr std::uint32_t ring_head = 0x10;
constexpr std::uint32_t ring_tail = 0x18;
/// Pages that hold nothing but plain registers of the rings: a driver may map them.
constexpr std::uint64_t page = 0x1000;
constexpr std::uint64_t ring_pages = 0x2000;

constexpr std::uint32_t enable = 1U << 1; ///< in RCTL and TCTL
constexpr std::uint32_t reset_bit = 1U << 26;
constexpr std::uint32_t no_master = 1U << 2;

// The words of legacy descriptors. §7.1.4, §7.2.10; [8254x] §3.2.3, §3.3.3.
constexpr std::uint64_t end_of_sent = 1ULL << 24;
constexpr std::uint64_t report = 1ULL << 27;
constexpr std::uint64_t descriptor_done = 1ULL << 32;
constexpr std::uint64_t end_of_received = 1ULL << 33;

std::uint64_t load_word(const std::byte* at) noexcept {
    return to_little(*reinterpret_cast<const volatile std::uint64_t*>(at));
}

/// After all that was written to the buffer.
void publish_word(std::byte* at, std::uint64_t word) noexcept {
    std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(at))
        .store(to_little(word), std::memory_order_release);
}

} // namespace

Result<std::unique_ptr<device::Device>> E1000Nic::create(std::uint16_t device_id) {
    const bool express = device_id == id_82574;
    device::Identity who;
    who.name = express ? "model-82574" : "model-82540";
    who.transport = "inproc";
    who.vendor = intel;
    who.device = device_id;
    who.class_code = ethernet;
    std::unique_ptr<E1000Nic> nic(
        new E1000Nic(std::move(who), device::inproc::TableSpace::create(), express));
    if (auto built = nic->build_device(); !built)
        return propagate(std::move(built));
    nic->power_on();
    return nic;
}

E1000Nic::E1000Nic(device::Identity identity, std::shared_ptr<device::AddressSpace> space, bool express)
    : ModelDevice(std::move(identity), space)
    , express_(express)
    , memory_(std::move(space)) {}

Result<> E1000Nic::build_device() {
    device::inproc::ModelSetup setup;
    setup.regions.push_back(
        {.region = device::Region::bar0,
         .size = bar_bytes,
         .mappable = {{ring_pages, 2 * page}},
         .on_read = [this](auto offset, auto) { return read_register(offset); },
         .on_write = [this](auto offset, auto,
                            auto value) { write_register(offset, static_cast<std::uint32_t>(value)); }});
    setup.vectors[static_cast<std::size_t>(device::Irq::intx)] = 1;
    setup.vectors[static_cast<std::size_t>(device::Irq::msix)] = express_ ? 5 : 0;
    setup.vectors[static_cast<std::size_t>(device::Irq::error)] = 1;
    setup.vectors[static_cast<std::size_t>(device::Irq::request)] = 1;
    setup.on_reset = [this]() -> Result<> {
        const std::lock_guard lock(mutex_);
        power_on();
        return {};
    };
    return build(std::move(setup));
}

/// A ring's registers are read and written by the driver at any time.
std::uint32_t E1000Nic::load(std::uint32_t offset) const noexcept {
    auto* at = reinterpret_cast<std::uint32_t*>(inner().memory(device::Region::bar0).data() + offset);
    return std::atomic_ref<std::uint32_t>(*at).load(std::memory_order_acquire);
}

void E1000Nic::store(std::uint32_t offset, std::uint32_t value) noexcept {
    auto* at = reinterpret_cast<std::uint32_t*>(inner().memory(device::Region::bar0).data() + offset);
    std::atomic_ref<std::uint32_t>(*at).store(value, std::memory_order_release);
}

void E1000Nic::power_on() noexcept {
    std::ranges::fill(inner().memory(device::Region::bar0), std::byte{0});
    buffer_ = 2048;
    store(ral, 0x00000002); // 02:00:00:00:12:34, which the NVM holds
    store(ral + ring_high, 0x80003412);
}

std::uint64_t E1000Nic::read_register(std::uint64_t offset) noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::uint32_t>(offset) & ~3U;
    const std::uint32_t value = load(at);
    switch (at) {
    case status: // full duplex, up, 1 Gbit/s; requests are on unless the driver wanted none
        return 0x83U | ((load(ctrl) & no_master) != 0 ? 0U : 1U << 19);
    case mdic: // ready; the PHY negotiates
        return 1U << 28 | 0x1140U;
    case eerd:
        return value | 1U << (express_ ? 1 : 4);
    default:
        break;
    }
    // A read clears them. §10.2.7; [8254x] §13.4.17, §13.7.
    if ((at == icr && !express_) || (at >= statistics_first && at < statistics_end))
        store(at, 0);
    return value;
}

void E1000Nic::write_register(std::uint64_t offset, std::uint32_t value) noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::uint32_t>(offset) & ~3U;
    if (at == ctrl && (value & reset_bit) != 0)
        return power_on();
    if (at >= icr && at < ims + 0x0c) // causes and masks, which nothing raises
        return;
    if (at == rctl) { // BSEX and BSIZE: 256 << n bytes, or 4096 << n. §10.2.5
        const std::uint32_t step = 3 - (value >> 16 & 3);
        buffer_ = ((value & 1U << 25) != 0 ? 4096U : 256U) << step;
    }
    store(at, value);
}

E1000Nic::Ring E1000Nic::ring_at(std::uint32_t base, bool enabled) noexcept {
    Ring ring;
    ring.size = load(base + ring_length) / 16;
    ring.head = load(base + ring_head);
    ring.tail = load(base + ring_tail);
    if (!enabled || ring.head >= ring.size || ring.tail >= ring.size)
        return {};
    const std::uint64_t address = load(base) | std::uint64_t{load(base + ring_high)} << 32;
    ring.descriptors = memory_.contiguous(address, std::size_t{16} * ring.size, true);
    return ring;
}

/// Slots of the frame at the head, all of whose descriptors wait; 0: there is none. Its bytes too.
std::uint32_t E1000Nic::frame_slots(const Ring& sent, std::uint32_t& bytes) const noexcept {
    bytes = 0;
    const std::uint32_t waiting = sent.waiting();
    for (std::uint32_t slot = 0; slot < waiting; ++slot) {
        const std::uint64_t word = load_word(sent.slot(slot) + 8);
        bytes += static_cast<std::uint32_t>(word & 0xffff);
        if ((word & end_of_sent) != 0)
            return slot + 1;
    }
    return 0;
}

/// The frame's pieces into `parts` receive buffers.
bool E1000Nic::copy(const Ring& sent, std::uint32_t slots, const Ring& received,
                    std::uint32_t parts) noexcept {
    std::uint32_t part = 0;
    std::uint32_t filled = 0;
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        std::uint64_t from = load_word(sent.slot(slot));
        auto left = static_cast<std::uint32_t>(load_word(sent.slot(slot) + 8) & 0xffff);
        while (left != 0) {
            if (filled == buffer_) {
                ++part;
                filled = 0;
            }
            const std::uint32_t now = std::min(left, buffer_ - filled);
            const auto source = memory_.translate(from, now, false);
            const auto target = memory_.translate(load_word(received.slot(part)) + filled, now, true);
            if (part >= parts || source.size() < now || target.size() < now)
                return false;
            std::memcpy(target.data(), source.data(), now);
            from += now;
            left -= now;
            filled += now;
        }
    }
    for (part = 0; part < parts; ++part) {
        const bool last = part + 1 == parts;
        publish_word(received.slot(part) + 8,
                     (last ? filled : buffer_) | descriptor_done | (last ? end_of_received : 0));
    }
    return true;
}

std::size_t E1000Nic::poll() noexcept {
    constexpr std::size_t most = 256;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock)
        return 0;
    const MemoryGuard guard(memory_);
    Ring sent = ring_at(tdbal, (load(tctl) & enable) != 0);
    Ring received = ring_at(rdbal, (load(rctl) & enable) != 0);
    if (sent.descriptors == nullptr || received.descriptors == nullptr)
        return 0;
    std::size_t moved = 0;
    for (std::uint32_t bytes = 0; moved < most; ++moved) {
        const std::uint32_t slots = frame_slots(sent, bytes);
        const std::uint32_t parts = (bytes + buffer_ - 1) / buffer_;
        if (slots == 0 || parts == 0 || received.waiting() < parts || !copy(sent, slots, received, parts))
            break;
        for (std::uint32_t slot = 0; slot < slots; ++slot)
            if (const std::uint64_t word = load_word(sent.slot(slot) + 8); (word & report) != 0)
                publish_word(sent.slot(slot) + 8, word | descriptor_done);
        sent.head = (sent.head + slots) % sent.size;
        received.head = (received.head + parts) % received.size;
    }
    store(tdbal + ring_head, sent.head);
    store(rdbal + ring_head, received.head);
    store(good_sent, load(good_sent) + static_cast<std::uint32_t>(moved));
    store(good_received, load(good_received) + static_cast<std::uint32_t>(moved));
    moved_ += moved;
    return moved;
}

std::vector<device::Statistic> E1000Nic::statistics() const {
    return {{"moved", moved_}};
}

} // namespace sluice::inline v1::model
