// SPDX-License-Identifier: BSD-3-Clause
// sluice-cfgspace: configuration space as the permission engine shows it.
#include <cstdlib>
#include <iostream>

#include <unistd.h>

#include "cfgspace.hpp"

int main(int argc, char** argv) {
    const bool terminal = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    return sluice::cfgspace::run(std::vector<std::string>(argv + 1, argv + argc), terminal, std::cout,
                                 std::cerr);
}
