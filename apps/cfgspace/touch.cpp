// SPDX-License-Identifier: BSD-3-Clause
// read and write: single registers through the engine.
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>

#include <fmt/format.h>

#include "commands.hpp"
#include "decode.hpp"
#include "device_target.hpp"
#include "json.hpp"
#include "names.hpp"
#include "target.hpp"

namespace sluice::cfgspace {

namespace {

struct Place {
    std::uint32_t offset;
    unsigned width;
};

std::optional<std::uint32_t> hex_number(std::string_view text) {
    if (text.starts_with("0x"))
        text.remove_prefix(2);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

/// "44", "44.w", "Command", "PCI Express/Device Control". Without a width: that of the register, or 4, or
/// what the offset is aligned to.
std::optional<Place> find_place(const std::string& text, const std::vector<Register>& registers) {
    std::string offset_text = text;
    std::optional<unsigned> width;
    if (text.size() > 2 && text[text.size() - 2] == '.') {
        switch (text.back()) {
        case 'b':
            width = 1;
            break;
        case 'w':
            width = 2;
            break;
        case 'l':
            width = 4;
            break;
        default:
            return std::nullopt;
        }
        offset_text.resize(text.size() - 2);
    }
    if (const auto offset = hex_number(offset_text)) {
        if (!width)
            width = *offset % 4 == 0 ? 4 : *offset % 2 == 0 ? 2 : 1;
        return Place{*offset, *width};
    }
    for (const Register& item : registers)
        if (folded(item.path()) == folded(offset_text) || folded(item.name) == folded(offset_text))
            return Place{item.offset, width.value_or(item.width)};
    return std::nullopt;
}

Result<std::uint32_t> read_value(config::Space& space, const Place& place) {
    std::uint8_t bytes[4] = {};
    if (auto done = space.read(place.offset, std::as_writable_bytes(std::span(bytes, place.width))); !done)
        return propagate(std::move(done));
    return bytes[0] | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
           std::uint32_t{bytes[3]} << 24;
}

Result<void> write_value(config::Space& space, const Place& place, std::uint32_t value) {
    std::uint8_t bytes[4];
    for (unsigned index = 0; index < 4; ++index)
        bytes[index] = static_cast<std::uint8_t>(value >> (8 * index));
    return space.write(place.offset, std::as_bytes(std::span(bytes, place.width)));
}

int unknown(const Context& context, const std::string& text) {
    return complain(context, fmt::format("'{}' is neither an offset (44, 44.w) nor a register's name; "
                                         "'show' lists the names",
                                         text));
}

Result<void> save_image(config::Image& image, const std::string& path) {
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    stream.write(reinterpret_cast<const char*>(image.bytes().data()),
                 static_cast<std::streamsize>(image.size()));
    if (!stream.flush())
        return fail(EIO, "the image cannot be written back", path);
    return {};
}

} // namespace

int read(const Context& context, const std::string& name, const std::vector<std::string>& texts) {
    auto target = Target::open(name, context.policy, context.sysfs);
    if (!target)
        return complain(context, target.error().message());
    const std::vector<Register> registers = decode((*target)->space(), (*target)->raw());
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const std::string& text : texts) {
        const auto place = find_place(text, registers);
        if (!place)
            return unknown(context, text);
        auto value = read_value((*target)->space(), *place);
        if (!value)
            return complain(context, text + ": " + value.error().message());
        if (context.form == Form::json)
            rows.push_back({{"offset", place->offset}, {"width", place->width}, {"value", *value}});
        else
            context.out << fmt::format("{:0{}x}\n", *value, 2 * place->width);
    }
    if (context.form == Form::json)
        print_json(context.out, std::move(rows));
    return exit_done;
}

int write(const Context& context, const std::string& name, const std::vector<std::string>& texts, bool save) {
    if (is_address(name) && save)
        return complain(context, "--save is for images: a function keeps what is written");
    std::unique_ptr<Target> target;
    DeviceTarget device;
    if (is_address(name)) {
        if (auto opened = device.open(name, context.policy); !opened) {
            context.errors << "sluice-cfgspace: " << opened.error().message() << '\n';
            return exit_no;
        }
    } else {
        auto opened = Target::open(name, context.policy, context.sysfs);
        if (!opened)
            return complain(context, opened.error().message());
        target = std::move(*opened);
    }
    config::Space& space = target ? target->space() : device.space();
    struct SpaceBackend final : config::Backend {
        explicit SpaceBackend(config::Space& inner)
            : mediated(inner) {}
        std::uint32_t size() const noexcept override { return mediated.size(); }
        Result<std::uint32_t> read(std::uint32_t offset, unsigned width) override {
            return read_value(mediated, {offset, width});
        }
        Result<void> write(std::uint32_t, unsigned, std::uint32_t) override { return {}; }
        config::Space& mediated;
    } raw(space);
    const std::vector<Register> registers = decode(space, target ? target->raw() : raw);
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const std::string& text : texts) {
        const std::size_t equals = text.rfind('=');
        if (equals == std::string::npos)
            return complain(context, fmt::format("'{}' assigns nothing: give OFFSET[.b|.w|.l]=VALUE", text));
        const auto place = find_place(text.substr(0, equals), registers);
        const auto value = hex_number(std::string_view(text).substr(equals + 1));
        if (!place)
            return unknown(context, text.substr(0, equals));
        if (!value || (place->width < 4 && *value >> (8 * place->width) != 0))
            return complain(context, fmt::format("'{}' is not a hexadecimal value of {} bytes",
                                                 text.substr(equals + 1), place->width));
        if (auto done = write_value(space, *place, *value); !done)
            return complain(context, text + ": " + done.error().message());
        auto after = read_value(space, *place);
        const std::vector<std::string> effects = target ? target->notes().take() : std::vector<std::string>();
        if (context.form == Form::json) {
            rows.push_back({{"offset", place->offset},
                            {"width", place->width},
                            {"written", *value},
                            {"now", after ? nlohmann::ordered_json(*after) : nullptr},
                            {"effects", effects}});
            continue;
        }
        for (const std::string& line : effects)
            context.out << "  " << line << '\n';
        context.out << fmt::format("{:03x} written {:0{}x}, now {}\n", place->offset, *value,
                                   2 * place->width,
                                   after ? fmt::format("{:0{}x}", *after, 2 * place->width) : "unreadable");
    }
    if (context.form == Form::json)
        print_json(context.out, std::move(rows));
    if (save)
        if (auto saved = save_image(*target->image(), name); !saved)
            return complain(context, saved.error().message());
    return exit_done;
}

} // namespace sluice::cfgspace
