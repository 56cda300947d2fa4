// SPDX-License-Identifier: BSD-3-Clause
#include "compare.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::configdiff {

namespace {

constexpr std::size_t most_lines = 12;

constexpr std::uint32_t command_upper = 0x05; // PCI Local Bus 3.0 §6.2.2
constexpr std::uint8_t intx_disable = 0x04;   // in that byte

using Bits = std::vector<std::uint8_t>;

std::string value_text(const Operation& operation, const Answer& answer) {
    if (answer.error != 0)
        return fmt::format("errno {}", answer.error);
    if (operation.kind != Kind::read)
        return "done";
    return fmt::format("{:0{}x}", answer.value, 2 * operation.width);
}

std::string operation_text(const Operation& operation) {
    switch (operation.kind) {
    case Kind::read:
        return fmt::format("read {:03x}.{}", operation.offset, operation.width);
    case Kind::write:
        return fmt::format("write {:03x}.{} <- {:0{}x}", operation.offset, operation.width, operation.value,
                           2 * operation.width);
    case Kind::interrupts:
        break;
    }
    return fmt::format("{} with {} vectors", device::name(static_cast<device::Irq>(operation.offset)),
                       operation.value);
}

/// Bits that writes changed: any change, or only to what the writer asked for.
Bits changed_by_writes(const std::vector<Operation>& list, const std::vector<Answer>& answers,
                       std::size_t size, bool as_asked) {
    Bits bits(size);
    for (std::size_t index = 1; index + 1 < list.size(); ++index) {
        const Operation& write = list[index];
        const bool framed = write.kind == Kind::write && list[index - 1].kind == Kind::read &&
                            list[index + 1].kind == Kind::read && write.same_place(list[index - 1]) &&
                            write.same_place(list[index + 1]);
        if (!framed || answers[index - 1].error != 0 || answers[index + 1].error != 0)
            continue;
        const std::uint32_t before = answers[index - 1].value;
        const std::uint32_t after = answers[index + 1].value;
        std::uint32_t changed = before ^ after;
        if (as_asked)
            changed &= ~(after ^ write.value) | (before & write.value & ~after);
        for (unsigned byte = 0; byte < write.width; ++byte)
            bits[write.offset + byte] |= static_cast<std::uint8_t>(changed >> (8 * byte));
    }
    return bits;
}

std::string unequal_start(const Record& kernel, const Record& other) {
    if (kernel.route != Route::kernel)
        return "the first run is not vfio-pci's";
    if (kernel.plan.seed != other.plan.seed || kernel.plan.percent != other.plan.percent)
        return "the runs were made by different plans";
    if (kernel.image.size() != other.image.size())
        return fmt::format("config space has {} bytes with vfio-pci and {} in the other run",
                           kernel.image.size(), other.image.size());
    for (std::uint32_t at = 0; at < kernel.image.size(); ++at) {
        // The module keeps Interrupt Disable set while nobody handles INTx; the user reads his own wish.
        const std::uint8_t own = other.route == Route::engine && at == command_upper ? intx_disable : 0;
        if (((kernel.image[at] ^ other.image[at]) & ~own) != 0)
            return fmt::format("hardware was not the same before the runs: byte {:03x} was {:02x} with "
                               "vfio-pci and {:02x} in the other run",
                               at, kernel.image[at], other.image[at]);
    }
    return {};
}

} // namespace

Comparison compare(const Record& kernel, const Record& other) {
    Comparison result;
    result.unequal_start = unequal_start(kernel, other);
    const std::vector<Operation> list = operations(kernel.plan, kernel.image);
    if (result.unequal_start.empty() &&
        (kernel.answers.size() != list.size() || other.answers.size() != list.size()))
        result.unequal_start = "a run ended before its last access";
    const std::size_t size = kernel.image.size();
    result.explained.resize(size);
    if (!result.unequal_start.empty())
        return result;
    result.answers = list.size();

    Bits explains(size);
    if (other.route == Route::engine && other.floor.size() == size) {
        const Bits let_through = changed_by_writes(list, kernel.answers, size, true);
        const Bits moved = changed_by_writes(list, other.answers, size, false);
        for (std::size_t at = 0; at < size; ++at)
            explains[at] = static_cast<std::uint8_t>(let_through[at] & ~other.floor[at] & ~moved[at]);
    }
    for (std::size_t index = 0; index < list.size(); ++index) {
        const Operation& operation = list[index];
        const Answer& left = kernel.answers[index];
        const Answer& right = other.answers[index];
        if (left == right)
            continue;
        std::uint32_t allowed = 0;
        if (operation.kind == Kind::read && left.error == 0 && right.error == 0)
            for (unsigned byte = 0; byte < operation.width; ++byte)
                allowed |= std::uint32_t{explains[operation.offset + byte]} << (8 * byte);
        const std::uint32_t different = left.value ^ right.value;
        if (left.error == right.error && (different & ~allowed) == 0) {
            ++result.explained_answers;
            for (unsigned byte = 0; byte < operation.width; ++byte)
                result.explained[operation.offset + byte] |=
                    static_cast<std::uint8_t>(different >> (8 * byte));
            continue;
        }
        if (result.unexplained_answers++ < most_lines)
            result.unexplained.push_back(
                fmt::format("answer {}: {}: vfio-pci {}, {} {}{}", index, operation_text(operation),
                            value_text(operation, left), name(other.route), value_text(operation, right),
                            allowed == 0 ? "" : fmt::format(" (explained {:x})", allowed)));
    }
    return result;
}

} // namespace sluice::configdiff
