// SPDX-License-Identifier: BSD-3-Clause
// sluice-perf: measures, stores, compares, gates and shows.
#include <iostream>

#include <unistd.h>

#include "commands.hpp"
#include "counting.hpp"

int main(int argc, char** argv) {
    using namespace sluice::perf;
    auto parsed = parse_options(argc, argv);
    if (parsed.stop) {
        (parsed.code == exit_done ? std::cout : std::cerr) << parsed.text;
        return parsed.code;
    }
    std::string line = "sluice-perf";
    for (int i = 1; i < argc; ++i)
        line += std::string(" ") + argv[i];
    const bool terminal = ::isatty(STDERR_FILENO) != 0;
    Context context{std::cout, std::cerr, make_counting(parsed.options, std::cerr, terminal), line, terminal};
    return run_command(parsed.options, context);
}
