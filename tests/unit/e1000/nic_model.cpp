// SPDX-License-Identifier: BSD-3-Clause
#include "nic_model.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace e1000_test {
namespace {

constexpr std::uint32_t ctrl = 0x0000, status = 0x0008, eerd = 0x0014, mdic = 0x0020, icr = 0x00c0,
                        ics = 0x00c8, ims = 0x00d0, imc = 0x00d8, eiac = 0x00dc, ivar = 0x00e4, rctl = 0x0100,
                        tctl = 0x0400;
constexpr std::uint32_t rdbal = 0x2800, rdlen = 0x2808, rdh = 0x2810, rdt = 0x2818;
constexpr std::uint32_t tdbal = 0x3800, tdlen = 0x3808, tdh = 0x3810, tdt = 0x3818;
constexpr std::uint32_t missed = 0x4010, good_received = 0x4074, good_sent = 0x4080;

constexpr std::uint32_t lsc = 1u << 2, rxt0 = 1u << 7, rxq0 = 1u << 20, other = 1u << 24;

std::uint64_t load(std::span<const std::byte> bytes) {
    std::uint64_t value;
    std::memcpy(&value, bytes.data(), 8);
    return value;
}

void store(std::span<std::byte> bytes, std::uint64_t value) {
    std::memcpy(bytes.data(), &value, 8);
}

} // namespace

NicModel& NicModel::create(std::uint16_t device_id, std::unique_ptr<device::Device>& device) {
    const bool express = device_id == id_82574;
    const std::shared_ptr<NicModel> model(new NicModel(express));
    device::inproc::ModelSetup setup;
    setup.identity = {.name = express ? "model-82574" : "model-82540",
                      .transport = "",
                      .vendor = 0x8086,
                      .device = device_id};
    setup.regions.push_back(
        {.region = device::Region::bar0,
         .size = 0x20000,
         .on_read = [model](std::uint64_t offset, unsigned) { return model->read(offset); },
         .on_write =
             [model](std::uint64_t offset, unsigned, std::uint64_t value) {
                 model->write(offset, static_cast<std::uint32_t>(value));
             }});
    setup.vectors[static_cast<std::size_t>(device::Irq::intx)] = 1;
    setup.vectors[static_cast<std::size_t>(device::Irq::msix)] = express ? 5 : 0;
    setup.vectors[static_cast<std::size_t>(device::Irq::error)] = 1;
    setup.vectors[static_cast<std::size_t>(device::Irq::request)] = 1;
    setup.on_reset = [model]() -> Result<> {
        if (model->gone_)
            return fail(ENODEV, "gone");
        model->power_on();
        return {};
    };
    auto made = device::inproc::Model::create(std::move(setup));
    if (!made)
        throw std::runtime_error(made.error().message());
    model->device_ = made->get();
    device = std::move(*made);
    return *model;
}

void NicModel::power_on() {
    ++resets;
    std::fill(regs_.begin(), regs_.end(), 0);
    mask_ = 0;
    regs_[0x5400 / 4] = 0x00000002; // 02:00:00:00:12:34
    regs_[0x5404 / 4] = 0x80003412;
}

std::uint64_t NicModel::read(std::uint64_t offset) {
    if (gone_)
        return ~std::uint64_t{0};
    if (stick && stick->first == offset)
        return stick->second;
    std::uint32_t& value = regs_[offset / 4];
    if (offset == status)
        return (link_ ? 0x83u : 0x81u) | ((regs_[ctrl / 4] & 4) != 0 ? 0u : 1u << 19);
    if (offset == mdic)
        return (1u << 28) | 0x1140; // ready; negotiates, powered
    if (offset == eerd)
        return value | 1u << (express_ ? 1 : 4);
    if (offset == icr && !express_)
        return std::exchange(value, 0u);
    if (offset >= 0x4000 && offset < 0x4128)
        return std::exchange(value, 0u);
    return value;
}

void NicModel::write(std::uint64_t offset, std::uint32_t value) {
    if (gone_)
        return;
    rx_doorbells += offset == rdt ? 1 : 0;
    tx_doorbells += offset == tdt ? 1 : 0;
    if (offset == ctrl && (value & 1u << 26) != 0)
        return power_on();
    if (offset == icr) {
        regs_[icr / 4] &= ~value;
        return;
    }
    if (offset == ims) {
        mask_ |= value;
        return raise(0);
    }
    if (offset == imc) {
        mask_ &= ~value;
        return;
    }
    if (offset == ics)
        return raise(value);
    regs_[offset / 4] = value;
}

