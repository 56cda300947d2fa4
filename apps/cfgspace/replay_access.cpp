// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cerrno>

#include "replay_machine.hpp"

namespace sluice::cfgspace {

namespace {

std::string digits(std::span<const std::uint8_t> data) {
    std::string text;
    for (const std::uint8_t byte : data)
        text += fmt::format("{:02x}", byte);
    return text;
}

constexpr std::size_t largest_access = 65536;

} // namespace

void Replay::read(const Words& words) {
    const auto offset = number(words[1]);
    const auto length = number(words[2]);
    if (length > largest_access)
        throw Failure{"an access of that length makes no sense"};
    std::vector<std::uint8_t> data(length);
    auto done = offset > UINT32_MAX ? fail(EFAULT, "outside")
                                    : space().read(static_cast<std::uint32_t>(offset),
                                                   std::as_writable_bytes(std::span(data)));
    if (done)
        out_ << fmt::format("r {:03x} {} ret={} data={}\n", offset, length, length, digits(data));
    else
        out_ << fmt::format("r {:03x} {} ret={}\n", offset, length, -done.error().code());
}

void Replay::write_data(std::uint32_t offset, const std::vector<std::uint8_t>& data) {
    auto done = space().write(offset, std::as_bytes(std::span(data)));
    out_ << fmt::format("w {:03x} {} data={} ret={}\n", offset, data.size(), digits(data),
                        done ? static_cast<int>(data.size()) : -done.error().code());
}

void Replay::write(const Words& words) {
    const auto offset = number(words[1]);
    const auto length = number(words[2]);
    const auto value = number(words[3]);
    if (length > 8)
        throw Failure{"w writes at most 8 bytes: use wb"};
    std::vector<std::uint8_t> data(length);
    for (std::size_t index = 0; index < data.size(); ++index)
        data[index] = static_cast<std::uint8_t>(value >> (8 * index));
    write_data(static_cast<std::uint32_t>(std::min<std::uint64_t>(offset, UINT32_MAX)), data);
}

void Replay::write_bytes(const Words& words) {
    write_data(static_cast<std::uint32_t>(std::min<std::uint64_t>(number(words[1]), UINT32_MAX)),
               bytes(words, 2));
}

void Replay::read_all(const Words& words) {
    constexpr std::uint32_t line_bytes = 16;
    const auto unit = number(words[1]);
    if (unit != 1 && unit != 2 && (unit < 4 || unit > 16))
        throw Failure{"rall takes 1, 2 or 4 to 16"};
    const std::uint32_t size = space().size();
    std::string line;
    std::uint32_t line_start = 0;
    for (std::uint32_t offset = 0; offset < size;) {
        const auto length = std::min(static_cast<std::uint32_t>(unit), size - offset);
        std::vector<std::uint8_t> data(length);
        auto done = space().read(offset, std::as_writable_bytes(std::span(data)));
        line += ' ' + (done ? digits(data) : fmt::format("{}", -done.error().code()));
        offset += length;
        if (offset - line_start >= line_bytes || offset == size) {
            out_ << fmt::format("rall{} {:03x}:{}\n", unit, line_start, line);
            line.clear();
            line_start = offset;
        }
    }
}

void Replay::map(const Words&) {
    const auto owners = space().owners();
    for (std::size_t first = 0; first < owners.size();) {
        std::size_t last = first;
        while (last + 1 < owners.size() && owners[last + 1] == owners[first])
            ++last;
        out_ << fmt::format("map {:03x}-{:03x} {:02x}\n", first, last, owners[first]);
        first = last + 1;
    }
}

void Replay::vconfig(const Words&) {
    const auto owners = space().owners();
    const auto shadow = space().shadow();
    for (std::size_t line = 0; line < owners.size(); line += 16) {
        std::string text;
        bool any = false;
        for (std::size_t offset = line; offset < line + 16; ++offset) {
            const bool owned = owners[offset] != config::owner_none;
            any |= owned;
            text += owned ? fmt::format(" {:02x}", shadow[offset]) : " ..";
        }
        if (any)
            out_ << fmt::format("vconfig {:03x}:{}\n", line, text);
    }
}

void Replay::hwdiff(const Words&) {
    constexpr std::size_t line_bytes = 16;
    const std::span<const std::uint8_t> now = machine_->hardware.bytes();
    const std::span<const std::uint8_t> before = machine_->original;
    for (std::size_t first = 0; first < now.size();) {
        std::size_t last = first;
        while (last < now.size() && last - first < line_bytes && now[last] != before[last])
            ++last;
        if (last != first)
            out_ << fmt::format("hwdiff {:03x} {} -> {}\n", first,
                                digits(before.subspan(first, last - first)),
                                digits(now.subspan(first, last - first)));
        first = std::max(last, first + 1);
    }
}

void Replay::state(const Words&) {
    config::Space& target = space();
    const config::Space::Status status = target.status();
    const config::Facts& facts = machine_->facts;
    // The kernel numbers its interrupt types from INTx on; five stands for none.
    static constexpr unsigned irq_numbers[] = {5, 0, 1, 2};
    out_ << fmt::format(
        "state virq_disabled={:d} bardirty={:d} extended_caps={:d} nointx={:d} pci_2_3={:d} irq_type={} "
        "qmax={} no_command_memory={:d} power=D{} pcie_cap={:02x} pm_cap={:02x} "
        "needs_pm_restore={:d} mem_enabled={:d}\n",
        status.intx_disabled, status.bars_dirty, target.extended_capabilities(), facts.nointx, facts.pci_2_3,
        irq_numbers[static_cast<unsigned>(status.irq_type)], status.msi_limit, facts.no_command_memory,
        static_cast<unsigned>(target.power()), facts.pcie_cap, facts.pm_cap,
        machine_->system.needs_pm_restore(), target.memory_enabled());
    out_ << "state rbar";
    for (const std::uint32_t bar : target.saved_bars())
        out_ << fmt::format(" {:08x}", bar);
    out_ << '\n';
}

void Replay::perms(const Words&) {
    config::Space& target = space();
    for (std::uint32_t line = 0; line < target.size(); line += 16) {
        std::string virt;
        std::string writable;
        bool any = false;
        for (std::uint32_t offset = line; offset < line + 16; ++offset) {
            any |= target.owners()[offset] != config::owner_none;
            virt += fmt::format("{:02x}", target.access(offset).virt);
            writable += fmt::format("{:02x}", target.access(offset).write);
        }
        if (any)
            out_ << fmt::format("perms {:03x}: virt {} write {}\n", line, virt, writable);
    }
}

} // namespace sluice::cfgspace
