// SPDX-License-Identifier: BSD-3-Clause
#include "capture.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include <fmt/format.h>

#include <sluice/config/facts.hpp>
#include <sluice/config/image.hpp>

#include "operations.hpp"
#include "subject.hpp"

namespace sluice::configdiff {

namespace {

constexpr unsigned sampled_writes = 100;
constexpr std::uint32_t line_bytes = 16;
constexpr std::uint8_t features_id = 0x13;

using Bytes = std::vector<std::uint8_t>;

/// Bits of hardware, one byte for each byte of config space.
struct Masks {
    Bytes write;
    Bytes clears;
};

/// A byte that resets the function when `bit` of it is written as one: what comes after is the device's own.
struct ResetBit {
    std::uint32_t offset;
    std::uint8_t bit;
};

std::vector<ResetBit> reset_bits(const Bytes& image) {
    std::vector<ResetBit> found;
    if (const std::uint32_t express = find_capability(image, express_id); express != 0)
        found.push_back({express + 9, 0x80}); // PCI Express Base §7.5.3.4
    if (const std::uint32_t features = find_capability(image, features_id); features != 0)
        found.push_back({features + 4, 0x01}); // PCI Local Bus 3.0, Advanced Capabilities ECN §2.1
    return found;
}

/// A bit can be written if it was seen as both; it clears by a one if that was seen.
Masks learn(Subject& subject, std::size_t size) {
    Masks masks{Bytes(size), Bytes(size)};
    for (std::uint32_t offset = 0; offset < size; ++offset) {
        std::uint32_t before = 0;
        std::uint32_t high = 0;
        std::uint32_t low = 0;
        const int failed = subject.read(offset, 1, before) | subject.write(offset, 1, 0xff) |
                           subject.read(offset, 1, high) | subject.write(offset, 1, 0) |
                           subject.read(offset, 1, low) | subject.write(offset, 1, before & high);
        if (failed != 0)
            continue;
        masks.write[offset] = static_cast<std::uint8_t>(high & ~low);
        masks.clears[offset] = static_cast<std::uint8_t>(before & ~high & ~low);
    }
    return masks;
}

std::string file_text(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::uint64_t file_number(const std::string& path, int base) {
    return std::strtoull(file_text(path).c_str(), nullptr, base);
}

/// What the system knows beside config space. Linux, Documentation/ABI/testing/sysfs-bus-pci.
std::string facts_text(const std::string& bdf) {
    constexpr std::uint64_t flags_kept = config::Resource::io | config::Resource::memory |
                                         config::Resource::prefetch | config::Resource::memory64 |
                                         config::Resource::shadow_rom;
    const std::string folder = "/sys/bus/pci/devices/" + bdf;
    std::string text;
    if (std::filesystem::exists(folder + "/physfn"))
        text += fmt::format("vf 1\nids {:#x} {:#x}\n", file_number(folder + "/vendor", 16),
                            file_number(folder + "/device", 16));
    text += fmt::format("irq {}\n", file_number(folder + "/irq", 10));
    std::ifstream resources(folder + "/resource");
    std::string start;
    std::string end;
    std::string flags;
    for (unsigned index = 0; index < 7 && resources >> start >> end >> flags; ++index) {
        const std::uint64_t first = std::stoull(start, nullptr, 16);
        const std::uint64_t kinds = std::stoull(flags, nullptr, 16) & flags_kept;
        if (kinds != 0)
            text += fmt::format("res {} {:#x} {:#x} {:#x}\n", index, first,
                                first == 0 ? 0 : std::stoull(end, nullptr, 16) - first + 1, kinds);
    }
    return text;
}

std::string digits(std::uint32_t value, unsigned width) {
    std::string text;
    for (unsigned index = 0; index < width; ++index)
        text += fmt::format("{:02x}", value >> (8 * index) & 0xff);
    return text;
}

/// Makes accesses, and writes each down as the script has it and as the expected file does.
class Writer {
  public:
    Writer(Subject& subject, const std::string& name)
        : subject_(subject)
        , script("new\necho == " + name + "\n")
        , answers("== " + name + "\n") {}

    void read_all(unsigned unit, std::uint32_t size) {
        script += fmt::format("rall {}\n", unit);
        for (std::uint32_t line = 0; line < size; line += line_bytes) {
            answers += fmt::format("rall{} {:03x}:", unit, line);
            for (std::uint32_t offset = line; offset < line + line_bytes; offset += unit) {
                std::uint32_t value = 0;
                const int error = subject_.read(offset, unit, value);
                answers += ' ' + (error == 0 ? digits(value, unit) : fmt::format("{}", -error));
            }
            answers += '\n';
        }
    }
    void write(std::uint32_t offset, unsigned width, std::uint32_t value) {
        script += fmt::format("w {:#x} {} {:#x}\n", offset, width, value);
        const int error = subject_.write(offset, width, value);
        answers += fmt::format("w {:03x} {} data={} ret={}\n", offset, width, digits(value, width),
                               error == 0 ? static_cast<int>(width) : -error);
    }
    void read(std::uint32_t offset, unsigned width) {
        script += fmt::format("r {:#x} {}\n", offset, width);
        std::uint32_t value = 0;
        const int error = subject_.read(offset, width, value);
        if (error == 0)
            answers +=
                fmt::format("r {:03x} {} ret={} data={}\n", offset, width, width, digits(value, width));
        else
            answers += fmt::format("r {:03x} {} ret={}\n", offset, width, -error);
    }

  private:
    Subject& subject_;

  public:
    std::string script;
    std::string answers;
};

void sample_writes(Writer& writer, const Bytes& image) {
    std::mt19937 engine(static_cast<std::uint32_t>(image.size()) + image[0] + image[2] * 256U);
    const auto random = [&engine] { return static_cast<std::uint32_t>(engine()); };
    const std::vector<ResetBit> resets = reset_bits(image);
    for (unsigned count = 0; count < sampled_writes; ++count) {
        constexpr std::array widths{1U, 2U, 4U};
        const unsigned width = widths[random() % 3];
        // Most of what happens is in the first quarter of an extended space, and all of it in the other.
        const std::uint32_t range = random() % 2 != 0 ? 0x100U : static_cast<std::uint32_t>(image.size()) / 4;
        const std::uint32_t offset = random() % (std::max(range, 0x100U) - width);
        const std::uint32_t ones = width == 4 ? ~0U : (1U << (8 * width)) - 1;
        const std::array<std::uint32_t, 4> values{ones, 0, 1U << random() % (8 * width), random() & ones};
        std::uint32_t value = values[random() % values.size()];
        for (const ResetBit& reset : resets)
            if (offset <= reset.offset && reset.offset < offset + width)
                value &= ~(std::uint32_t{reset.bit} << (8 * (reset.offset - offset)));
        writer.write(offset, width, value);
        writer.read(offset, width);
    }
}

Result<void> keep(const std::string& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary);
    if (!file.write(text.data(), static_cast<std::streamsize>(text.size())).flush())
        return fail(EIO, "cannot write a file of the case", path);
    return {};
}

std::string_view text_of(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace

Result<void> capture(const std::string& bdf, const std::string& name, const std::string& folder) {
    auto first = open_subject(Route::kernel, bdf, config::Policy::strict);
    if (!first)
        return propagate(std::move(first));
    auto image = hardware(bdf);
    if (!image)
        return propagate(std::move(image));
    const Masks masks = learn(**first, image->size());
    first->reset();

    auto subject = open_subject(Route::kernel, bdf, config::Policy::strict);
    if (!subject)
        return propagate(std::move(subject));
    image = hardware(bdf);
    if (!image)
        return propagate(std::move(image));
    const auto size = static_cast<std::uint32_t>(image->size());
    Writer writer(**subject, name);
    writer.script +=
        fmt::format("image captured/{0}.bin\nwmask captured/{0}.wm\nw1c captured/{0}.w1c\n", name);
    writer.script += facts_text(bdf) + "trace none\ninit\n";
    writer.answers += "init ret=0\n";
    for (const unsigned unit : {1U, 2U, 4U})
        writer.read_all(unit, size);
    sample_writes(writer, *image);
    writer.read_all(4, size);

    const std::string base = folder + '/' + name;
    for (const auto& [ending, text] : {std::pair<const char*, std::string_view>{".bin", text_of(*image)},
                                       {".wm", text_of(masks.write)},
                                       {".w1c", text_of(masks.clears)},
                                       {".scr", writer.script},
                                       {".out", writer.answers}})
        if (auto kept = keep(base + ending, text); !kept)
            return kept;
    return {};
}

} // namespace sluice::configdiff
