// SPDX-License-Identifier: BSD-3-Clause
#include "operations.hpp"

#include <algorithm>
#include <array>

#include <sluice/device/interrupts.hpp>

namespace sluice::configdiff {

namespace {

constexpr std::uint32_t capability_pointer = 0x34;
constexpr std::uint32_t interrupt_pin = 0x3d;
constexpr std::uint8_t id_msi = 0x05;  // PCI Local Bus 3.0 §6.8.1
constexpr std::uint8_t id_msix = 0x11; // PCI Local Bus 3.0 §6.8.2

constexpr unsigned places_between_looks = 128;

std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

class Lister {
  public:
    Lister(const Plan& plan, std::span<const std::uint8_t> image)
        : plan_(plan)
        , image_(image) {}

    void whole_space() {
        place_range(0, static_cast<std::uint32_t>(image_.size()));
        look();
    }

    void while_on(device::Irq irq, unsigned vectors) {
        ++phase_;
        push(Kind::interrupts, 0, static_cast<std::uint32_t>(irq), vectors);
        place_range(command_register, command_register + 4);
        if (const std::uint32_t msi = find_capability(image_, id_msi); msi != 0)
            place_range(msi, std::min<std::uint32_t>(msi + 24, 0x100));
        if (const std::uint32_t msix = find_capability(image_, id_msix); msix != 0)
            place_range(msix, std::min<std::uint32_t>(msix + 12, 0x100));
        push(Kind::interrupts, 0, static_cast<std::uint32_t>(irq), 0);
        look();
    }

    std::vector<Operation> take() { return std::move(list_); }

  private:
    void push(Kind kind, unsigned width, std::uint32_t offset, std::uint32_t value) {
        list_.push_back({kind, static_cast<std::uint8_t>(width), static_cast<std::uint16_t>(offset), value});
    }

    void write_and_read(std::uint32_t offset, unsigned width, std::uint32_t value) {
        push(Kind::write, width, offset, value);
        push(Kind::read, width, offset, 0);
    }

    void look() {
        for (std::uint32_t offset = 0; offset < image_.size(); offset += 4)
            push(Kind::read, 4, offset, 0);
    }

    void place_range(std::uint32_t from, std::uint32_t to) {
        for (std::uint32_t offset = from; offset < to; ++offset)
            for (const unsigned width : {1U, 2U, 4U})
                place(offset, width);
    }

    void place(std::uint32_t offset, unsigned width) {
        const std::uint64_t dice = mix(plan_.seed ^ mix(offset * 8 + width + (std::uint64_t{phase_} << 32)));
        if (dice % 100 >= plan_.percent)
            return;
        const std::uint32_t ones = width == 4 ? ~0U : (1U << (8 * width)) - 1;
        push(Kind::read, width, offset, 0);
        write_and_read(offset, width, ones);
        for (unsigned bit = 0; bit < 8 * width; ++bit)
            write_and_read(offset, width, 1U << bit);
        write_and_read(offset, width, static_cast<std::uint32_t>(mix(dice)) & ones);
        write_and_read(offset, width, 0);
        if (++places_ % places_between_looks == 0)
            look();
    }

    const Plan& plan_;
    const std::span<const std::uint8_t> image_;
    std::vector<Operation> list_;
    unsigned phase_ = 0;
    unsigned places_ = 0;
};

} // namespace

std::uint32_t find_capability(std::span<const std::uint8_t> image, std::uint8_t id) {
    std::uint32_t at = image[capability_pointer] & ~3U;
    for (unsigned step = 0; at >= 0x40 && step < 48; ++step, at = image[at + 1] & ~3U)
        if (image[at] == id)
            return at;
    return 0;
}

std::vector<Operation> operations(const Plan& plan, std::span<const std::uint8_t> image) {
    Lister lister(plan, image);
    lister.whole_space();
    if (image[interrupt_pin] != 0)
        lister.while_on(device::Irq::intx, 1);
    if (const std::uint32_t msi = find_capability(image, id_msi); msi != 0) {
        const unsigned most = 1U << std::min(image[msi + 2] >> 1 & 7, 5);
        lister.while_on(device::Irq::msi, 1);
        if (most > 1)
            lister.while_on(device::Irq::msi, std::min(most, 3U));
    }
    if (const std::uint32_t msix = find_capability(image, id_msix); msix != 0) {
        const unsigned most = 1U + image[msix + 2] + (image[msix + 3] & 7U) * 0x100;
        lister.while_on(device::Irq::msix, 1);
        if (most > 1)
            lister.while_on(device::Irq::msix, 2);
    }
    return lister.take();
}

} // namespace sluice::configdiff
