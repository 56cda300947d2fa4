// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <array>
#include <cerrno>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <sluice/net/uri.hpp>

namespace sluice::softnic {
namespace {

Result<model::NicOptions> nic_of(const std::string& text) {
    static constexpr std::array grammars = {
        net::SchemeGrammar{.name = "soft", .keys = model::NicOptions::keys, .raw = false}};
    const auto uri = net::Uri::parse(text, grammars);
    if (!uri)
        return tl::unexpected(uri.error());
    if (uri->address() != "virtio")
        return fail(EINVAL, "there is no such model: soft:virtio is the one", text);
    return model::NicOptions::parse([&](std::string_view key) { return uri->get(key); });
}

} // namespace

Result<CommandLine> parse_command_line(int argc, char** argv) {
    CommandLine line;
    std::vector<std::string> devices;
    std::vector<std::string> sockets;
    std::string protocol = "vfio-user";
    CLI::App app("serves soft NICs to other processes by vfio-user or vhost-user", "sluice-softnic");
    app.get_formatter()->column_width(28);
    app.add_option("-d,--device", devices, "soft:virtio?KEY=VALUE[&KEY=VALUE]…, any number of times")
        ->allow_extra_args(false);
    app.add_option("-s,--socket", sockets, "The socket of the device before it")->allow_extra_args(false);
    app.add_option("-p,--protocol", protocol, "vfio-user: whole devices; vhost-user: their rings alone")
        ->check(CLI::IsMember({"vfio-user", "vhost-user"}))
        ->capture_default_str();
    app.add_flag("-c,--connect", line.connect, "vhost-user: connect to sockets that front-ends listen at");
    app.footer(
        "SIGUSR1 prints statistics; SIGINT and SIGTERM end it with them. Exit status: 0 done, 2 wrong\n"
        "arguments or could not run.");
    line.help_text = app.help();
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        line.help = true;
        return line;
    } catch (const CLI::ParseError& wrong) {
        return fail(EINVAL, "see sluice-softnic --help", wrong.what());
    }
    line.protocol = protocol == "vhost-user" ? Protocol::vhost_user : Protocol::vfio_user;
    if (line.connect && line.protocol != Protocol::vhost_user)
        return fail(EINVAL, "--connect is for --protocol vhost-user: by vfio-user the device listens");
    if (devices.empty() || devices.size() != sockets.size())
        return fail(EINVAL, "each --device needs its --socket",
                    fmt::format("{} devices, {} sockets", devices.size(), sockets.size()));
    for (std::size_t i = 0; i < devices.size(); ++i) {
        auto options = nic_of(devices[i]);
        if (!options)
            return tl::unexpected(options.error());
        options->name = fmt::format("soft{}", i);
        line.places.push_back({devices[i], sockets[i], std::move(*options)});
    }
    return line;
}

} // namespace sluice::softnic
