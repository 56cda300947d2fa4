// SPDX-License-Identifier: BSD-3-Clause
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>

#include "replay.hpp"

int main(int argc, char** argv) {
    using namespace sluice;
    CLI::App app("Shows and exercises configuration space through the permission engine", "sluice-cfgspace");
    app.require_subcommand(1);
    std::string policy_name = "strict";
    std::string script;
    auto* replay = app.add_subcommand("replay", "run a script of accesses against an image");
    replay->add_option("--policy", policy_name, "kernel-6.1, kernel-6.12 or strict");
    replay->add_option("SCRIPT", script, "the script, - for standard input")->required();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    const auto policy = config::parse_policy(policy_name);
    if (!policy) {
        std::cerr << "sluice-cfgspace: no policy is called " << policy_name << '\n';
        return 2;
    }
    cfgspace::Replay machine(*policy, std::cout);
    if (script == "-")
        return machine.run(std::cin, std::cerr);
    std::ifstream stream(script);
    if (!stream) {
        std::cerr << "sluice-cfgspace: " << script << " cannot be opened\n";
        return 2;
    }
    return machine.run(stream, std::cerr);
}
