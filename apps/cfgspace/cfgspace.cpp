// SPDX-License-Identifier: BSD-3-Clause
#include "cfgspace.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "replay.hpp"

namespace sluice::cfgspace {

namespace {

constexpr const char* description =
    "Shows configuration space through the permission engine, its tables, and what it does to accesses.";

constexpr const char* footer =
    R"(TARGET is a function (01:00.0, looked at through sysfs) or an image (a file of 256 or 4096 bytes).
REGISTER is an offset in hexadecimal, with .b, .w or .l for its width, or a name that show prints.
Exit: 0 done, 1 the answer is no (they differ, the write is refused), 2 wrong arguments or could not run.

  sluice-cfgspace show 01:00.0
  sluice-cfgspace map --bits image.bin
  sluice-cfgspace read 01:00.0 Command 'PCI Express/Device Control' 10.l
  sluice-cfgspace write image.bin Command=0006
  sluice-cfgspace perms express
  sluice-cfgspace replay --policy kernel-6.1 script.scr)";

struct Options {
    std::string policy = "strict";
    std::string color = "auto";
    std::string root;
    std::string target;
    std::string other;
    std::string filter;
    std::vector<std::string> registers;
    bool json = false;
    bool markdown = false;
    bool bits = false;
    bool save = false;
    bool differences = false;
};

using Run = std::function<int(const Context&)>;

/// The subcommands; the one that was given sets `chosen`.
void add_commands(CLI::App& app, Options& options, Run& chosen) {
    const auto add = [&](const char* name, const char* text, Run run) {
        CLI::App* command = app.add_subcommand(name, text);
        command->add_option("--policy", options.policy, "kernel-6.1, kernel-6.12 or strict (the default)");
        command->callback([&chosen, run = std::move(run)] { chosen = run; });
        return command;
    };
    const auto with_target = [&](CLI::App* command) {
        command->add_option("TARGET", options.target, "a function's address, or an image")->required();
        command->add_flag("--json", options.json, "answer as JSON");
        return command;
    };
    with_target(add("show", "registers of the mediated space beside the raw ones", [&](const Context& c) {
        return show(c, options.target, options.differences);
    }))->add_flag("--differences", options.differences, "only registers that differ");
    with_target(add("map", "which capability owns each byte, and its masks", [&](const Context& c) {
        return map(c, options.target, options.bits);
    }))->add_flag("--bits", options.bits, "one letter a bit");
    CLI::App* perms_command =
        add("perms", "the permission tables", [&](const Context& c) { return perms(c, options.filter); });
    CLI::Option* capability =
        perms_command->add_option("CAPABILITY", options.filter, "part of a name, or an id");
    CLI::App* rules_command =
        add("rules", "where strict departs from the kernel", [](const Context& c) { return rules(c); });
    for (CLI::App* command : {perms_command, rules_command}) {
        CLI::Option* json = command->add_flag("--json", options.json, "answer as JSON");
        command->add_flag("--markdown", options.markdown, "the page in doc/")->excludes(json);
    }
    capability->excludes("--markdown");
    with_target(add("floor", "bits that a write may carry to hardware, beside the module's list",
                    [&](const Context& c) { return floor(c, options.target); }));
    CLI::App* diff_command =
        with_target(add("diff", "registers in which two mediated spaces differ",
                        [&](const Context& c) { return diff(c, options.target, options.other); }));
    diff_command->add_option("OTHER", options.other, "the second target")->required();
    with_target(add("read", "registers through the engine",
                    [&](const Context& c) { return read(c, options.target, options.registers); }))
        ->add_option("REGISTER", options.registers, "offsets or names")
        ->required();
    CLI::App* write_command =
        with_target(add("write", "registers through the engine, with their effects", [&](const Context& c) {
            return write(c, options.target, options.registers, options.save);
        }));
    write_command->add_option("REGISTER=VALUE", options.registers, "assignments, values in hexadecimal")
        ->required();
    write_command->add_flag("--save", options.save, "write the image's file");
    add("replay", "a script of accesses against an image; - is standard input",
        [&](const Context& c) { return replay(c, options.target); })
        ->add_option("SCRIPT", options.target, "the script")
        ->required();
}

} // namespace

int complain(const Context& context, const std::string& message) {
    context.errors << "sluice-cfgspace: " << message << '\n';
    return exit_wrong;
}

int replay(const Context& context, const std::string& script) {
    Replay machine(context.policy, context.out);
    if (script == "-")
        return machine.run(std::cin, context.errors);
    std::ifstream stream(script);
    if (!stream)
        return complain(context, script + " cannot be opened");
    return machine.run(stream, context.errors);
}

int run(const std::vector<std::string>& arguments, bool terminal, std::ostream& out, std::ostream& errors) {
    CLI::App app(description, "sluice-cfgspace");
    app.footer(footer);
    app.require_subcommand(1);
    app.fallthrough();
    Options options;
    app.add_option("--color", options.color, "auto, always or never");
    app.add_option("--root", options.root, "a folder to take for the system's root")->group("");
    Run chosen;
    add_commands(app, options, chosen);
    try {
        // CLI11 takes the arguments last first.
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        const bool named = !arguments.empty() && !arguments[0].starts_with('-');
        if (named && app.get_subcommands().empty()) {
            errors << "sluice-cfgspace: no command is called '" << arguments[0] << "'; --help lists them\n";
            return exit_wrong;
        }
        return app.exit(error, out, errors) == 0 ? exit_done : exit_wrong;
    }
    const auto policy = config::parse_policy(options.policy);
    const bool known_color = options.color == "auto" || options.color == "always" || options.color == "never";
    if (!policy || !known_color) {
        errors << "sluice-cfgspace: "
               << (policy ? "--color is auto, always or never"
                          : "--policy is kernel-6.1, kernel-6.12 or strict")
               << '\n';
        return exit_wrong;
    }
    Context context{*policy,
                    options.json       ? Form::json
                    : options.markdown ? Form::markdown
                                       : Form::text,
                    options.color == "always" || (options.color == "auto" && terminal),
                    pci::Sysfs(options.root.empty() ? pci::Roots{} : pci::Roots::under(options.root)),
                    out,
                    errors};
    return chosen(context);
}

} // namespace sluice::cfgspace
