// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <algorithm>
#include <charconv>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "categories.hpp"
#include "devbind.hpp"

namespace sluice::devbind {

namespace {

constexpr const char* description =
    "Shows which drivers hold the PCI devices, gives devices to userspace and back.";

constexpr const char* examples =
    R"(Devices: 0000:01:00.0, 01:00.0, a wildcard such as '0000:01:*', or an interface such as eth1.
Exit: 0 done, 1 refused, 2 wrong arguments or could not run.

  sluice-devbind --status
  sluice-devbind --bind sluice-pci 01:00.0 eth2     to userspace, with the Sluice driver
  sluice-devbind --bind auto '0000:01:*'            to what serves each device best
  sluice-devbind --bind e1000e 01:00.0              back to its kernel driver
  sluice-devbind --unbind 01:00.0                   to no driver
  sluice-devbind --hugepages 256M                   for the buffers of packets)";

Parsed stop(int code, std::string text) {
    Parsed parsed;
    parsed.stop = true;
    parsed.code = code;
    parsed.text = std::move(text);
    return parsed;
}

Parsed wrong(std::string_view text) {
    return stop(exit_wrong, fmt::format("sluice-devbind: {}; --help shows how\n", text));
}

std::string category_list() {
    std::vector<std::string_view> names;
    for (const auto& category : categories())
        names.push_back(category.option);
    std::ranges::sort(names);
    return fmt::format("{}", fmt::join(names, ", "));
}

// "256M", "2G@1", "0" or "show".
std::optional<HugepageWish> parse_hugepages(std::string_view text) {
    HugepageWish wish;
    if (text == "show") {
        wish.show = true;
        return wish;
    }
    std::string_view size = text.substr(0, text.find('@'));
    if (size.size() != text.size()) {
        std::string_view node = text.substr(size.size() + 1);
        int number = 0;
        auto [end, error] = std::from_chars(node.data(), node.data() + node.size(), number);
        if (error != std::errc{} || end != node.data() + node.size() || number < 0)
            return std::nullopt;
        wish.node = number;
    }
    auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), wish.bytes);
    if (error != std::errc{})
        return std::nullopt;
    std::string_view unit(end, static_cast<std::size_t>(size.data() + size.size() - end));
    unsigned shift = unit == "M" ? 20 : unit == "G" ? 30 : 64;
    if (unit.empty() && wish.bytes == 0)
        return wish;
    if (shift == 64 || wish.bytes > (std::uint64_t{1} << (63 - shift)))
        return std::nullopt;
    wish.bytes <<= shift;
    return wish;
}

/// CLI11's words where they are a person's; else ours.
Parsed wrong(const CLI::ParseError& error) {
    const std::string text = error.what();
    const std::string name = text.substr(0, text.find(':'));
    if (text.find("flag override") != text.npos)
        return wrong(fmt::format("--{} takes no value", text.substr(0, text.find(' '))));
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
        return wrong(fmt::format("{}: no such option", text.substr(text.rfind(' ') + 1)));
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
        return wrong(text.ends_with("missing") ? fmt::format("{}: its value is missing", name)
                                               : fmt::format("{}: give it once", name));
    return wrong(text);
}

Parsed checked(Parsed parsed, bool bind, bool unbind) {
    auto& options = parsed.options;
    if (bind && unbind)
        return wrong("--bind and --unbind exclude each other");
    options.act = bind || unbind;
    if (bind && options.driver.empty())
        return wrong("--bind needs the name of a driver");
    if (unbind || options.driver == "none" || options.driver == "None")
        options.driver.clear();
    if (!options.status_dev.empty()) {
        auto known = categories();
        if (std::ranges::find(known, options.status_dev, &Category::option) == known.end())
            return wrong(fmt::format("--status-dev {}: no such class of devices; there are {}",
                                     options.status_dev, category_list()));
        options.status = true;
    }
    bool other = options.groups || options.hugepages;
    if (options.json && !options.act && !other)
        options.status = true;
    if (!options.act && !options.status && !other)
        return wrong("nothing to do; give --status, --groups, --bind, --unbind or --hugepages");
    if (options.act && options.devices.empty())
        return wrong(bind ? "--bind needs devices after the driver" : "--unbind needs devices");
    if (!options.act && (options.force || options.noiommu || (options.dry_run && !options.hugepages)))
        return wrong("--force, --noiommu-mode and --dry-run go with --bind or --unbind");
    if (options.status && !options.act && !other && !options.devices.empty())
        return wrong(fmt::format("{}: --status takes no devices", options.devices.front()));
    return parsed;
}

} // namespace

Parsed parse_options(std::vector<std::string> arguments) {
    Parsed parsed;
    auto& options = parsed.options;
    bool unbind = false;
    std::string hugepages;
    CLI::App app(description, "sluice-devbind");
    app.footer(examples);
    auto flag = [&app](const char* names, bool& value, const char* help) {
        app.add_flag(names, value, help)->disable_flag_override();
    };
    flag("-s,--status", options.status, "Show devices by class and driver");
    app.add_option("--status-dev", options.status_dev, "Show one class: " + category_list())
        ->type_name("CLASS");
    auto* bind =
        app.add_option("-b,--bind", options.driver,
                       "Bind to this driver; auto: sluice-pci where a Sluice driver serves the device, "
                       "else vfio-pci; none: as --unbind")
            ->type_name("DRIVER");
    flag("-u,--unbind", unbind, "Take devices from their drivers; dpdk: all that userspace drivers hold");
    flag("--force", options.force, "Go on where a device is in use: routes, bonds, mounts, this ssh session");
    flag("--noiommu-mode", options.noiommu,
         "Without an IOMMU, let the module go on: the device can then "
         "write to all memory");
    flag("--groups", options.groups, "Show IOMMU groups, and why one cannot be used");
    flag("--json", options.json, "Print one JSON object");
    flag("-n,--dry-run", options.dry_run, "Check and show what would be done, and change nothing");
    auto* huge =
        app.add_option(
               "--hugepages", hugepages,
               "Reserve so much on a NUMA node, such as 256M or 2G@1 (0: none; without a node, that of "
               "the first device, else the first); show: say what is reserved")
            ->type_name("SIZE[@NODE]");
    app.add_option("--root", options.root, "For tests: find sys, proc, dev and lib/modules below this folder")
        ->type_name("DIR");
    app.add_option("devices", options.devices, "Which devices")->type_name("DEVICE");
    std::ranges::reverse(arguments);
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        return stop(exit_done, app.help());
    } catch (const CLI::ParseError& error) {
        return wrong(error);
    }
    if (huge->count() > 0) {
        options.hugepages = parse_hugepages(hugepages);
        if (!options.hugepages)
            return wrong(
                fmt::format("--hugepages {}: write a size such as 256M, 2G or 2G@1, or show", hugepages));
    }
    return checked(std::move(parsed), bind->count() > 0, unbind);
}

} // namespace sluice::devbind