void NicModel::raise(std::uint32_t causes) {
    std::uint32_t& cause = regs_[icr / 4];
    cause |= causes;
    if (express_ && (causes & lsc) != 0)
        cause |= other;
    const std::uint32_t fired = cause & mask_;
    if (fired == 0)
        return;
    if (!express_) {
        device_->lines().fire(device::Irq::intx, 0);
        return;
    }
    const std::uint32_t vectors = regs_[ivar / 4];
    if ((fired & rxq0) != 0 && (vectors & 8) != 0)
        device_->lines().fire(device::Irq::msix, vectors & 7);
    if ((fired & other) != 0 && (vectors & 1u << 19) != 0)
        device_->lines().fire(device::Irq::msix, vectors >> 16 & 7);
    const std::uint32_t automatic = fired & regs_[eiac / 4];
    cause &= ~automatic;
    mask_ &= ~automatic;
}

void NicModel::set_link(bool up) {
    link_ = up;
    raise(lsc);
}

std::span<std::byte> NicModel::dma(std::uint64_t iova, std::size_t size) {
    const auto memory = device_->dma(Iova{iova}, size, device::DmaAccess::read_write);
    dma_faults += memory.empty() ? 1 : 0;
    return memory;
}

std::span<std::byte> NicModel::descriptor(std::uint32_t base, std::uint32_t slot) {
    const std::uint64_t ring = regs_[base / 4] | std::uint64_t{regs_[base / 4 + 1]} << 32;
    return dma(ring + 16u * slot, 16);
}

std::uint64_t NicModel::rx_address(std::uint32_t slot) const {
    return load(const_cast<NicModel*>(this)->descriptor(rdbal, slot));
}

std::byte* NicModel::receive(std::span<const std::byte> frame, std::uint8_t bits, std::uint8_t errors,
                             std::uint16_t vlan) {
    const std::uint32_t control = regs_[rctl / 4];
    if ((control & 2) == 0)
        return nullptr;
    const std::uint32_t step = 3 - (control >> 16 & 3);
    const std::size_t buffer = std::size_t{(control & 1u << 25) != 0 ? 4096u : 256u} << step;
    const std::uint32_t size = regs_[rdlen / 4] / 16;
    const std::size_t needed = (frame.size() + buffer - 1) / buffer;
    std::uint32_t& head = regs_[rdh / 4];
    if ((regs_[rdt / 4] + size - head) % size < needed) {
        ++regs_[missed / 4];
        return nullptr;
    }
    std::byte* first = nullptr;
    for (std::size_t done = 0; done < frame.size();) {
        const auto slot = descriptor(rdbal, head);
        const std::size_t part = std::min(buffer, frame.size() - done);
        const auto into = dma(load(slot), part);
        if (into.empty())
            return nullptr;
        std::memcpy(into.data(), frame.data() + done, part);
        first = first == nullptr ? into.data() : first;
        done += part;
        std::uint64_t word = part | std::uint64_t{1} << 32 | std::uint64_t{vlan} << 48;
        if (done == frame.size())
            word |= std::uint64_t{2} << 32 | std::uint64_t{bits} << 32 | std::uint64_t{errors} << 40;
        if (tamper)
            tamper(word);
        store(slot.subspan(8), word);
        head = (head + 1) % size;
    }
    ++regs_[good_received / 4];
    raise(express_ ? rxt0 | rxq0 : rxt0);
    return first;
}

void NicModel::write_rx_word(std::uint64_t word, std::uint32_t ahead, bool advance) {
    const std::uint32_t size = regs_[rdlen / 4] / 16;
    std::uint32_t& head = regs_[rdh / 4];
    store(descriptor(rdbal, (head + ahead) % size).subspan(8), word);
    if (advance)
        head = (head + 1) % size;
}

void NicModel::write_tx_word(std::uint64_t word, std::uint32_t slot) {
    store(descriptor(tdbal, slot).subspan(8), word);
}

std::vector<SentFrame> NicModel::transmit(std::size_t limit) {
    std::vector<SentFrame> sent;
    SentFrame frame;
    const std::uint32_t size = regs_[tdlen / 4] / 16;
    std::uint32_t& head = regs_[tdh / 4];
    while (sent.size() < limit && (regs_[tctl / 4] & 2) != 0 && head != regs_[tdt / 4]) {
        const auto slot = descriptor(tdbal, head);
        std::uint64_t word = load(slot.subspan(8));
        const auto from = dma(load(slot), word & 0xffff);
        frame.fragments.push_back({from.data(), from.size()});
        frame.bytes.insert(frame.bytes.end(), from.begin(), from.end());
        if ((word & 1u << 27) != 0) { // a report was asked for
            word |= std::uint64_t{1} << 32;
            if (tamper)
                tamper(word);
            store(slot.subspan(8), word);
        }
        if ((word & 1u << 24) != 0) {
            sent.push_back(std::move(frame));
            frame = {};
            ++regs_[good_sent / 4];
        }
        head = (head + 1) % size;
    }
    return sent;
}

} // namespace e1000_test
