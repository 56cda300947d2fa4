// SPDX-License-Identifier: BSD-3-Clause
#include "flr.hpp"

#include <fstream>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "fields.hpp"
#include "operations.hpp"

namespace sluice::configdiff {

namespace {

constexpr std::uint32_t command_memory = 0x2;
constexpr std::uint32_t express_control = 0x08; // PCI Express Base §7.5.3.4
constexpr std::uint32_t express_reset = 0x8000;

// virtio 1.1 §4.1.4.3: device_status in the common configuration, which QEMU has at the beginning of BAR 4.
constexpr unsigned common_bar = 4;
constexpr std::uint64_t device_status = 0x14;

/// Counts writes that carry a one into Initiate Function Level Reset.
class ResetWrites final : public config::Observer {
  public:
    explicit ResetWrites(std::uint32_t control)
        : byte_(control + 1) {}
    void read(std::uint32_t, unsigned, std::uint32_t) override {}
    void written(std::uint32_t offset, unsigned width, std::uint32_t value) override {
        if (offset <= byte_ && byte_ < offset + width)
            count += value >> (8 * (byte_ - offset) + 7) & 1;
    }
    void event(std::string_view) override {}

    unsigned count = 0;

  private:
    const std::uint32_t byte_;
};

/// Hits of the kernel's probe. Linux, Documentation/trace/kprobetrace.rst.
std::optional<unsigned long> kernel_resets() {
    std::ifstream file("/sys/kernel/tracing/kprobe_profile");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string event;
        unsigned long hits = 0;
        if (words >> event >> hits && event == "sluice_reset")
            return hits;
    }
    return std::nullopt;
}

} // namespace

bool one_reset_for_one_write(Route route, const std::string& bdf) {
    auto image = hardware(bdf);
    const std::uint32_t express = image ? find_capability(*image, express_id) : 0;
    if (express == 0) {
        fmt::print("{}: no Express capability to reset it by\n", bdf);
        return false;
    }
    ResetWrites passed(express + express_control);
    auto opened = open_subject(route, bdf, running_policy(), &passed);
    if (!opened) {
        fmt::print("{}\n", opened.error().message());
        return false;
    }
    Subject& subject = **opened;
    std::uint32_t control = 0;
    std::uint32_t after = 0;
    std::uint8_t status = 3;
    int error = subject.write(command_register, 2, command_memory);
    error = error != 0 ? error : subject.bar(common_bar, device_status, status, true);
    std::uint8_t set = 0;
    error = error != 0 ? error : subject.bar(common_bar, device_status, set, false);
    error = error != 0 ? error : subject.read(express + express_control, 2, control);
    const auto before = kernel_resets();
    error = error != 0 ? error : subject.write(express + express_control, 2, control | express_reset);
    const auto now = kernel_resets();
    error = error != 0 ? error : subject.read(express + express_control, 2, after);
    error = error != 0 ? error : subject.bar(common_bar, device_status, status, false);
    if (error != 0 || !before || !now) {
        fmt::print("{}: errno {}, {}\n", bdf, error, before ? "the probe is there" : "no probe sluice_reset");
        return false;
    }
    const unsigned expected = route == Route::twice ? 1 : 0;
    fmt::print(
        "{} {}: the engine passed the write on {} times, the kernel reset the function {} times; status "
        "{:02x} before, {:02x} after; control {:04x} before, {:04x} after\n",
        name(route), bdf, passed.count, *now - *before, set, status, control, after);
    return passed.count == expected && *now - *before == 1 && set == 3 && status == 0 && after == control;
}

} // namespace sluice::configdiff
